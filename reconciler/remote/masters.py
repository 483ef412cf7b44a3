"""The shared connections: one ssh master per host and process, warmed once, and put down when it hangs."""

import hashlib
import os
import re
import signal
import stat
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from reconciler.remote.process import run
from reconciler.remote.ssh import Door, Unreachable

LONGEST_FOLDER = 45  # what macOS leaves of a socket's path when ssh has added its own part
SESSIONS = 8  # at once on one connection; sshd allows 10
NEWCOMERS = 8  # first contacts at once through one jump host, which drops some of more than 10
CHECK = 1.0  # seconds a master has to say that it is alive


class Masters:
    """The control sockets of this process. Others have their own, so that closing ours disturbs nobody."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._folder: Path | None = None
        self._guard = threading.Lock()
        self._first: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._sessions: defaultdict[str, threading.Semaphore] = defaultdict(lambda: threading.Semaphore(SESSIONS))
        self._newcomers: defaultdict[str, threading.Semaphore] = defaultdict(lambda: threading.Semaphore(NEWCOMERS))
        self._used: dict[Path, Door] = {}

    def socket(self, door: Door) -> Path:
        """Where the master of `door` listens. Raises Unreachable when there is no private place for it."""
        with self._guard:
            if self._folder is None:
                self._folder = private_folder(self._state)
            path = self._folder / f"{door.key[:12]}.{os.getpid()}"
            self._used[path] = door
        return path

    @contextmanager
    def session(self, door: Door, patience: float) -> Iterator[None]:
        """Room for one more session; raises Unreachable when there is none in time."""
        with self._guard:
            room = self._sessions[door.key]
        if not room.acquire(timeout=max(0.0, patience)):
            raise Unreachable(f"{SESSIONS} calls to this host are under way already")
        try:
            yield
        finally:
            room.release()

    @contextmanager
    def entering(self, door: Door, patience: float) -> Iterator[None]:
        """While there is no master yet, one call goes ahead; the others wait until there is, or patience ends."""
        path = self.socket(door)
        if path.exists():
            yield
            return
        with self._guard:
            lock, newcomers = self._first[door.key], self._newcomers[door.jump]
        until = time.monotonic() + patience
        ahead = False
        while not path.exists() and time.monotonic() < until and not ahead:
            ahead = lock.acquire(timeout=0.02)
        room = bool(ahead and door.jump) and newcomers.acquire(timeout=max(0.0, until - time.monotonic()))
        try:
            yield
        finally:
            if room:
                newcomers.release()
            if ahead:
                lock.release()

    def answers(self, door: Door, seconds: float = CHECK) -> bool:
        """Whether the master is alive (its connection may still be dead)."""
        path = self.socket(door)
        return path.exists() and run(door.argv(path, "-O", "check"), deadline=seconds).code == 0

    def put_down(self, door: Door) -> None:
        """End a master that hangs or whose connection is dead; the next call makes a new one."""
        path = self.socket(door)
        _end(_masters_at([path]).values(), signal.SIGKILL)
        path.unlink(missing_ok=True)

    def close(self) -> None:
        """End all masters of this process; their remote commands end or go on as after any lost connection."""
        with self._guard:
            used = {path: door for path, door in self._used.items() if path.exists()}
            self._used.clear()
        found = _masters_at(used)
        _end(found.values(), signal.SIGTERM)
        for path, door in used.items():
            if path not in found:  # a system without /proc
                run(door.argv(path, "-O", "exit"), deadline=CHECK)
        until = time.monotonic() + CHECK
        while (left := _masters_at(used)) and time.monotonic() < until:
            time.sleep(0.01)
        _end(left.values(), signal.SIGKILL)
        for path in used:
            path.unlink(missing_ok=True)


def private_folder(state: Path) -> Path:
    """A short directory that is ours alone, for the sockets of this state directory. Raises Unreachable."""
    own = hashlib.sha256(str(state.absolute()).encode()).hexdigest()[:8]
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    base = Path(f"/tmp/reconciler-{os.getuid()}")  # noqa: S108 (checked below)
    if re.fullmatch(r"/[A-Za-z0-9._/-]+", runtime) and len(runtime) + 20 <= LONGEST_FOLDER and Path(runtime).is_dir():
        base = Path(runtime) / "reconciler"
    for folder in (base, base / own):
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        about = folder.lstat()
        if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.getuid() or about.st_mode & 0o077:
            raise Unreachable(f"{folder} is not a directory of yours alone: remove it and try again")
    return base / own


def _masters_at(paths: Iterable[Path]) -> dict[Path, int]:
    """The processes that call themselves the masters of these sockets: `ssh: <path> [mux]`."""
    titles = {f"ssh: {path} [mux]".encode(): path for path in paths}
    found = {}
    for entry in Path("/proc").glob("[0-9]*") if titles else ():
        with suppress(OSError):
            if path := titles.get((entry / "cmdline").read_bytes().rstrip(b"\0 ")):
                found[path] = int(entry.name)
    return found


def _end(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)
