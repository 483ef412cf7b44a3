"""Which fault points there are, which of them a run of the tests takes, and which were met."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from tests.remote.faults import instrument
from tests.remote.faults.experiment import Fault, FaultyHost

ALL = os.environ.get("RECONCILER_FAULTS") == "all"
ROLES = frozenset({"supervise", "work", "qa", "reap", "remove"})  # of processes that outlive the call


MET = Path(__file__).with_name("met.txt")  # lines that a scenario is known to reach; `make faults` adds to it


def described(place: tuple[str, int]) -> str:
    """A line as it is written down: its number would change with every edit."""
    file, number = place
    return f"{file}: {instrument.writing(file)[number]}"


@cache
def points(text: str) -> dict[int, tuple[str, int]]:
    return instrument.text(text).points()


def line(fault: Fault) -> tuple[str, int]:
    """The file and the line in it where a fault is met."""
    text, _, number = fault.place.partition("<")[0].partition(":")
    return points(text)[int(number)]


def words(fault: Fault) -> str:
    """What stands in the line where a fault is met."""
    file, number = line(fault)
    return instrument.writing(file)[number]


@dataclass
class Ledger:
    """Lines are counted once, however many texts they are part of."""

    met: set[tuple[str, int]] = field(default_factory=set)
    taken: set[tuple[str, str, int]] = field(default_factory=set)
    kinds: Counter[str] = field(default_factory=Counter)

    def choose(self, found: Sequence[Fault]) -> list[Fault]:
        """All of them; in CI every line once in calls and in each role of a supervisor, with the kinds of faults by turns."""
        assert found
        if ALL:
            return list(found)
        chosen = []
        for place in dict.fromkeys(map(self._place, found)):
            if place not in self.taken:
                self.taken.add(place)
                here = [fault for fault in found if self._place(fault) == place]
                chosen.append(here[len(self.taken) % len(here)])
        return chosen

    def _place(self, fault: Fault) -> tuple[str, str, int]:
        return (fault.role if fault.role in ROLES else "call", *line(fault))

    def note(self, host: FaultyHost, planned: Mapping[str, Fault]) -> None:
        """What was met of what was planned, by the name of the run or call."""
        for name, fault in planned.items():
            if (host.faults / "fired" / name).exists():
                self.kinds[fault.kind] += 1
                self.met.add(line(fault))

    def report(self) -> str:
        """The line that tells how much was covered, and one for everything that was not."""
        existing = instrument.everything()
        kinds = " ".join(f"{kind}={count}" for kind, count in sorted(self.kinds.items()))
        first = f"lines_covered={len(self.met & existing)} existing={len(existing)} faults={self.kinds.total()} {kinds}"
        return "\n".join((first, *(f"  not covered: {file}:{number}" for file, number in self.missing())))

    def missing(self) -> list[tuple[str, int]]:
        """Lines that write and at which no fault was met."""
        return sorted(instrument.everything() - self.met)

    def record(self) -> None:
        """Writes down what was met, beside what earlier runs have met and is still there."""
        existing = set(map(described, instrument.everything()))
        met = (set(MET.read_text().splitlines()) | set(map(described, self.met))) & existing
        MET.write_text("".join(f"{one}\n" for one in sorted(met)))
