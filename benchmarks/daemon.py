"""A real `reconciler watch` in a process of its own: what it tells, and when; what it costs."""

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reconciler.wake.requests import ask
from tests.e2e.fleet import Fleet
from tests.e2e.watching import Watch, ssh_of
from tests.waiting import until

TICK = os.sysconf("SC_CLK_TCK")


class Daemon(Watch):
    """A daemon whose events are kept with the time (ns since the epoch) at which they could be read."""

    def __init__(self, fleet: Fleet) -> None:
        super().__init__(fleet, "--log-format", "json")
        self.told: list[tuple[int, dict[str, Any]]] = []

    def _read(self) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            self.told.append((time.time_ns(), json.loads(line)))
            self.lines.append(line.rstrip())

    def ended(self) -> dict[str, int]:
        """Task → when it was told that its run has ended."""
        return {entry["task"]: at for at, entry in list(self.told) if entry["type"] == "ended"}

    def wait_for(self, count: int, timeout: float) -> int:
        """Wait until that many tasks have ended well; gives when the last was told (ns). Raises RuntimeError."""

        def over() -> bool:
            if self.process.poll() is not None or any(entry["type"] == "failed" for _, entry in list(self.told)):
                raise RuntimeError(f"the daemon says: {self.log[-800:]}")
            return len(self.ended()) >= count

        until(over, timeout=timeout, every=0.05)
        return max(self.ended().values())

    def cycle(self) -> None:
        """Every host is asked and everything decided, as `reconcile` beside the daemon does. Raises RuntimeError."""
        request = {"allowPrune": False, "wait": False, "timeout": None, "selector": {}}
        answer = ask(next(self.fleet.state.glob("fleets/*")), request)
        if not answer or answer.get("error"):
            raise RuntimeError(f"the daemon answers {answer}: {self.log[-800:]}")

    def cost(self) -> "Cost":
        """What it has cost up to now."""
        connections = [pid for pid, words in ssh_of(self.pid, self.fleet).items()]
        return Cost(
            at=time.monotonic(),
            cpu=_cpu(self.pid, children=True),
            connections_cpu=sum(_cpu(pid) for pid in connections),
            memory=_memory(self.pid),
            connections_memory=sum(map(_memory, connections)),
            connections=len(connections),
        )


@dataclass(frozen=True)
class Cost:
    """Of a daemon, at one moment (monotonic seconds). CPU in seconds since its start, memory (PSS) in bytes.

    `cpu` has the children that it has waited for; `connections`: ssh processes that are open all the time.
    """

    at: float
    cpu: float
    connections_cpu: float
    memory: int
    connections_memory: int
    connections: int


def committed_at(fleet: Fleet) -> int:
    """When (ns since the epoch) the branch got its newest commit."""
    return (fleet.repo / ".git/refs/heads/main").stat().st_mtime_ns


def _cpu(pid: int, *, children: bool = False) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11 : 15 if children else 13])) / TICK


def _memory(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
