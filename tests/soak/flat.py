"""Whether numbers that were taken now and then stay where they are."""

from collections.abc import Mapping, Sequence
from statistics import median

WARM_UP = 0.3  # of the samples: caches fill, the first of everything is made

# By how much a number may grow from the first to the last of what is left: so much, or this part of it.
BOUNDS: Mapping[str, tuple[float, float]] = {
    "rss_but_runs": (2048, 0.05),  # KiB
    "objects": (500, 0.01),  # but for what is remembered
    "fds": (2, 0),
    "threads": (2, 0),
    "children": (2, 0),
    "zombies": (0, 0),
    "gc_off": (0, 0),
    "masters": (0, 0),
    "sockets": (0, 0),
    "temporary": (1, 0),
    "shm": (2, 0),
    "archived": (40, 0.1),
    "state_files": (4, 0),
    "ssh_bytes": (0, 0.02),
    "hosts": (0, 0),
    "documents": (4, 0),
    "wal": (1 << 22, 0.1),
    "host_processes": (4, 0),
    "host_sshds": (4, 0),
    "host_files": (60, 0.1),
    "trash": (8, 0),
    "bell": (1 << 16, 0),
}


# Those that a short run can be judged by: no sizes, and nothing that fills up to what the retention allows.
SOON = {
    name: bound
    for name, bound in BOUNDS.items()
    if name not in ("rss_but_runs", "objects", "shm", "wal", "archived", "documents", "host_files", "bell")
}


def growth(values: Sequence[float]) -> float:
    """How much a straight line through what comes after the warm-up rises from its begin to its end."""
    rest = list(values[int(len(values) * WARM_UP) :])
    if len(rest) < 2:
        return 0.0
    middle, mean = (len(rest) - 1) / 2, sum(rest) / len(rest)
    spread = sum((index - middle) ** 2 for index in range(len(rest)))
    slope = sum((index - middle) * (value - mean) for index, value in enumerate(rest)) / spread
    return slope * (len(rest) - 1)


def rising(samples: Sequence[Mapping[str, int]], bounds: Mapping[str, tuple[float, float]] = BOUNDS) -> dict[str, str]:
    """What grew by more than it may, and how: name → the sentence."""
    found = {}
    for name, (most, part) in bounds.items():
        values = [sample[name] for sample in samples]
        rose, level = growth(values), median(values)
        if rose > max(most, part * level):
            found[name] = f"{name} grew by {rose:.0f} over {len(values)} samples (median {level:.0f}): {values}"
    return found
