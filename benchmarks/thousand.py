"""Figure 3: many tasks in one commit to many hosts, until all have succeeded and that is on record."""

import time
from collections.abc import Iterator

from benchmarks.daemon import Daemon, committed_at
from benchmarks.figure import Figure, Goal, Scale
from benchmarks.peers.slurm import slurm
from benchmarks.room import SLOTS, add_tasks, fleet_of, folder
from tests.e2e.fleet import Fleet

SIZES = ((10, 100), (30, 300), (100, 1000))  # hosts, tasks
PATIENCE = 900.0
FLUX = 253.0  # seconds for 1,000 objects, "mean time to production" in Flux's own benchmark


def measure(scale: Scale) -> Iterator[Figure]:
    """Each size once, and Slurm with as many slots; the growth from one to the next is part of the figure."""
    before: tuple[float, ...] | None = None
    for hosts, tasks in SIZES[: scale.pick(3, 1)]:
        ours = (push(hosts, tasks),)
        others: dict[str, tuple[float, ...] | None] = {}
        goals: tuple[Goal, ...] = ()
        if (hosts, tasks) == SIZES[-1]:
            goals = (Goal(30.0),)
            others["Flux, as published"] = (FLUX,)
        with folder() as room, slurm(room, hosts * SLOTS) as peer:
            others["Slurm, sbatch each"] = (peer.submit(tasks),) if peer else None
            others["Slurm, one array"] = (peer.array(tasks),) if peer else None
        if before:
            others["the size before"] = before
        what = f"{tasks:,} tasks in one commit to {hosts} hosts, all on record"
        yield Figure(3, what, "s", ours, others, goals, key=f"push-{tasks}")
        before = ours


def push(hosts: int, tasks: int) -> float:
    """Seconds from the commit to the record of the last success, with a daemon that has met all hosts."""
    with fleet_of(hosts, interval="10m") as (fleet, _), Daemon(fleet) as daemon:
        meet(fleet, daemon, hosts)
        return push_tasks(fleet, daemon, tasks)


def meet(fleet: Fleet, daemon: Daemon, hosts: int) -> None:
    """A first task on every host, after which its connections and doorbells are open."""
    for number in range(1, hosts + 1):
        fleet.task(f"first{number}", "true")
    fleet.commit()
    daemon.wait_for(hosts, PATIENCE)
    time.sleep(3)  # until the last doorbell is open
    daemon.cycle()


def push_tasks(fleet: Fleet, daemon: Daemon, tasks: int) -> float:
    """The same for a fleet that is there; its hosts have been met."""
    already = len(daemon.ended())
    add_tasks(fleet, tasks)
    fleet.commit()
    last = daemon.wait_for(already + tasks, PATIENCE)
    phases = list(fleet.phases().values())
    if phases.count("Succeeded") != already + tasks:
        raise RuntimeError(f"only {phases.count('Succeeded')} of {already + tasks} succeeded")
    return (last - committed_at(fleet)) / 1e9
