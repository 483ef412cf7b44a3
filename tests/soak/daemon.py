"""`reconciler` with a door for who counts: on SIGUSR2 it writes what is in its memory to $SOAK_CENSUS."""

import gc
import json
import os
import signal
import sys
import threading
from collections import Counter
from pathlib import Path

from reconciler.cli.main import main


def census() -> dict[str, object]:
    """Live objects by type, threads, and whether garbage is collected. (No tracemalloc: its lock does not outlive a
    fork, and starting programs beside it ends in a child that hangs.)"""
    collecting = gc.isenabled()
    gc.collect()
    kinds = Counter(type(thing).__name__ for thing in gc.get_objects())
    return {
        "objects": sum(kinds.values()),
        "kinds": dict(kinds.most_common(60)),
        "threads": sorted(thread.name for thread in threading.enumerate()),
        "gc": collecting,
    }


def answer(*_: object) -> None:
    place = Path(os.environ["SOAK_CENSUS"])
    draft = place.with_suffix(".new")
    draft.write_text(json.dumps(census()))
    draft.replace(place)


if __name__ == "__main__":
    signal.signal(signal.SIGUSR2, answer)
    sys.argv[0] = "reconciler"
    main()
