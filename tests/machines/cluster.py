"""Several machines that are started and removed together."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from tests.machines.keys import make_key
from tests.machines.machine import Machine
from tests.machines.network import Network

PARENT = Path("/var/tmp")  # /tmp is often too small for disks
PREFIX = "reconciler-machines-"


class Cluster:
    """A network, a login key, and machines called box1, box2 …; a context manager."""

    def __init__(self) -> None:
        sweep_folders()
        self.folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=PARENT))
        self.login_key = self.folder / "id_ed25519"
        make_key(self.login_key)
        self.network = Network()
        self.machines: list[Machine] = []

    def add(self, count: int = 1, *, disk: int = 0) -> list[Machine]:
        """Start `count` more machines, at the same time."""
        new = []
        for _ in range(count):
            name = f"box{len(self.machines) + 1}"
            machine = Machine(self.network, self.folder / name, name, self.login_key, disk=disk)
            self.machines.append(machine)
            new.append(machine)
            machine.begin()
        for machine in new:
            machine.wait()
        return new

    def close(self) -> None:
        """Stop everything and remove it."""
        for machine in self.machines:
            machine.stop()
        self.network.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def sweep_folders() -> None:
    """Remove what killed test processes left."""
    for folder in PARENT.glob(f"{PREFIX}*-*"):
        pid = folder.name.removeprefix(PREFIX).partition("-")[0]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists():
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def machines(count: int, *, disk: int = 0) -> Iterator[list[Machine]]:
    """`count` machines for the length of a `with` block."""
    with Cluster() as cluster:
        yield cluster.add(count, disk=disk)
