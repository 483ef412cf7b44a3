"""The heaps of hosts say what a look at every host would say."""

from hypothesis import given
from hypothesis import strategies as some

from reconciler.decide.place import choose
from reconciler.decide.scene import look
from reconciler.decide.slots import Slots, slots
from reconciler.model.change import Options, Wait
from reconciler.model.desired import Desired
from reconciler.model.fleet import Fleet
from reconciler.model.host import Facts, Host
from reconciler.model.memory import Memory
from reconciler.model.observed import Seen
from reconciler.model.task import Step, Task

LABELS = some.dictionaries(some.sampled_from(["zone", "gpu"]), some.sampled_from(["a", "b"]))
SELDOM = some.sampled_from([False, False, False, True])
PROGRAMS = some.sampled_from(["", "claude"])


@some.composite
def fleets(draw: some.DrawFn) -> Slots:
    """Up to eight hosts, some full, cordoned, short of disk or without the program."""
    hosts, looks = {}, {}
    for number in range(draw(some.integers(0, 6))):
        name = f"box{number}"
        more = {"slots": draw(some.integers(0, 4)), "cordon": draw(SELDOM), "labels": draw(LABELS)}
        hosts[name] = Host(name, address=name, **more)
        has = draw(some.sampled_from([{}, {"claude": True}, {"claude": False}]))
        free = 0 if draw(SELDOM) else draw(some.sampled_from([None, 1 << 40]))
        looks[name] = Seen(f"w{number}", name, facts=Facts(disk_free=free, programs=has))
    scene = look(Desired("c0ffee", Fleet("f", "f"), hosts), looks, Memory("00c0ffee"), 0.0, Options())
    return slots(scene)


def every_host(taken: Slots, task: Task, program: str, home: str) -> str | None:
    """The slow way."""
    fits = {
        name: spot
        for name, spot in taken.spots.items()
        if task.host in ("", name) and all(spot.host.labels.get(k) == v for k, v in (task.selector or {}).items())
    }
    fits = {home: fits[home]} if home in fits else fits
    free = [
        name
        for name, spot in fits.items()
        if not spot.host.cordon
        and spot.seen.facts.programs.get(program) is not False
        and spot.seen.facts.disk_free != 0
        and taken.used[name] < spot.host.slots
    ]
    return min(free, key=lambda name: (taken.used[name] / taken.spots[name].host.slots, name), default=None)


HERE, HOME = some.sampled_from(["", "", "", "box1"]), some.sampled_from(["", "", "", "box2"])
WISHES = some.lists(some.tuples(HERE, LABELS, PROGRAMS, HOME), min_size=4, max_size=20)


@given(fleets(), WISHES)
def test_each_launch_goes_to_the_least_loaded_host_that_suits_it(taken: Slots, wishes: list) -> None:
    for number, (host, labels, program, home) in enumerate(wishes):
        task = Task(f"t{number}", (Step("00c0ffee"),), host=host, selector=labels)
        expected = every_host(taken, task, program, home)
        found = choose(None, task, taken, program, home)  # type: ignore[arg-type]  # asked of hosts unseen alone
        if expected is None:
            assert isinstance(found, Wait)
            assert found.task == task.name
            assert found.why
        else:
            assert found == expected
            taken.take(expected)
