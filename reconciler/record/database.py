"""One SQLite file behind one lock: opening, transactions, and what can go wrong said in one sentence."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import RLock
from urllib.parse import quote

from reconciler.errors import ReconcilerError
from reconciler.record.origin import disown
from reconciler.record.schema import NewerSchema, migrate

PATIENCE = 10.0  # seconds to wait for another process's transaction
NO_ROOM = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE})


class LedgerError(ReconcilerError):
    """The ledger cannot be read or written; the text names the file and what to do."""


class DiskFull(LedgerError):
    """What happens cannot be recorded, so nothing may happen."""


class Database:
    """A connection that several threads share; `lock` is held for as long as anything of it is used."""

    def __init__(self, path: Path, connection: sqlite3.Connection, *, source: sqlite3.Connection | None = None) -> None:
        """`source`: the file on disk when `connection` is a copy of it in memory."""
        self.path = path
        self.lock = RLock()
        self.lasts = True  # False: what is written is gone when it is closed
        self.closed = False
        # Without WAL (some file systems) anything less than FULL could damage the file when power is lost.
        self._wal = connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        self._connection = connection
        self._source = source
        self._seen = 0  # the version of the file when it was last looked at
        self._seen_in_source = _data_version(source)

    @classmethod
    def open(cls, path: Path) -> "Database":
        """Open for writing, creating folder (0700) and file (0600) when absent. Raises LedgerError."""
        with _told(path):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if (
                not path.exists()
            ):  # one that is there is not opened beside SQLite: to close it would drop SQLite's locks
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            connection = _connect(str(path))
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA journal_size_limit = 16777216")
                migrate(connection)
                disown(connection, path)
            except BaseException:
                connection.close()
                raise
        return cls(path, connection)

    @classmethod
    def open_copy(cls, path: Path) -> "Database":
        """A copy in memory of the file as it is now; an empty one when it is absent. Raises LedgerError."""
        with _told(path):
            connection = _connect(":memory:")
            source = _connect_readonly(path)
            if source is not None:
                source.backup(connection)
            migrate(connection)
            if source is not None:
                disown(connection, path)
        database = cls(path, connection, source=source)
        database.lasts = False
        return database

    def renew(self) -> bool:
        """Copy the file again when it has changed since. Takes nothing; returns whether it had. Raises LedgerError."""
        with self.lock, _told(self.path):
            if self._source is None:
                self._source = _connect_readonly(self.path)
                if self._source is None:
                    return False
            elif _data_version(self._source) == self._seen_in_source:
                return False
            self._seen_in_source = _data_version(self._source)
            self._source.backup(self._connection)
            migrate(self._connection)
            return True

    def changed_elsewhere(self) -> bool:
        """Whether another process has written since this was last asked."""
        version = _data_version(self._connection)
        changed, self._seen = version != self._seen, version
        return changed

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Hold the lock and read. Raises LedgerError."""
        with self.lock, _told(self.path):
            yield self._connection

    @contextmanager
    def writing(self, *, durable: bool = False) -> Iterator[sqlite3.Connection]:
        """Hold the lock for one transaction, undone by any exception. Raises LedgerError.

        It outlives this process; `durable` ones, and all before, outlive a loss of power too.
        """
        with self.lock, _told(self.path):
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if durable or not self._wal else 'NORMAL'}")
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    with suppress(sqlite3.Error):
                        self._connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Close; a second call is a no-op."""
        with self.lock:
            self.closed = True
            self._connection.close()
            if self._source is not None:
                self._source.close()


def _connect(target: str, *, uri: bool = False) -> sqlite3.Connection:
    return sqlite3.connect(target, timeout=PATIENCE, isolation_level=None, check_same_thread=False, uri=uri)


def _connect_readonly(path: Path) -> sqlite3.Connection | None:
    if not path.exists() or path.stat().st_size == 0:
        return None
    failed: sqlite3.OperationalError | None = None
    for mode in _modes(path):
        source = _connect(f"file:{quote(str(path.absolute()))}?{mode}", uri=True)
        try:
            source.execute("PRAGMA query_only = 1")
            source.execute("PRAGMA schema_version").fetchone()
        except sqlite3.OperationalError as problem:
            source.close()
            failed = problem
            continue
        except BaseException:
            source.close()
            raise
        return source
    raise failed or sqlite3.OperationalError("it cannot be opened")


def _modes(path: Path) -> tuple[str, ...]:
    """How to open a file without leaving a trace, best first."""
    if path.with_name(path.name + "-wal").exists():
        return ("mode=ro",)  # somebody writes, or was killed: the files beside it are there already
    # `rw` takes the files that WAL needs away again at the end; what cannot be written has no writer that could harm.
    return ("mode=rw", "immutable=1") if os.access(path.parent, os.W_OK) else ("immutable=1",)


def _data_version(connection: sqlite3.Connection | None) -> int:
    return int(connection.execute("PRAGMA data_version").fetchone()[0]) if connection is not None else 0


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except NewerSchema as problem:
        raise LedgerError(
            f"{path} was written by a newer reconciler ({problem}): update reconciler or use another --state-dir"
        ) from problem
    except OSError as problem:
        raise LedgerError(
            f"cannot open {path}: {problem.strerror or problem}; check who owns the folder or use another --state-dir"
        ) from problem
    except sqlite3.Error as problem:
        sentence = _sentence(path, problem)
        if sentence is None:
            raise
        full = problem.sqlite_errorcode in NO_ROOM
        raise DiskFull(sentence) if full else LedgerError(sentence) from problem


def damaged(path: Path, detail: object) -> LedgerError:
    """The one sentence for a file that cannot be made sense of."""
    return LedgerError(f"{path} is damaged ({detail}): move it away and run again, the hosts still know what ran")


def _sentence(path: Path, problem: sqlite3.Error) -> str | None:
    """What to tell; None for an error that is a bug of ours."""
    match getattr(problem, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return str(damaged(path, problem))
        case _ if getattr(problem, "sqlite_errorcode", 0) in NO_ROOM:
            return (
                f"cannot write {path}: the disk is full; free some space and run again, nothing is started until then"
            )
        case sqlite3.SQLITE_IOERR:
            return f"cannot use {path} ({problem}): check that its disk is healthy and has free space, then run again"
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return f"{path} has been in use by another process for {PATIENCE:.0f} s: run again when that one has ended"
        case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM:
            return f"cannot write {path} ({problem}): check who owns it or use another --state-dir"
    return None
