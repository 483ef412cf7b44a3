"""The shared connections: one ssh master per host and process, warmed once, and put down when it hangs."""

import hashlib
import os
import re
import signal
import stat
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from weakref import WeakValueDictionary

from reconciler.remote.environment import for_ssh
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
        # By door or jump host, for as long as a call is under way there: doors come and go with every edit.
        self._first: WeakValueDictionary[str, threading.Semaphore] = WeakValueDictionary()
        self._sessions: WeakValueDictionary[str, threading.Semaphore] = WeakValueDictionary()
        self._newcomers: WeakValueDictionary[str, threading.Semaphore] = WeakValueDictionary()

    def socket(self, door: Door) -> Path:
        """Where the master of `door` listens. Raises Unreachable when there is no private place for it."""
        with self._guard:
            if self._folder is None:
                self._folder = private_folder(self._state)
            return self._folder / f"{door.key[:12]}.{os.getpid()}"

    @contextmanager
    def session(self, door: Door, patience: float) -> Iterator[None]:
        """Room for one more session; raises Unreachable when there is none in time."""
        room = self._gate(self._sessions, door.key, SESSIONS)
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
        lock, newcomers = self._gate(self._first, door.key, 1), self._gate(self._newcomers, door.jump, NEWCOMERS)
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

    def _gate(
        self, gates: "WeakValueDictionary[str, threading.Semaphore]", key: str, places: int
    ) -> threading.Semaphore:
        with self._guard:
            gate = gates.get(key)
            if gate is None:
                gate = gates[key] = threading.Semaphore(places)
            return gate

    def answers(self, door: Door, seconds: float = CHECK) -> bool:
        """Whether the master is alive (its connection may still be dead)."""
        path = self.socket(door)
        words = door.argv(path, "-O", "check")
        return path.exists() and run(words, deadline=seconds, environment=door.environment).code == 0

    def put_down(self, door: Door) -> None:
        """End a master that hangs or whose connection is dead; the next call makes a new one."""
        path = self.socket(door)
        _end(_masters_at([path]).values(), signal.SIGKILL)
        path.unlink(missing_ok=True)

    def close(self) -> None:
        """End all masters of this process; their remote commands end or go on as after any lost connection."""
        with self._guard:
            used = list(self._folder.glob(f"*.{os.getpid()}")) if self._folder else []
        found = _masters_at(used)
        _end(found.values(), signal.SIGTERM)
        for path in used:
            if path not in found:  # a system without /proc
                argv = ["ssh", "-F", os.devnull, "-o", f"ControlPath={path}", "-O", "exit", "host"]
                run(argv, deadline=CHECK, environment=for_ssh())
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
