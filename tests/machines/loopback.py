"""A plain sshd on 127.0.0.1 with a home of its own: no namespaces, no root, for tests that need no more."""

import getpass
import shutil
import socket
import subprocess
from pathlib import Path

from tests.machines.keys import SSHD, prepare, public
from tests.machines.machine import reachable


class LoopbackHost:
    """One host; its processes, boot id and network are those of this machine."""

    address = "127.0.0.1"

    def __init__(self, folder: Path, name: str, login_key: Path, *, own_processes: bool = False) -> None:
        """`own_processes` (root): nobody there sees the processes of others, and what is left there ends with it."""
        self.name = name
        self._namespace = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"] if own_processes else []
        self.folder = folder
        self.login_key = login_key
        self.user = getpass.getuser()
        self.home = folder / "home"
        self.home.mkdir(parents=True)
        self._reserved = _reserved(self.address)
        self.port: int = self._reserved.getsockname()[1]
        extra = f"SetEnv HOME={self.home}"
        self._config = prepare(folder, login_key, self.port, listen=f"ListenAddress {self.address}", extra=extra)
        self._daemon: subprocess.Popen[bytes] | None = None

    @property
    def host_key(self) -> str:
        """`<type> <base64>`, for hostKeys."""
        return public(self.folder / "host_key")

    def start(self) -> "LoopbackHost":
        """Start sshd, and wait until it answers."""
        Path("/run/sshd").mkdir(exist_ok=True)
        command = [SSHD, "-D", "-f", str(self._config), "-E", str(self.folder / "sshd.log")]
        # `--pdeathsig`: it goes when the test process is killed.
        self._daemon = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *self._namespace, *command], stdin=subprocess.DEVNULL
        )
        if not reachable(self.address, self.port):
            raise RuntimeError(f"{self.name} did not start: {(self.folder / 'sshd.log').read_text()}")
        return self

    def stop(self) -> None:
        """Stop listening; sessions go on."""
        if self._daemon:
            self._daemon.kill()
            self._daemon.wait()
            self._daemon = None

    def host_yaml(self, **spec: object) -> str:
        """Its Host document; `spec` adds or replaces keys."""
        keys: dict[str, object] = {
            "address": self.address,
            "port": self.port,
            "user": self.user,
            "identityFile": self.login_key,
            "hostKeys": f"[{self.host_key}]",
            **spec,
        }
        lines = "".join(f"  {key}: {value}\n" for key, value in keys.items())
        return f"apiVersion: reconciler/v1\nkind: Host\nmetadata: {{name: {self.name}}}\nspec:\n{lines}"

    def delete(self) -> None:
        """Stop it and remove its folder."""
        self.stop()
        self._reserved.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def _reserved(address: str) -> socket.socket:
    """A port that nobody else is given, and that sshd, which asks for SO_REUSEADDR, can still listen on (socket(7))."""
    place = socket.socket()
    place.bind((address, 0))  # asking for SO_REUSEADDR here could give a port that is reserved already
    place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return place


def why_not_loopback() -> str:
    """Why there can be no LoopbackHost here; empty when there can."""
    if not Path(SSHD).exists():
        return "needs sshd (apt install openssh-server)"
    return ""
