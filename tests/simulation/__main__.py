"""`python -m tests.simulation --count 50000 --seed 7`: many schedules on all cores, and one line of what came of it."""

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from tests.simulation.schedule import Verdict, run

PORTION = 100  # schedules that a worker does before it reports


@dataclass
class Sum:
    """What many schedules came to."""

    seed: int
    schedules: int = 0
    steps: int = 0
    boundaries: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    rounds: Counter[int] = field(default_factory=Counter)  # until all was at rest -> schedules
    broken: list[Verdict] = field(default_factory=list)

    def add(self, verdict: Verdict) -> None:
        """One more."""
        self.schedules += 1
        self.steps += verdict.steps
        self.boundaries += verdict.boundaries
        self.faults.update(verdict.faults)
        self.rounds[verdict.rounds] += 1
        if verdict.violations:
            self.broken.append(verdict)

    def within(self, share: float) -> int:
        """In how many rounds that share of the schedules came to rest."""
        left = share * self.schedules
        for rounds, count in sorted(self.rounds.items()):
            left -= count
            if left <= 0:
                return rounds
        return max(self.rounds, default=0)

    def line(self) -> str:
        """For a log: the same words whatever happened."""
        return (
            f"schedules={self.schedules} steps={self.steps} boundaries={self.boundaries} "
            f"faults={sum(self.faults.values())} kinds={sum(1 for count in self.faults.values() if count)} "
            f"rest_p50={self.within(0.5)} rest_p99={self.within(0.99)} violations={len(self.broken)} seed={self.seed}"
        )


def simulate(count: int, seed: int, workers: int | None = None) -> Iterator[Sum]:
    """Run the schedules `seed`·10⁹ and following; gives the sum so far after each portion."""
    first, total = seed * 1_000_000_000, Sum(seed)
    portions = [range(first + at, first + min(at + PORTION, count)) for at in range(0, count, PORTION)]
    with ProcessPoolExecutor(workers or os.cpu_count()) as pool:
        for verdicts in pool.map(_portion, portions):
            for verdict in verdicts:
                total.add(verdict)
            yield total


def _portion(seeds: Sequence[int]) -> list[Verdict]:
    return [run(seed) for seed in seeds]


def main() -> int:
    """0 when no promise was broken, else 1."""
    parser = argparse.ArgumentParser(prog="make simulate", description=__doc__)
    parser.add_argument("--count", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--replay", type=int, help="tell what happens in the schedule of one seed, step by step")
    parser.add_argument("--faults", action="store_true", help="list how often each kind of fault struck")
    asked = parser.parse_args()
    if asked.replay is not None:
        verdict = run(asked.replay, trace=True)
        print("\n".join([*verdict.trace, *verdict.violations]))
        return bool(verdict.violations)
    total, told = Sum(asked.seed), 0.0
    for total in simulate(asked.count, asked.seed):
        if sys.stderr.isatty() and time.monotonic() - told > 1:
            told = time.monotonic()
            print(f"\r{total.line()}", end="", file=sys.stderr, flush=True)
    for verdict in total.broken[:20]:
        print(f"\nseed {verdict.seed} (make simulate REPLAY={verdict.seed}): {verdict.violations[0]}")
    if asked.faults:
        for kind, count in sorted(total.faults.items()):
            print(f"  {count:8}  {kind}")
    print(total.line())
    return bool(total.broken)


if __name__ == "__main__":
    sys.exit(main())
