"""Stories without any trouble but one: the controller is killed at one effect boundary, at each of them in turn."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

from reconciler.model.agent import Agent
from reconciler.model.desired import Desired
from reconciler.model.fleet import Fleet
from reconciler.model.host import Drain, Host
from reconciler.model.project import Project
from reconciler.model.task import AgentRef, Retries, Step, Task
from tests.simulation.edits import alter_host, alter_task, commit
from tests.simulation.fleets import RETENTION, digest
from tests.simulation.machine import SUPERVISOR, WORKER
from tests.simulation.schedule import Calm
from tests.simulation.world import World

Chapter = Callable[[World], object]


@dataclass(frozen=True)
class Told:
    """What became of one telling: `boundaries` is how many effects it had."""

    boundaries: int
    violations: tuple[str, ...]


def tell(story: Sequence[Chapter], kill_at: int | None, seed: int) -> Told:
    """Tell a story, with the controller killed at one boundary (never when None). `seed`: what of it still arrives."""
    world = World(Random(seed), _fleet())
    boss = world.controller()
    boss.allow_prune = True
    boss.kill_at = kill_at
    for chapter in (lambda world: None, *story):
        chapter(world)
        if chapter in MIDWAY:
            continue
        calm = Calm(world, boss)
        calm.run()
    return Told(boss.boundary, tuple(world.truth.violations))


def _fleet() -> Desired:
    hosts = {name: Host(name, address=f"m{name[1:]}", slots=2) for name in ("h1", "h2")}
    tasks = {
        "a": Task("a", (Step(digest("a")),), script="true", retries=Retries(1, 5, 20)),
        "b": Task("b", (Step(digest("b")),), script="true", depends_on=("a",)),
        "d": Task(
            "d",
            (Step(digest("d")), Step(digest("more"), "more")),
            project="web",
            agent=AgentRef("crew"),
            prompt="Work.",
        ),
    }
    agents = {"crew": Agent("crew", "command", command=("crew",))}
    fleet = Fleet("simulated", "simulated-fleet", retention=RETENTION)
    return Desired("", fleet, hosts, tasks, {"web": Project("web", "git@example:web")}, agents)


def _task(name: str, **changes: object) -> Chapter:
    return lambda world: alter_task(world, name, **changes)


def _host(name: str, **changes: object) -> Chapter:
    return lambda world: alter_host(world, name, **changes)


def _without(*names: str) -> Chapter:
    def change(world: World) -> None:
        commit(world, tasks={name: task for name, task in world.origin.desired.tasks.items() if name not in names})

    return change


def _remove(world: World) -> None:
    commit(world, hosts={"h1": world.origin.desired.hosts["h1"]})


def _rename(world: World) -> None:
    hosts = dict(world.origin.desired.hosts)
    commit(world, hosts={"h1": hosts["h1"], "h9": replace(hosts["h2"], name="h9")})


def _add(world: World) -> None:
    task = Task("new", (Step(digest("new")),), script="true", retries=Retries(1, 5, 20))
    commit(world, tasks={**world.origin.desired.tasks, "new": task})


def _started(world: World) -> None:
    """A new task is at work: its worker is not done yet."""
    _add(world)
    boss = world.controllers[0]
    calm = Calm(world, boss)
    for _ in range(4):
        if any(one.role == WORKER for machine in world.addresses.values() for one in machine.processes.values()):
            return
        calm.round(working=True)


def _every(role: str, what: Callable[..., object]) -> Chapter:
    def happens(world: World) -> None:
        for machine in world.addresses.values():
            for one in [one for one in machine.processes.values() if one.role == role]:
                what(machine, one)

    return happens


MIDWAY = {_started}  # what comes next finds it at work
_fails = _every(WORKER, lambda machine, one: machine.exits(one.run, 1))
_orphaned = _every(SUPERVISOR, lambda machine, one: machine.end(one))


def _reboot(world: World) -> None:
    for machine in world.addresses.values():
        machine.reboot()


def _wiped(world: World) -> None:
    world.addresses["m2"].wipe()


STORIES: Mapping[str, Sequence[Chapter]] = {
    "launched, collected": (),
    "edited": (_task("a", steps=(Step(digest("other")),)),),
    "edited while it runs": (_started, _task("new", steps=(Step(digest("other")),))),
    "closed while it runs": (_started, _task("new", closed=True)),
    "deleted while it runs": (_started, _without("new")),
    "deleted": (_without("b", "d"),),
    "a follow-up": (_task("d", steps=tuple(Step(digest(word), word) for word in ("d", "more", "most"))),),
    "failed, retried": (_started, _fails),
    "supervisors killed alone": (_started, _orphaned),
    "rebooted": (_started, _reboot),
    "drained at once": (_started, _host("h1", drain=Drain(0))),
    "host renamed": (_started, _rename),
    "workspace root changed": (_started, _host("h2", workspace_root="/srv/work")),
    "host removed": (_started, _remove),
    "host wiped": (_started, _wiped),
}
