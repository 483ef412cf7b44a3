"""Figures 6 and 10: what a daemon costs while nothing happens."""

import time
from collections.abc import Iterator

from benchmarks.daemon import Cost, Daemon
from benchmarks.figure import Figure, Goal, Scale
from benchmarks.room import fleet_of
from benchmarks.thousand import meet, push_tasks
from benchmarks.turns import take_turns, timed

SIZES = ((20, 200), (100, 1000))  # hosts, tasks
MINUTES = 10
CYCLES = 1_000
HEAT = 20  # seconds after which what a push has left behind is over
MIB = 1 << 20


def measure(scale: Scale) -> Iterator[Figure]:
    """With everything done, at the default interval: rounds, minutes in which nobody asks, and many rounds more."""
    for hosts, tasks in SIZES[: scale.pick(2, 1)]:
        with fleet_of(hosts) as (fleet, _), Daemon(fleet) as daemon:
            meet(fleet, daemon, hosts)
            push_tasks(fleet, daemon, tasks)
            time.sleep(scale.pick(HEAT, 5))
            about = f"{tasks:,} finished tasks on {hosts} hosts"
            cycles = take_turns(scale.pick(10, 3), {"ours": timed(daemon.cycle)})["ours"]
            assert cycles
            goal = (Goal(2.0),) if (hosts, tasks) == SIZES[-1] else ()
            yield Figure(6, f"cycle without changes, {about}", "s", cycles, goals=goal, key=f"cycle-{hosts}")
            before = daemon.cost()
            time.sleep(scale.pick(60 * MINUTES, 12))
            yield from costs(hosts, tasks, before, daemon.cost())
            yield growth(daemon, hosts, scale.pick(CYCLES, 20))


def growth(daemon: Daemon, hosts: int, cycles: int) -> Figure:
    """What a daemon holds after that many cycles without changes more than before."""
    before = daemon.cost().memory
    for _ in range(cycles):
        daemon.cycle()
    grown = ((daemon.cost().memory - before) / MIB,)
    what = f"memory that {cycles:,} cycles added, {hosts} hosts"
    return Figure(10, what, "MiB", grown, goals=(Goal(1.0),), key=f"growth-{hosts}")


def costs(hosts: int, tasks: int, before: Cost, after: Cost) -> Iterator[Figure]:
    """What two looks at an idle daemon say of the time between them."""
    percent = 100 / (after.at - before.at)
    processor = (after.cpu - before.cpu) * percent
    goal = (Goal(hosts / 20),)
    yield Figure(
        6, f"CPU of the idle daemon, {hosts} hosts", "% of a core", (processor,), goals=goal, key=f"cpu-{hosts}"
    )
    open_ones = (max(0.0, after.connections_cpu - before.connections_cpu) * percent,)
    what = f"CPU of its {after.connections} ssh that stay open"
    yield Figure(6, what, "% of a core", open_ones, key=f"cpu-connections-{hosts}")
    memory = (after.memory / MIB,)
    what = f"memory of the daemon, {tasks:,} tasks, {hosts} hosts"
    yield Figure(10, what, "MiB", memory, goals=(Goal(150.0),), key=f"memory-{hosts}")
    what = f"memory of its {after.connections} ssh that stay open"
    yield Figure(10, what, "MiB", (after.connections_memory / MIB,), key=f"memory-connections-{hosts}")
