"""`python -m tests.chaos --minutes 60 --seed 7 --hosts 5`, as root: chaos for longer than a test has time for."""

import argparse
import random
import sys

from tests.chaos.chaos import Chaos
from tests.chaos.faults import FAULTS
from tests.machines.network import why_not


def main() -> int:
    """Run it, and print what was seen; 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--hosts", type=int, default=3)
    parser.add_argument("--faults", nargs="*", default=[], metavar="KIND", choices=sorted(FAULTS), help="only these")
    arguments = parser.parse_args()
    if why := why_not():
        print(why, file=sys.stderr)
        return 1
    chaos = Chaos(arguments.seed, arguments.hosts)
    print(f"seed {arguments.seed}, logs in {chaos.folder}", file=sys.stderr, flush=True)
    chaos.run(arguments.minutes, kinds=tuple(arguments.faults), tell=True)
    print(chaos.figures.table())
    print(chaos.line)
    for text in chaos.violations:
        print(f"BROKEN: {text}", file=sys.stderr)
    if chaos.violations:
        print(f"again: make chaos SEED={chaos.seed} HOSTS={chaos.hosts}; logs in {chaos.folder}", file=sys.stderr)
    return 1 if chaos.violations else 0


if __name__ == "__main__":
    sys.exit(main())
