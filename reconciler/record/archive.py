"""Results and logs that were brought home: `<state>/runs/<run>/{stdout.log,stderr.log,answer.json,…}`."""

import os
import shutil
from pathlib import Path

from reconciler.errors import ReconcilerError
from reconciler.record.secrets import Redactor

FILES = (
    *("run.json", "stdout.log", "stderr.log", "events.jsonl", "answer.json", "blocked.md", "supervisor.log"),
    *("qa.tsv", "qa.log"),
)
EDGE = 65_536  # bytes of the begin of a long file that `edges` gives


class ArchiveError(ReconcilerError):
    """What was collected cannot be kept."""


class Archive:
    """A folder for each run, private to the user. Secrets that `redactor` knows never reach it."""

    def __init__(self, folder: Path, redactor: Redactor | None = None) -> None:
        """`folder` is made when something is written."""
        self._folder = folder
        self._redactor = redactor or Redactor()

    def size(self, run: str, file: str) -> int:
        """How many bytes are here: where collecting goes on."""
        try:
            return self._path(run, file).stat().st_size
        except FileNotFoundError:
            return 0

    def write(self, run: str, file: str, offset: int | None, data: bytes, *, more: bool = False) -> None:
        """Keep bytes that begin at `offset` of the host's file; None replaces the whole. Raises ArchiveError.

        `more`: others follow; then the last bytes are left for the next call, in case a secret goes on there. Writing
        the same again changes nothing. Bytes beyond a gap are refused: they come with the next collection.
        """
        try:
            folder = self._path(run, file).parent
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            folder.mkdir(exist_ok=True, mode=0o700)
            if offset is None:
                # Long ones are sent without their begin or their end.
                self._replace(folder / file, self._redactor.scrub(data, begun=True, cut=True))
            else:
                self._append(folder / file, offset, data, more)
        except OSError as problem:
            raise ArchiveError(
                f"cannot keep {file} of {run} ({problem.strerror or problem}): make {self._folder} writable "
                "and its disk less full; it is collected in the next cycle"
            ) from problem

    def read(self, run: str, file: str) -> bytes | None:
        """A whole file; None when it is not here."""
        try:
            return self._path(run, file).read_bytes()
        except FileNotFoundError:
            return None

    def edges(self, run: str, file: str, most: int = 4 << 20) -> bytes:
        """A file, a long one without its middle: at most EDGE bytes of its begin and `most` of its end."""
        size = self.size(run, file)
        if size <= EDGE + most:
            return self.read(run, file) or b""
        end = self.read_from(run, file, size - most, most)
        return self.read_from(run, file, 0, EDGE) + b"\n" + end.partition(b"\n")[2]

    def read_from(self, run: str, file: str, offset: int, limit: int) -> bytes:
        """At most `limit` bytes from `offset` on; empty at the end, or when it is not here."""
        try:
            with self._path(run, file).open("rb") as stream:
                stream.seek(offset)
                return stream.read(limit)
        except FileNotFoundError:
            return b""

    def tail(self, run: str, file: str, lines: int) -> bytes:
        """The last `lines` lines."""
        try:
            with self._path(run, file).open("rb") as stream:
                position, found = stream.seek(0, os.SEEK_END), b""
                while position > 0 and found.rstrip(b"\n").count(b"\n") < lines:
                    step = min(65_536, position)
                    position -= step
                    stream.seek(position)
                    found = stream.read(step) + found
        except FileNotFoundError:
            return b""
        # Only a line feed ends a line: progress bars are full of carriage returns.
        ended = found.endswith(b"\n")
        parts = found.removesuffix(b"\n").split(b"\n")[-lines:] if lines > 0 and found else []
        return b"\n".join(parts) + (b"\n" if ended and parts else b"")

    def has(self, run: str) -> bool:
        """Whether anything of the run is here."""
        return self._path(run, FILES[0]).parent.is_dir()

    def runs(self) -> tuple[str, ...]:
        """The runs of which something is here."""
        try:
            return tuple(
                sorted(entry.name for entry in os.scandir(self._folder) if entry.is_dir(follow_symlinks=False))
            )
        except FileNotFoundError:
            return ()

    def changed_at(self, run: str) -> float:
        """When something of the run last came in."""
        folder = self._path(run, FILES[0]).parent
        return max((entry.stat().st_mtime for entry in os.scandir(folder)), default=folder.stat().st_mtime)

    def remove(self, run: str) -> None:
        """Let go of everything of a run; a second call is a no-op."""
        shutil.rmtree(self._path(run, FILES[0]).parent, ignore_errors=True)

    def _path(self, run: str, file: str) -> Path:
        if file not in FILES or run in ("", ".", "..") or "/" in run or "\0" in run:
            raise ValueError(f"no file of a run: {run!r} {file!r}")
        return self._folder / run / file

    def _replace(self, path: Path, data: bytes) -> None:
        fresh = path.with_name(path.name + ".new")
        with open(fresh, "wb", opener=_private) as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        fresh.replace(path)

    def _append(self, path: Path, offset: int, data: bytes, more: bool) -> None:
        with open(path, "r+b", opener=_private) as stream:
            size = stream.seek(0, os.SEEK_END)
            if offset > size:
                return
            fresh = data[size - offset :]
            masked = self._redactor.scrub(fresh, begun=size > 0, cut=not more)
            stream.write(masked[: self._redactor.settled(fresh)] if more else masked)
            stream.flush()
            os.fdatasync(stream.fileno())  # soon the ledger says that it is here, and then its host may let go of it


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
