"""The ledger: everything a controller remembers of its fleet, in one SQLite file.

Losing it loses nothing that the hosts still know. One process writes it (record/claim.py sees to that), any number
read; several threads may share one Ledger. All times are seconds since the epoch, given by the caller.
"""

from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from reconciler.model.memory import Memory
from reconciler.record.database import Database, LedgerError
from reconciler.record.events import EventBook
from reconciler.record.expire import ExpiryBook
from reconciler.record.hosts import HostBook
from reconciler.record.lease import LeaseBook
from reconciler.record.records import Intent
from reconciler.record.rows import RowBook
from reconciler.record.runs import RunBook
from reconciler.record.tasks import TaskBook
from reconciler.record.trust import TrustBook

__all__ = ["Intent", "Ledger", "LedgerError"]


class Ledger(LeaseBook, RunBook, HostBook, TaskBook, RowBook, EventBook, ExpiryBook, TrustBook):
    """Open it with `Ledger.open`, as a context manager."""

    @classmethod
    def open(cls, path: Path, *, readonly: bool = False) -> Self:
        """Open the file `path`, made when absent. Raises LedgerError.

        `readonly` gives a copy in memory, of nothing when the file is absent: no file is touched, what is written to
        it is soon forgotten, and `renew` takes in what was recorded since.
        """
        return cls(Database.open_copy(path) if readonly else Database.open(path))

    @property
    def id(self) -> str:
        """8 hex digits, made with the file: whose lease it is on hosts."""
        with self._looking() as held:
            return held.meta["ledger"]

    @property
    def path(self) -> Path:
        """The file."""
        return self._database.path

    def memory(self) -> Memory:
        """Everything as deciding needs it; never changes once given. Raises LedgerError."""
        with self._looking() as held:
            return held.memory()

    def renew(self) -> bool:
        """Of a readonly ledger: take in what was recorded since; says whether anything was. Raises LedgerError."""
        with self._database.lock:
            renewed = self._database.renew()
            if renewed:
                self._held.drop()
            return renewed

    def close(self) -> None:
        """Write what is not yet written and close; a second call is a no-op. Raises LedgerError."""
        try:
            if not self._database.closed:
                self.flush()
        finally:
            self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            with suppress(LedgerError):  # the first trouble is the one to tell
                self.close()
