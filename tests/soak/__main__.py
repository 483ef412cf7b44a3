"""`python -m tests.soak CYCLES SEED [--every N]`: a table while it runs, one line at the end."""

import argparse
import json
import signal
import sys
import tempfile
from pathlib import Path

from tests.soak.flat import BOUNDS, growth, rising
from tests.soak.run import soak

SHOWN = ("rss", "objects", "fds", "threads", "children", "zombies", "masters", "temporary", "state_files", "events")
SHOWN += ("runs", "tasks", "ledger", "wal", "archived", "host_processes", "host_files", "marks", "bell", "trash")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak")
    parser.add_argument("cycles", type=int)
    parser.add_argument("seed", type=int)
    parser.add_argument("--every", type=int, default=0, help="cycles between two counts [a fortieth of all]")
    asked = parser.parse_args()
    every = asked.every or max(10, asked.cycles // 40)
    print("".join(f"{name:>15}" for name in ("cycles", "seconds", *SHOWN)), flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that hosts and folders are removed
    with tempfile.TemporaryDirectory(prefix="reconciler-soak-", dir="/var/tmp") as room:
        for outcome in soak(Path(room), asked.cycles, asked.seed, every=every):
            last = outcome.samples[-1]
            shown = (outcome.cycles, int(outcome.seconds), *(last[name] for name in SHOWN))
            print("".join(f"{value:>15}" for value in shown), flush=True)
    _tell(outcome.inside)
    rose = {name: round(growth([sample[name] for sample in outcome.samples])) for name in BOUNDS}
    print("events:", json.dumps(outcome.events, sort_keys=True))
    print("growth:", json.dumps(rose))
    for sentence in (bad := rising(outcome.samples)).values():
        print(sentence, file=sys.stderr)
    print(
        f"cycles={outcome.cycles} rss_growth_but_runs={rose['rss_but_runs']}KiB objects={rose['objects']} fds={rose['fds']} "
        f"threads={rose['threads']} masters={rose['masters']} temporary={rose['temporary']} seed={asked.seed}"
    )
    return 1 if bad else 0


def _tell(inside: list[dict[str, dict[str, int]]]) -> None:
    """Which types there are more of at the end than after the warm-up."""
    first, last = inside[len(inside) // 3]["kinds"], inside[-1]["kinds"]
    grown = sorted(((last.get(kind, 0) - number, kind) for kind, number in first.items()), reverse=True)
    print("objects grown:", ", ".join(f"{kind} {more:+}" for more, kind in grown[:8] if more > 0) or "none")


sys.exit(main())
