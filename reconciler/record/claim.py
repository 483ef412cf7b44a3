"""One controller per fleet on a machine: whoever holds the flock on `controller.lock`."""

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from reconciler.errors import ReconcilerError


class ClaimError(ReconcilerError):
    """The lock file cannot be used."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds the fleet; 0 and empty while that process is still writing it down."""

    pid: int = 0
    verb: str = ""
    since: float = 0.0


class Claim:
    """The fleet is ours until `release`, or until this process ends however it ends."""

    def __init__(self, path: Path, descriptor: int) -> None:
        """Made by `acquire`."""
        self.path = path
        self._descriptor: int | None = descriptor

    @classmethod
    def acquire(cls, path: Path, verb: str, now: float) -> "Claim | Holder":
        """Take the lock `path` without waiting; when another process has it, who that is. Raises ClaimError."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as problem:
            raise ClaimError(
                f"cannot use {path} ({problem.strerror}): check who owns it or use another --state-dir"
            ) from problem
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            try:
                return _parse(os.pread(descriptor, 1024, 0))
            finally:
                os.close(descriptor)
        except OSError as problem:
            os.close(descriptor)
            raise ClaimError(f"cannot lock {path} ({problem.strerror}): use a --state-dir on a local disk") from problem
        claim = cls(path, descriptor)
        try:
            # The file is never removed: a second one under the same name would be a second lock.
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"pid={os.getpid()}\nverb={verb}\nsince={now!r}\n".encode(), 0)
        except OSError as problem:
            claim.release()
            raise ClaimError(f"cannot write {path} ({problem.strerror}): free some space and run again") from problem
        return claim

    def holds(self) -> bool:
        """Whether the file is still there: another process could take a new one of the same name."""
        if self._descriptor is None:
            return False
        try:
            return os.path.samestat(os.fstat(self._descriptor), self.path.stat())
        except OSError:
            return False

    def release(self) -> None:
        """Let go; a second call is a no-op."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def _parse(text: bytes) -> Holder:
    pairs = dict(line.partition("=")[::2] for line in text.decode("utf-8", "replace").splitlines())
    try:
        return Holder(int(pairs["pid"]), pairs["verb"], float(pairs["since"]))
    except (KeyError, ValueError):
        return Holder()
