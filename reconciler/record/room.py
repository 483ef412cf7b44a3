"""What every part of the ledger stands on: one database, one view of it, one way to write."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from reconciler.model.rows import Event
from reconciler.record import columns
from reconciler.record.database import Database
from reconciler.record.held import Held


class Room:
    """A part of the ledger; `Ledger` is all of them in one."""

    def __init__(self, database: Database) -> None:
        """Parts share the database and what is held of it."""
        self._database = database
        self._held = Held(database)

    @contextmanager
    def _looking(self) -> Iterator[Held]:
        """Hold the lock, with what other processes wrote taken in. Raises LedgerError."""
        with self._database.lock, self._database.reading():
            self._held.follow()
            yield self._held

    @contextmanager
    def _writing(self, *, durable: bool = False) -> Iterator[sqlite3.Connection]:
        """One transaction; when it fails, nothing of it is held either. Raises LedgerError.

        `durable` is for what no host could tell again: intents, lease numbers, what was brought home.
        """
        try:
            with self._database.writing(durable=durable) as connection:
                yield connection
        except BaseException:
            with self._database.lock:
                self._held.drop()
            raise

    def _note(self, connection: sqlite3.Connection, events: Iterable[Event]) -> list[Event]:
        """Add events inside a transaction; gives them with their numbers."""
        noted = []
        for event in events:
            number = connection.execute(_PUT_EVENT, columns.event_to_row(event)).lastrowid
            noted.append(replace(event, number=number or 0))
        return noted


_PUT_EVENT = columns.insert("events", columns.EVENT)
