"""`python -m benchmarks.counts [--keep]`: what can be counted, beside what it was; no clock is asked.

Processes of a cycle are the same on every machine: when there are more or fewer, that is meant (`--keep` writes it
down), or it fails. Everything else is told, with the change in percent: bytes follow the text of the scripts, forks
the version of bash, calls of functions that of Python and the libraries.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks import counting
from reconciler.show.paper import Cell, columns

KEPT = Path(__file__).with_name("counts.json")

Counts = Mapping[str, int]


def main() -> int:
    """0 when what has to be the same is the same, else 1."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.counts", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="write down what is counted now")
    keep = parser.parse_args().keep
    now = {
        "exact": counting.processes(),
        "told": {**counting.bytes_sent(), **counting.forks(), **counting.function_calls()},
    }
    if keep:
        KEPT.write_text(json.dumps(now, indent=1) + "\n", encoding="utf-8")
    before = json.loads(KEPT.read_text(encoding="utf-8"))
    for line in columns([[Cell(text) for text in row] for row in rows(before, now)]):
        print(line)
    wrong = different(before["exact"], now["exact"])
    for name in wrong:
        print(f"{name}: if that is meant, `make bench-counts KEEP=1` writes it down", file=sys.stderr)
    return bool(wrong)


def rows(before: Mapping[str, Counts], now: Mapping[str, Counts]) -> Iterator[tuple[str, ...]]:
    """A heading, and each count with what it was."""
    yield ("count", "now", "before", "change")
    for part in ("exact", "told"):
        for name in {**before[part], **now[part]}:
            yield (name, *cells(before[part].get(name), now[part].get(name)))


def cells(before: int | None, now: int | None) -> tuple[str, str, str]:
    """Both numbers, `–` for one that is not there, and the change in percent."""
    texts = ["–" if number is None else f"{number:,}" for number in (now, before)]
    change = f"{100 * (now - before) / before:+.1f}%" if before and now is not None and now != before else ""
    return texts[0], texts[1], change


def different(before: Counts, now: Counts) -> list[str]:
    """The names of what is not as it was."""
    return [name for name in {**before, **now} if before.get(name) != now.get(name)]


if __name__ == "__main__":
    sys.exit(main())
