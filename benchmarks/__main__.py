"""`python -m benchmarks [--quick] [--only NAME …] [--json FILE]`: measure, and print one table."""

import argparse
import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

from benchmarks.figure import Figure, Scale
from benchmarks.machine import about
from benchmarks.table import table

# Modules of this package, in the order in which they run; each has `measure(scale)`.
MEASURES: tuple[str, ...] = ("observing", "oneshot", "thousand", "latency", "idle", "planning", "reading", "startup")


def main() -> int:
    """Measure what was asked for; 1 when something could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller sizes, about two minutes")
    parser.add_argument(
        "--only", nargs="+", choices=MEASURES, default=MEASURES, metavar="NAME", help=", ".join(MEASURES)
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write machine, figures and samples there, too")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is ended on the way out
    machine, scale = about(), Scale(arguments.quick)
    figures: list[Figure] = []
    failed = []
    for name in arguments.only:
        measure: Callable[[Scale], Iterator[Figure]] = import_module(f"benchmarks.{name}").measure
        began = time.monotonic()
        try:
            for figure in measure(scale):
                figures.append(figure)
                print(f"  {name}: {figure.what}, {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        except Exception as error:
            failed.append(name)
            print(f"  {name} could not be measured: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
    print("\n".join([*machine.lines(), "", *table(figures)]))
    if arguments.json:
        found = {"quick": scale.quick, "machine": machine.document(), "figures": [one.document() for one in figures]}
        arguments.json.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
