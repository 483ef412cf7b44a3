"""`python -m tests.machines up 3`: machines to try things on by hand, as root, until ctrl-c."""

import argparse
import signal
import sys

from tests.machines.cluster import Cluster
from tests.machines.network import why_not


def main() -> int:
    """Start machines, print their Host documents, wait."""
    parser = argparse.ArgumentParser(prog="python -m tests.machines", description=__doc__)
    parser.add_argument("verb", choices=["up"])
    parser.add_argument("count", type=int, nargs="?", default=3)
    parser.add_argument("--disk", type=int, default=0, metavar="MIB", help="give each a home of that size")
    arguments = parser.parse_args()
    if why := why_not():
        print(why, file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with Cluster() as cluster:
        machines = cluster.add(arguments.count, disk=arguments.disk)
        print("---\n".join(machine.host_yaml() for machine in machines), flush=True)
        print(
            f"\nlog in with: ssh -i {cluster.login_key} root@{machines[0].address}   (ctrl-c ends all)", file=sys.stderr
        )
        try:
            signal.pause()
        except KeyboardInterrupt:
            print(file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
