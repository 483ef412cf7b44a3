"""Figures 4 and 5: from a commit to the worker that runs, and from its end to the record of it, under `watch`."""

import random
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.daemon import Daemon, committed_at
from benchmarks.figure import Figure, Goal, Scale
from benchmarks.room import fleet_of
from benchmarks.thousand import meet
from tests.e2e.fleet import Fleet

EVENTS = 200
PATIENCE = 120.0  # seconds for one of them
PAUSE = (0.2, 1.2)  # seconds between two, so that none waits for a tick of another


def measure(scale: Scale) -> Iterator[Figure]:
    """One commit after the other, each with a task for the one host, which writes down when it runs."""
    count = scale.pick(EVENTS, 6)
    begun, known = [], []
    with fleet_of(1, interval="10m") as (fleet, _), Daemon(fleet) as daemon:
        meet(fleet, daemon, 1)
        pauses = random.Random(4)  # the same in every run
        for number in range(count):
            name = f"event{number}"
            committed, times = event(fleet, daemon, name)
            begun.append((times[0] - committed) / 1e9)
            known.append((daemon.ended()[name] - times[1]) / 1e9)
            time.sleep(pauses.uniform(*PAUSE))
    first, second = (Goal(0.3), Goal(1.0, worst=True)), (Goal(1.0),)
    yield Figure(4, f"commit → worker running, {count} times", "s", tuple(begun), goals=first, key="commit-running")
    yield Figure(5, f"worker ended → on record, {count} times", "s", tuple(known), goals=second, key="ended-known")


def event(fleet: Fleet, daemon: Daemon, name: str) -> tuple[int, list[int]]:
    """When the task was committed, when its worker ran and when that ended, in ns since the epoch."""
    place = fleet.room / f"{name}.times"
    fleet.task(name, f'{{ echo "$EPOCHREALTIME"; sleep 0.1; echo "$EPOCHREALTIME"; }} >{place}')
    already = len(daemon.ended())
    fleet.commit()
    committed = committed_at(fleet)
    daemon.wait_for(already + 1, PATIENCE)
    return committed, _read(place)


def _read(place: Path) -> list[int]:
    """bash's microseconds as nanoseconds."""
    return [int(line.replace(".", "")) * 1000 for line in place.read_text().split()]
