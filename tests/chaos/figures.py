"""What a chaos amounts to: one line, and a table of how long it took to converge after each kind of fault."""

from collections import defaultdict
from dataclasses import dataclass, field
from math import ceil


@dataclass
class Figures:
    """Counted over all rounds; seconds."""

    converged: list[float] = field(default_factory=list)
    after: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    neighbours: list[float] = field(default_factory=list)  # to start a task beside a frozen host

    def round(self, faults: list[str], seconds: float) -> None:
        """A round had these faults, and converged in that time after the last of them."""
        self.converged.append(seconds)
        for kind in faults:
            self.after[kind].append(seconds)

    def faults(self) -> int:
        """How many there were."""
        return sum(len(times) for times in self.after.values())

    def table(self) -> str:
        """A line for every kind of fault."""
        lines = [f"{'fault':36} {'times':>6} {'p50 s':>7} {'p99 s':>7}"]
        for kind, times in sorted(self.after.items()):
            lines.append(f"{kind:36} {len(times):6} {percentile(times, 50):7.1f} {percentile(times, 99):7.1f}")
        return "\n".join(lines)


def percentile(values: list[float], percent: float) -> float:
    """The smallest value that so many percent do not exceed; 0 of nothing."""
    ordered = sorted(values)
    return ordered[max(0, ceil(len(ordered) * percent / 100) - 1)] if ordered else 0.0
