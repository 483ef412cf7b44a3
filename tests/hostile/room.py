"""A fleet whose hosts lie, all on one sshd: each has a key of its own, and the key says what is told."""

import json
import os
import pty
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.fleet import Fleet
from tests.hostile.lies import LIES
from tests.machines.keys import make_key, public
from tests.machines.loopback import LoopbackHost

REPOSITORY = Path(__file__).parents[2]
PATIENT, SHORT = "60s", "3s"
TIMED_OUT = ("silence", "drip")
HONEST = "box"


@dataclass
class Done:
    """How a command went: what it took of time and memory, too."""

    code: int
    out: str
    errors: str
    seconds: float
    mebibytes: int

    @property
    def json(self) -> dict[str, Any]:
        """Its output as parsed JSON."""
        found: dict[str, Any] = json.loads(self.out)
        return found


@dataclass
class Room:
    """The fleet, the folder of what workers leave, and the switch that makes hosts lie."""

    fleet: Fleet
    sshd: LoopbackHost
    folder: Path
    names: tuple[str, ...] = tuple(LIES)
    deadlines: dict[str, str] = field(default_factory=dict)

    def declare(self) -> None:
        """Write the Host documents."""
        for name in (HONEST, *self.names):
            key = self.sshd.login_key if name == HONEST else self.folder / "keys" / name
            self.fleet.write(f"hosts/{name}.yaml", self._host(name, key))

    def _host(self, name: str, key: Path) -> str:
        text = self.sshd.host_yaml(
            identityFile=key,
            workspaceRoot=self.folder / "workspaces" / name,
            minFree="1MiB",
            deadline=self.deadlines.get(name, PATIENT),
        )
        return text.replace(f"name: {self.sshd.name}", f"name: {name}")

    def let_in(self) -> None:
        """Give every liar its key."""
        lines = (self.sshd.folder / "authorized_keys").read_text()
        for name in self.names:
            key = self.folder / "keys" / name
            make_key(key)
            command = f"cd {REPOSITORY} && exec {sys.executable} -SE -m tests.hostile.liar {name} {self.folder}"
            lines += f'restrict,command="{command}" {public(key)}\n'
        (self.sshd.folder / "authorized_keys").write_text(lines)

    def lie(self, on: bool) -> None:
        """From now on they lie, or do not any more."""
        (self.folder / "lying").touch() if on else (self.folder / "lying").unlink()

    def starts(self) -> list[str]:
        """The runs that were executed, as often as they were."""
        file = self.folder / "starts"
        return file.read_text().split() if file.exists() else []

    def run(self, *words: str) -> Done:
        """Run `reconciler WORDS`; its own memory is measured, at its highest."""
        began = time.monotonic()
        out, errors = self.folder / "out", self.folder / "errors"
        with out.open("wb") as to, errors.open("wb") as complaints:
            process = subprocess.Popen(
                [sys.executable, "-m", "reconciler", *words],
                cwd=self.fleet.repo,
                env=self.fleet.env(),
                stdin=subprocess.DEVNULL,
                stdout=to,
                stderr=complaints,
            )
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        took = time.monotonic() - began
        return Done(process.returncode, out.read_text(), errors.read_text(), took, used.ru_maxrss >> 10)

    def screen(self, *words: str) -> str:
        """What a person sees who types that at a terminal."""
        return screen(self.fleet, *words)


def screen(fleet: Fleet, *words: str) -> str:
    """What a person sees who types that at a terminal: both streams."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "reconciler", *words],
        cwd=fleet.repo,
        env=fleet.env(),
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    seen = b""
    try:
        while chunk := os.read(ours, 1 << 16):
            seen += chunk
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    process.wait()
    return seen.decode("utf-8", "surrogateescape").replace("\r\n", "\n")
