"""What schedules found first, each told by itself."""

from dataclasses import replace
from random import Random

import pytest

from reconciler.engine.events import CommitSeen
from reconciler.engine.goals import settled
from reconciler.model.change import Action
from reconciler.model.desired import Desired
from reconciler.model.fleet import Fleet
from reconciler.model.host import Host
from reconciler.model.run import State
from reconciler.model.task import Retries, Step, Task
from tests.simulation.controller import Controller
from tests.simulation.edits import commit
from tests.simulation.faults import YEAR
from tests.simulation.fleets import RETENTION, digest
from tests.simulation.machine import SUPERVISOR, WORKER
from tests.simulation.schedule import Calm
from tests.simulation.world import World


@pytest.fixture
def world() -> World:
    """Two hosts with a slot each; `a` is tried twice, `b` once."""
    hosts = {name: Host(name, address=f"m{name[1:]}", slots=1) for name in ("h1", "h2")}
    tasks = {
        "a": Task("a", (Step(digest("a")),), script="true", retries=Retries(1, 5, 20)),
        "b": Task("b", (Step(digest("b")),), script="true"),
    }
    fleet = Fleet("simulated", "simulated-fleet", retention=RETENTION)
    world = World(Random(1), Desired("", fleet, hosts, tasks))
    world.controller()
    return world


@pytest.fixture
def boss(world: World) -> Controller:
    return world.controllers[0]


def calls(boss: Controller) -> None:
    """Everything that is under way is carried out, and its answers are still to come."""
    while boss.process and boss.process.calls:
        boss.carry_out(0)


def hears(boss: Controller) -> None:
    """The answers come in."""
    while boss.process and boss.process.answers:
        boss.hear(0)
    boss.step()


def at_work(world: World, boss: Controller) -> None:
    """Both tasks have a worker that is not done."""
    calm = Calm(world, boss)
    for _ in range(3):
        calm.round(working=True)
    assert len(world.truth.living) == 2


def fail(world: World) -> None:
    """Every worker exits 1."""
    for machine in world.addresses.values():
        for one in [one for one in machine.processes.values() if one.role == WORKER and one.run]:
            machine.exits(one.run, 1)


def test_a_place_leaves_the_books_while_its_lease_is_taken(world: World, boss: Controller) -> None:
    at_work(world, boss)
    hosts = world.origin.desired.hosts
    commit(world, hosts={**hosts, "h2": replace(hosts["h2"], workspace_root="/srv/work")})
    boss.clone.follow()
    boss.round()
    assert boss.process
    boss.process.engine.world.ledger.number_to_take(9, False)  # so that all have to be taken anew
    while "take" not in boss.process.engine.operations.busy.values():
        calls(boss)
        hears(boss)
    assert "h2@m2" in boss.process.engine.hosts.all()
    calls(boss)
    commit(world, hosts={**hosts, "h3": replace(hosts["h2"], name="h3", workspace_root="/srv/work")})
    boss.clone.follow()
    boss.round()
    assert "h2@m2" not in boss.process.engine.hosts.all()
    hears(boss)
    assert boss.process, boss.troubles


def test_an_answer_of_the_old_place_is_not_taken_for_the_new_one(world: World, boss: Controller) -> None:
    boss.start()
    calls(boss)
    hears(boss)
    calls(boss)
    hosts = world.origin.desired.hosts
    commit(world, hosts={**hosts, "h2": replace(hosts["h2"], workspace_root="/srv/work")})
    boss.clone.follow()
    boss.round()
    hears(boss)  # the workspace that was taken lies below the old root
    assert boss.process
    memory = boss.process.engine.world.ledger.memory()
    assert all(one.place.workspace_id == "" for one in memory.hosts.values() if one.place.workspace_root == "/srv/work")


def test_a_look_at_a_former_place_says_nothing_of_what_is_on_its_way_there(world: World, boss: Controller) -> None:
    boss.start()
    for _ in range(2):
        calls(boss)
        hears(boss)
    assert boss.process  # with launches under way
    assert set(boss.process.engine.operations.busy.values()) == {"act"}
    hosts = world.origin.desired.hosts
    commit(world, hosts={**hosts, "h2": replace(hosts["h2"], workspace_root="/srv/work")})
    boss.clone.follow()
    boss.round()
    assert boss.process.engine.operations.busy["h2@m2"] == "look"
    boss.carry_out(2)
    hears(boss)
    for _ in range(2):  # the launches, then the new root
        calls(boss)
        hears(boss)
    ends = {name: run.result for name, run in boss.process.engine.world.ledger.memory().runs.items()}
    assert len(ends) == 2
    assert set(ends.values()) == {None}


def test_a_former_place_is_looked_at_as_soon_as_it_is_one(world: World, boss: Controller) -> None:
    at_work(world, boss)
    assert boss.process
    hosts = world.origin.desired.hosts
    commit(world, hosts={**hosts, "h2": replace(hosts["h2"], workspace_root="/srv/work")})
    boss.clone.follow()
    boss.process.mailbox.put(CommitSeen())
    boss.step()
    assert boss.process.engine.operations.busy == {"h2": "look", "h2@m2": "look"}


def test_a_launch_that_comes_late_finds_no_workspace_that_obeys_it(world: World, boss: Controller) -> None:
    boss.start()
    calls(boss)
    hears(boss)
    calls(boss)
    hears(boss)
    world.weather = {"twice": 1.0}
    calls(boss)  # the launches, of which a copy stays on its way
    world.weather = {}
    hears(boss)
    assert len(world.flying) == 2
    for _ in ("begin", "work"):
        for _, move in world.moves():
            move()
    for machine in world.addresses.values():
        machine.wipe()
    Calm(world, boss).run()  # meanwhile they come
    assert not world.flying
    assert not world.truth.violations
    executed = [one.launch.run for ones in world.truth.executions.values() for one in ones]
    assert len(executed) == len(set(executed))


def test_what_others_acted_on_is_seen_before_their_host_is_acted_on(world: World, boss: Controller) -> None:
    at_work(world, boss)
    fail(world)
    Calm(world, boss).round(working=True)
    world.time += 30
    other = world.controller()
    other.start()
    for _ in range(2):
        calls(other)
        hears(other)
    assert other.process  # it is about to take the hosts, for the next attempt of `a`
    assert set(other.process.engine.operations.busy.values()) == {"take"}
    commit(world, tasks={**world.origin.desired.tasks, "c": Task("c", (Step(digest("c")),), script="true")})
    Calm(world, boss).round(working=True)  # and somebody else acts on a newer commit
    for _ in range(4):
        calls(other)
        hears(other)
    assert not world.truth.violations
    assert other.process.engine.plan.held


def test_nobody_waits_for_a_year_because_a_clock_was_set_back(world: World, boss: Controller) -> None:
    tasks = world.origin.desired.tasks
    commit(world, tasks={"a": replace(tasks["a"], retries=Retries(1, 600, 600)), "b": tasks["b"]})
    at_work(world, boss)
    fail(world)
    for _ in range(2):
        Calm(world, boss).round(working=True)
    boss.skew = -YEAR
    rounds = Calm(world, boss).run()
    assert rounds < 10
    assert not world.truth.violations


def test_a_launch_of_unknown_fate_is_settled_after_the_clock_was_set_back(world: World, boss: Controller) -> None:
    boss.start()
    calls(boss)
    hears(boss)
    calls(boss)
    hears(boss)
    world.weather = {"lost": 1.0}
    calls(boss)
    world.weather = {}
    boss.skew = -YEAR
    hears(boss)
    Calm(world, boss).run()
    assert not world.truth.violations
    assert boss.process
    assert {row.state for row in boss.process.engine.plan.statuses.values()} == {State.SUCCEEDED}


def test_a_retry_starts_although_its_hosts_clock_was_set_back(world: World, boss: Controller) -> None:
    at_work(world, boss)
    for machine in world.addresses.values():
        machine.skew = YEAR
        for one in [one for one in machine.processes.values() if one.role == SUPERVISOR]:
            machine.end(one)
    Calm(world, boss).round(working=True)
    for machine in world.addresses.values():
        machine.skew = 0.0
    assert Calm(world, boss).run() < 10
    assert not world.truth.violations


def test_a_host_that_loses_every_launch_is_tried_twice_a_round(world: World, boss: Controller) -> None:
    boss.start()
    calls(boss)
    hears(boss)
    calls(boss)  # the takes
    hears(boss)
    for _ in range(12):
        world.weather = {"lost": 1.0} if "act" in boss.process.engine.operations.busy.values() else {}  # type: ignore[union-attr]
        calls(boss)
        hears(boss)
    sent = sorted(launch.run for launch in world.truth.sent.values())
    assert sent == [(task, digest(task), attempt) for task in "ab" for attempt in (1, 2)]
    world.weather = {}
    Calm(world, boss).run()
    assert not world.truth.violations


def test_a_rewrite_that_was_approved_is_not_held_again_at_the_next_commit(world: World, boss: Controller) -> None:
    Calm(world, boss).run()
    first = max(world.origin.commits)
    tasks = world.origin.desired.tasks
    commit(world, tasks={**tasks, "c": Task("c", (Step(digest("c")),), script="true")})
    other = world.controller()
    Calm(world, other).run()  # acts at a commit that a push by force then throws away
    for one in world.controllers:
        one.kill()
    world.origin.push(replace(world.origin.desired, tasks=tasks), parent=first)
    boss.allow_prune = True  # nothing of `c` is on its books, so that nothing has to be done for it
    boss.clone.follow()
    Calm(world, boss).round()
    boss.kill()
    boss.allow_prune = False
    commit(world, tasks={**tasks, "d": Task("d", (Step(digest("d")),), script="true")})
    Calm(world, boss).run()
    assert boss.process
    assert not boss.process.engine.plan.held, boss.process.engine.plan.held_why
    assert not world.truth.violations


def test_who_waits_does_not_wait_for_an_end_that_is_held(world: World, boss: Controller) -> None:
    at_work(world, boss)
    tasks = world.origin.desired.tasks
    hosts = {name: replace(host, slots=2) for name, host in world.origin.desired.hosts.items()}
    commit(world, hosts=hosts, tasks={**tasks, "c": Task("c", (Step(digest("c")),), script="true")})
    other = world.controller()
    Calm(world, other).round(working=True)
    other.kill()
    boss.kill()
    boss.clone.following = False  # it does not have the commit that the hosts were acted on at
    for machine in world.addresses.values():
        machine.reboot()
    Calm(world, boss).round(working=True)
    assert boss.process
    engine = boss.process.engine
    assert {change.action for change in engine.plan.held} >= {Action.SETTLE}
    assert settled(engine, {})
