"""Figure 1: what it costs a daemon to look at all hosts, and to decide that nothing is to be done."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from benchmarks.figure import Figure, Goal, Scale
from benchmarks.peers.ansible import Ansible
from benchmarks.peers.pyinfra import Pyinfra
from benchmarks.room import finish_tasks, fleet_of
from benchmarks.turns import in_parallel, take_turns, timed
from reconciler.cli.context import Context
from reconciler.cli.opening import controller, open_fleet
from reconciler.clock import now
from reconciler.engine.engine import Engine
from reconciler.model.change import Options
from reconciler.remote.masters import Masters
from reconciler.remote.ssh import Settings, door
from reconciler.wake.bells import Bells
from tests.e2e.fleet import Fleet
from tests.waiting import until

HOSTS = 20


def measure(scale: Scale) -> Iterator[Figure]:
    """A round of a daemon that has connections open, beside `ssh HOST true` over the same ones."""
    with fleet_of(HOSTS) as (fleet, hosts), daemon(fleet) as engine:
        ansible, pyinfra = Ansible(fleet.room, hosts), Pyinfra(fleet.room, hosts)
        bare = bare_commands(engine)
        measures = {"ours": timed(lambda: look(engine)), "bare ssh": timed(lambda: in_parallel(bare))}
        near = take_turns(scale.pick(30, 10), measures, warm=3)
        tools = {"ansible raw": ansible.run and timed(ansible.run), "pyinfra exec": pyinfra.run and timed(pyinfra.run)}
        far = take_turns(scale.pick(7, 2), tools)
        ansible.hang_up()
        ours = near.pop("ours")
        assert ours
        goals = (Goal(1.5, "bare ssh"), Goal(1 / 5, "ansible raw"), Goal(1 / 5, "pyinfra exec"))
        yield Figure(1, f"warm look at {HOSTS} hosts", "s", ours, {**near, **far}, goals, key="warm")


@contextmanager
def daemon(fleet: Fleet) -> Iterator[Engine]:
    """The controller of a daemon, in this process, with every doorbell open; a task has succeeded on each host."""
    finish_tasks(fleet, len(list((fleet.repo / "hosts").iterdir())))
    context = Context(repo=str(fleet.repo), state_dir=fleet.state)
    opened = open_fleet(context)
    with controller(context, opened, "watch") as world:
        engine = Engine(world, opened.wanted, Options(), now)
        look(engine)
        bells = Bells(world.remote, world.ledger.id, lambda *_: None)
        bells.keep(engine.hosts.reachable())
        try:
            until(lambda: len(bells.open) == len(engine.hosts.all()), timeout=60)
            yield engine
        finally:
            bells.close()


def look(engine: Engine) -> None:
    """A round: every host is asked, everything decided and recorded."""
    engine.round()
    engine.step(1)
    while not engine.resting():
        engine.step(1)
    engine.save()


def bare_commands(engine: Engine) -> Sequence[Sequence[str]]:
    """`ssh HOST true` for every host of this engine, over the connections that it has open."""
    state = engine.world.ledger.path.parent
    doors = [door(host, Settings(state)) for host in engine.hosts.all().values()]
    masters = Masters(state)
    return [[*one.argv(masters.socket(one), "-T"), "true"] for one in doors]
