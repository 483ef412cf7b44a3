"""A long run: cycles of a real daemon on real hosts, and a count of everything now and then."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reconciler.wake.requests import ask
from tests.e2e.fleet import Fleet
from tests.e2e.watching import Watch
from tests.machines.cluster import Cluster
from tests.soak.census import Counts, Places, count
from tests.soak.story import Story, give_token, host_yaml

ROOT = Path(__file__).parents[2]
HOSTS = 2


@dataclass
class Soak:
    """What came of it."""

    seed: int
    cycles: int = 0
    seconds: float = 0.0
    samples: list[Counts] = field(default_factory=list)
    inside: list[dict[str, Any]] = field(default_factory=list)
    events: dict[str, int] = field(default_factory=dict)


class Daemon(Watch):
    """A watch that can be counted, with a temporary folder of its own."""

    def __init__(self, fleet: Fleet, places: Places) -> None:
        super().__init__(fleet)
        places.temporary.mkdir(exist_ok=True)
        path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        fleet.environment |= {"TMPDIR": str(places.temporary), "SOAK_CENSUS": str(places.census), "PYTHONPATH": path}

    def __enter__(self) -> "Daemon":
        real = self.fleet.start
        self.fleet.start = lambda *words: _start(self.fleet, *words)  # type: ignore[method-assign]
        try:
            super().__enter__()
        finally:
            self.fleet.start = real  # type: ignore[method-assign]
        return self

    def cycle(self, *, wait: bool = False, timeout: float = 20) -> dict[str, Any]:
        """Every host is asked, and everything decided and done that this brings; the daemon says when it is over."""
        folder = next(self.fleet.state.glob("fleets/*"))
        request = {"allowPrune": True, "wait": wait, "timeout": timeout, "selector": {}}
        answer = ask(folder, request)
        assert answer is not None, f"the daemon does not listen: {self.log[-3000:]}"
        return answer


def _start(fleet: Fleet, *words: str) -> Any:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.soak.daemon", *words],
        cwd=fleet.repo,
        env=fleet.env(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def soak(room: Path, cycles: int, seed: int, *, every: int) -> Iterator[Soak]:
    """Run `cycles` cycles, count everything after each `every` of them; gives the same Soak after each count."""
    with Cluster() as cluster:
        machines = cluster.add(HOSTS)
        fleet = Fleet(room)
        fleet.fleet(interval="5s", retention={"age": "20s", "runs": 3}, prune={"maxCount": 50, "maxPercent": 100})
        for machine in machines:
            fleet.write(f"hosts/{machine.name}.yaml", host_yaml(machine))
        fleet.commit()
        give_token(fleet, "the-first-token")
        places = Places(room / "tmp", room / "census.json")
        outcome, began = Soak(seed), time.monotonic()
        with Daemon(fleet, places) as daemon:
            story = Story(fleet, machines, daemon, seed)
            try:
                for cycle in range(1, cycles + 1):
                    story.next(cycle)
                    daemon.cycle()
                    outcome.cycles = cycle
                    if cycle % every == 0:
                        story.calm()
                        daemon.cycle(wait=True, timeout=60)
                        time.sleep(1)
                        daemon.cycle()
                        counts, inside = count(daemon, machines, places)
                        outcome.samples.append(counts)
                        outcome.inside.append(inside)
                        outcome.events, outcome.seconds = dict(story.done), time.monotonic() - began
                        daemon.lines.clear()
                        fleet.git("gc", "--quiet", "--auto")
                        yield outcome
            finally:
                story.close()
