"""`pyinfra INVENTORY exec -- true`: it connects anew each time, so cold is all there is."""

import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.machine import program
from tests.machines.loopback import LoopbackHost


class Pyinfra:
    """An inventory of these hosts."""

    def __init__(self, room: Path, hosts: Sequence[LoopbackHost]) -> None:
        self._path = program("pyinfra")
        self._room = room / "pyinfra"
        self._room.mkdir()
        self._count = len(hosts)
        data = [
            (
                host.name,
                {
                    "ssh_hostname": host.address,
                    "ssh_port": host.port,
                    "ssh_user": host.user,
                    "ssh_key": str(host.login_key),
                    "ssh_strict_host_key_checking": "off",
                    "ssh_known_hosts_file": str(self._room / "known_hosts"),
                },
            )
            for host in hosts
        ]
        (self._room / "inventory.py").write_text(f"hosts = {data!r}\n")

    @property
    def run(self) -> Callable[[], None] | None:
        """Once on every host; None when it is not installed."""
        return self._run if self._path else None

    def _run(self) -> None:
        assert self._path
        words = [self._path, "-y", "--parallel", str(self._count), "inventory.py", "exec", "--", "true"]
        environment = {**os.environ, "HOME": str(self._room)}
        done = subprocess.run(words, cwd=self._room, env=environment, capture_output=True, text=True, check=False)
        said = done.stdout + done.stderr
        if done.returncode or said.count("Success") < self._count:
            raise RuntimeError(f"pyinfra: {said[-600:]}")
