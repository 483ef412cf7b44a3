"""Looks at every process of this machine, and at what waits in memory, for as long as a story takes."""

import os
import re
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from tests.e2e.canaries import has

EVERY = 0.1  # seconds between two looks at all processes
OFTEN = 0.002  # at what waits in memory, which is not for long
_SSH = re.compile(rb"(\S*/)?ssh(\0|: )")  # `ssh: SOCKET [mux]` is how a shared connection calls itself


class Lookout:
    """A context manager. What it finds is kept by surface."""

    def __init__(self, room: Path) -> None:
        """`room`: where this story's commands, workers and workspaces are."""
        self.argv: set[str] = set()
        self.environ: set[str] = set()  # of what is neither a worker nor what the user gave it to
        self.streams: set[str] = set()  # files on a disk behind the standard streams of ssh
        self.waiting: set[tuple[int, int]] = set()  # mode and owner of the files that workers' secrets wait in
        self.cores: set[str] = set()  # how large a core of ssh may be, as /proc/PID/limits says it
        self.workers = 0  # how often one was seen with its secrets
        self.ssh = 0  # how often one of ours was seen
        self._room = str(room).encode()
        self._over = threading.Event()
        looks = ((EVERY, self._look_at_processes), (OFTEN, self._look_at_what_waits))
        self._threads = [threading.Thread(target=self._look_on, args=look) for look in looks]

    def __enter__(self) -> "Lookout":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _look_on(self, every: float, look: Callable[[], None]) -> None:
        while not self._over.wait(every):
            look()

    def _look_at_processes(self) -> None:
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                self._look(entry)

    def _look_at_what_waits(self) -> None:
        for path in Path("/dev/shm").glob("reconciler-*.secrets"):
            with suppress(OSError):
                about = path.stat()
                if has(path.read_bytes()):
                    self.waiting.add((about.st_mode & 0o777, about.st_uid))

    def _look(self, entry: Path) -> None:
        words = (entry / "cmdline").read_bytes()
        command = words.replace(b"\0", b" ").decode(errors="replace")
        if has(words):
            self.argv.add(command)
        variables = (entry / "environ").read_bytes()
        if (entry / "cmdline").read_bytes() != words:
            return  # it became another program meanwhile: whose environment that was cannot be said, the next look can
        if _SSH.match(words) and self._room in words:
            self.ssh += 1
            self.cores.add(core_limit(entry))
            self._look_at_streams(entry, command)
        if not has(variables):
            return
        if self._is_worker(words, variables):
            self.workers += 1
        elif not self._was_given_it(words, variables):
            self.environ.add(command)

    def _look_at_streams(self, entry: Path, command: str) -> None:
        for number in (0, 1, 2):
            stream = entry / "fd" / str(number)
            place = os.readlink(stream)
            if not place.startswith("/") or place.startswith(("/memfd:", "/dev/")):
                continue  # a pipe, in memory, or no file
            nameless = number == 1 and stream.stat().st_nlink == 0  # answers may be long
            if not nameless and has(stream.read_bytes()):
                self.streams.add(f"{number}: {place} of {command}")

    def _is_worker(self, words: bytes, variables: bytes) -> bool:
        """A worker, or what it started. Who supervises it is none."""
        mine = b"RECONCILER_MARK=" in variables and b"RECONCILER_RUN_DIR=" + self._room in variables
        return mine and b"supervisor.sh" not in words

    def _was_given_it(self, words: bytes, variables: bytes) -> bool:
        """The controller, to whose environment the user gave it, also before a child of it becomes another program; its
        git, whose credential helpers may need it; a command of secrets.yaml. Nothing of it lives on a host."""
        argv = words.split(b"\0")
        of_user = b"reconciler" in argv or argv[0].rpartition(b"/")[2] == b"git" or argv[0] == b"cat"
        return of_user and b"RECONCILER_STATE_DIR=" + self._room in variables


def core_limit(entry: Path) -> str:
    """How large a core of that process may become: soft and hard, from its folder in /proc."""
    lines = (entry / "limits").read_text().splitlines()
    return " ".join(next(line for line in lines if "core file" in line).split()[4:6])
