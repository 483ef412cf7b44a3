"""One row of the table: what was measured, beside what, and how good it has to be. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any

MANY = 20  # samples from which on the worst of a hundred means something


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured: everything, or (`quick`) as much as two minutes allow."""

    quick: bool = False

    def pick(self, full: int, quick: int) -> int:
        """Takes both sizes; returns the one that holds."""
        return quick if self.quick else full


@dataclass(frozen=True, slots=True)
class Goal:
    """At most `limit`; with `against`, that many times what the other of this name took, `plus` so much."""

    limit: float
    against: str = ""
    plus: float = 0.0
    worst: bool = False  # the 99th percentile, not the median

    def words(self, unit: str) -> str:
        """As people read it."""
        if self.against and self.limit < 1 and not self.plus:
            return f"{1 / self.limit:.3g} × faster"
        more = f" + {amount(self.plus, unit)}" if self.plus else ""
        value = f"{self.limit:.3g} ×" if self.against else amount(self.limit, unit)
        return f"{'p99 ' if self.worst else ''}≤ {value}{more}"


@dataclass(frozen=True, slots=True)
class Figure:
    """Samples of ours and of others, in `unit`; an other that is not installed has None.

    `number`: in the table of docs/performance.md; `key`: what plots and docs find it by, of several with one number.
    """

    number: int
    what: str
    unit: str
    ours: tuple[float, ...]
    others: Mapping[str, tuple[float, ...] | None] = field(default_factory=dict)
    goals: tuple[Goal, ...] = ()
    key: str = ""

    @property
    def median(self) -> float:
        """Of ours."""
        return median(self.ours)

    @property
    def worst(self) -> float:
        """The 99th percentile of ours; the largest of a few."""
        return percentile(self.ours, 0.99)

    def other(self, name: str) -> float | None:
        """The median of an other; None when it is not installed."""
        samples = self.others[name]
        return median(samples) if samples else None

    def ratio(self, name: str) -> float | None:
        """Ours in terms of an other."""
        other = self.other(name)
        return self.median / other if other else None

    def reached(self, goal: Goal) -> bool | None:
        """None when nobody knows: what it is compared with is not installed."""
        ours = self.worst if goal.worst else self.median
        if not goal.against:
            return ours <= goal.limit + goal.plus
        other = self.other(goal.against)
        return None if other is None else ours <= goal.limit * other + goal.plus

    def document(self) -> dict[str, Any]:
        """As JSON has it, for docs and plots."""
        return {
            "number": self.number,
            "key": self.key,
            "what": self.what,
            "unit": self.unit,
            "median": self.median,
            "p99": self.worst,
            "samples": list(self.ours),
            "others": {
                name: {"median": self.other(name), "ratio": self.ratio(name), "samples": list(samples)}
                if samples
                else None
                for name, samples in self.others.items()
            },
            "goals": [
                {"words": goal.words(self.unit), "against": goal.against, "reached": self.reached(goal)}
                for goal in self.goals
            ],
        }


def percentile(samples: tuple[float, ...], share: float) -> float:
    """The smallest sample that `share` of all do not exceed."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def amount(value: float, unit: str) -> str:
    """A measured value with its unit, to three digits: `12.3 ms`, `1.2 s`, `140 MiB`."""
    if unit == "s" and value < 1:
        value, unit = value * 1000, "ms"
    number = f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    return f"{number} {unit}"
