"""`python -m tests.fuzz TARGET MINUTES`: look for inputs that break a reader, and keep those that do.

Guided by coverage where atheris is installed (`pip install atheris`), else at random from the seeds, with the seed
printed. What is found goes to tests/fuzz/corpus/TARGET/, where CI tries it again for ever.
"""

import os
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from random import Random

from tests.fuzz.bounds import bounded
from tests.fuzz.corpus import inputs, keep, place_of
from tests.fuzz.damage import any_edits, damaged
from tests.fuzz.targets import NAMES, Target, target


def main(words: list[str]) -> int:
    """Takes a target and minutes; returns 1 when something was found."""
    if len(words) < 2 or words[0] not in NAMES:
        print(f"usage: python -m tests.fuzz TARGET MINUTES [SEED], TARGET one of {', '.join(NAMES)}", file=sys.stderr)
        return 64
    reader, seconds = target(words[0]), float(words[1]) * 60
    seed = int(words[2]) if len(words) > 2 else int.from_bytes(os.urandom(4), "big")
    guide = find_spec("atheris") is not None
    print(f"target={reader.name} minutes={words[1]} seed={seed} guided={'yes' if guide else 'no'}", flush=True)
    if guide:
        from tests.fuzz.guided import search as guided

        return guided(reader, seconds, seed)
    return search(reader, seconds, seed)


def search(reader: Target, seconds: float, seed: int) -> int:
    """Damage seeds at random for that long; one input is kept for each place in the code that it broke."""
    random, until, tried = Random(seed), time.monotonic() + seconds, 0
    found: dict[str, Path] = {}
    pool = [*reader.seeds, *inputs(reader.name)]
    while time.monotonic() < until:
        data = damaged(random.choice(pool), any_edits(random), reader.words)
        tried += 1
        try:
            with bounded():
                reader.check(data)
        except Exception as error:
            place = place_of(error)
            if place not in found:
                found[place] = keep(reader.name, data)
                print(f"found {found[place]}: {place}: {str(error)[:150]!r}", flush=True)
    print(f"target={reader.name} tried={tried} found={len(found)} seed={seed}")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
