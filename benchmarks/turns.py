"""Measures that take turns, A B A B …, so that whatever else the machine does hits all of them."""

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence

Wall = Callable[[], float]  # does something once; returns how many seconds it took


def take_turns(
    rounds: int, measures: Mapping[str, Wall | None], *, warm: int = 1
) -> dict[str, tuple[float, ...] | None]:
    """Samples by name; None for what is None. The first `warm` rounds do not count."""
    samples: dict[str, list[float]] = {name: [] for name, measure in measures.items() if measure}
    for number in range(warm + rounds):
        for name in samples:
            measure = measures[name]
            assert measure
            seconds = measure()
            if number >= warm:
                samples[name].append(seconds)
    return {name: tuple(samples[name]) if measures[name] else None for name in measures}


def timed(action: Callable[[], object]) -> Wall:
    """A measure of how long `action` takes."""

    def measure() -> float:
        began = time.perf_counter()
        action()
        return time.perf_counter() - began

    return measure


def in_parallel(commands: Sequence[Sequence[str]], environment: Mapping[str, str] | None = None) -> None:
    """Start all at once and wait for all: the least that anything which asks every host can cost.

    Raises RuntimeError when one fails.
    """
    started = [
        subprocess.Popen(
            words, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        for words in commands
    ]
    for process in started:
        _, errors = process.communicate()
        if process.returncode:
            raise RuntimeError(f"{process.args!r}: {errors.decode(errors='replace')}")
