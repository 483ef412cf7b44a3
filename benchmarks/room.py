"""Many cheap hosts on this machine, a fleet that names them, and a folder where all of it lies and vanishes."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import MappingProxyType

from tests.e2e.fleet import Fleet
from tests.machines.keys import make_key
from tests.machines.loopback import LoopbackHost, why_not_loopback

PARENT = Path("/var/tmp")  # a disk, as a controller's state lies on one
PREFIX = "reconciler-benchmarks-"
DEADLINE = "60s"  # for hosts that share two cores with 99 others
SLOTS = 10


@contextmanager
def folder() -> Iterator[Path]:
    """A folder of our own; what a run that was killed has left goes, too."""
    for left in PARENT.glob(f"{PREFIX}*-*"):
        if not Path(f"/proc/{left.name.removeprefix(PREFIX).partition('-')[0]}").exists():
            shutil.rmtree(left, ignore_errors=True)
    made = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=PARENT))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


@contextmanager
def loopback_hosts(room: Path, count: int) -> Iterator[list[LoopbackHost]]:
    """`count` sshds with a port, a home and processes of their own each; all of it ends at the end.

    Raises RuntimeError where that cannot be.
    """
    if why := why_not_loopback() or ("" if os.geteuid() == 0 else "hosts with processes of their own need root"):
        raise RuntimeError(why)
    key = room / "id_ed25519"
    make_key(key)
    with ExitStack() as ending, ThreadPoolExecutor(4) as pool:
        hosts = [
            LoopbackHost(room / f"host{number}", f"host{number}", key, own_processes=True)
            for number in range(1, count + 1)
        ]
        for host in hosts:
            ending.callback(host.delete)
        list(pool.map(LoopbackHost.start, hosts))
        yield hosts


@contextmanager
def fleet_of(
    count: int, *, host_spec: Mapping[str, object] = MappingProxyType({}), **spec: object
) -> Iterator[tuple[Fleet, list[LoopbackHost]]]:
    """A fleet of `count` loopback hosts, committed; `spec` goes to the Fleet, `host_spec` to every Host."""
    with folder() as room, loopback_hosts(room, count) as hosts:
        fleet = Fleet(room)
        fleet.fleet(**spec)
        for host in hosts:
            text = host.host_yaml(slots=SLOTS, deadline=DEADLINE, minFree="1MiB", **host_spec)
            fleet.write(f"hosts/{host.name}.yaml", text)
        fleet.commit()
        yield fleet, hosts


def finish_tasks(fleet: Fleet, count: int) -> None:
    """Commit `count` tasks and have them done: from then on there is nothing to do. Raises RuntimeError."""
    add_tasks(fleet, count)
    fleet.commit()
    done = fleet.run("reconcile", "--wait", "--timeout", "10m", timeout=700)
    if done.returncode:
        raise RuntimeError(f"{count} tasks did not succeed: {done.stdout[-500:]} {done.stderr[-500:]}")


def add_tasks(fleet: Fleet, count: int) -> None:
    """Write `count` tasks that do nothing, `task1` …; they are not committed yet."""
    for number in range(1, count + 1):
        fleet.task(f"task{number}", "true")
