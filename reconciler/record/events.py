"""The part of the ledger that is the fleet's history."""

from collections.abc import Collection, Iterable

from reconciler.model.rows import Event, EventType
from reconciler.record import columns
from reconciler.record.room import Room


class EventBook(Room):
    """Events, numbered in the order in which they were recorded."""

    def add_event(self, event: Event) -> Event:
        """Record one; gives it with its number. Raises LedgerError."""
        return self.add_events([event])[0]

    def add_events(self, events: Iterable[Event]) -> list[Event]:
        """Record some; gives them with their numbers. Raises LedgerError."""
        todo = list(events)
        if not todo:
            return []
        with self._looking(), self._writing() as connection:
            return self._note(connection, todo)

    def events(
        self,
        after: int = 0,
        types: Collection[EventType] = frozenset(),
        task: str | None = None,
        limit: int | None = None,
    ) -> tuple[Event, ...]:
        """Events in order, of these types (none: all) and this task; `limit`: the newest, or the next after `after`.

        Raises LedgerError.
        """
        where, values = ["number > ?"], [after, *sorted(kind.value for kind in types)]
        if types:
            where.append(f"type IN ({', '.join('?' * len(types))})")
        if task is not None:
            where.append("task = ?")
            values.append(task)
        newest = after == 0 and limit is not None
        statement = (
            columns.select("events", ["number", *columns.EVENT])
            + f" WHERE {' AND '.join(where)} ORDER BY number {'DESC' if newest else 'ASC'} LIMIT ?"
        )
        with self._database.reading() as connection:
            rows = connection.execute(statement, [*values, -1 if limit is None else limit]).fetchall()
        return tuple(columns.event_from_row(row) for row in (reversed(rows) if newest else rows))
