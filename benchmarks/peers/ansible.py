"""`ansible all -m raw -a true`: one round trip to every host, as many at once as there are."""

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from benchmarks.machine import program
from tests.machines.loopback import LoopbackHost


class Ansible:
    """An inventory of these hosts, and a folder for its shared connections; its own defaults otherwise."""

    def __init__(
        self, room: Path, hosts: Sequence[LoopbackHost], options: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """`options`: of ssh, beside ansible's own."""
        self._path = program("ansible")
        self._room = room / "ansible"
        self._room.mkdir()
        self._forks = len(hosts)
        lines = [
            f"{host.name} ansible_host={host.address} ansible_port={host.port} ansible_user={host.user}"
            f" ansible_ssh_private_key_file={host.login_key}"
            for host in hosts
        ]
        self._inventory = self._room / "inventory.ini"
        self._inventory.write_text("\n".join(lines) + "\n")
        self._environment = {
            **os.environ,
            "ANSIBLE_HOME": str(self._room),
            "ANSIBLE_HOST_KEY_CHECKING": "False",
            "ANSIBLE_SSH_COMMON_ARGS": " ".join(f"-o {key}={value}" for key, value in options.items()),
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(self._room / "cp"),
            "ANSIBLE_PYTHON_INTERPRETER": "/usr/bin/python3",
        }

    @property
    def run(self) -> Callable[[], None] | None:
        """Once on every host, over the connections that the run before has left open; None when it is not installed."""
        return self._run if self._path else None

    def _run(self) -> None:
        assert self._path
        words = [self._path, "all", "-i", str(self._inventory), "-f", str(self._forks), "-m", "raw", "-a", "true"]
        done = subprocess.run(words, env=self._environment, capture_output=True, text=True, check=False)
        if done.returncode or done.stdout.count("rc=0") != self._forks:
            raise RuntimeError(f"ansible: {done.stdout[-400:]} {done.stderr[-400:]}")

    def hang_up(self) -> None:
        """End its shared connections: the next run is a cold one."""
        for socket in (self._room / "cp").glob("*"):
            subprocess.run(
                ["ssh", "-F", "/dev/null", "-o", f"ControlPath={socket}", "-O", "exit", "host"],
                capture_output=True,
                check=False,
            )
