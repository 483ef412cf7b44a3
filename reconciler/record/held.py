"""The ledger's tables in memory, read when first needed, kept in step by whoever writes."""

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, TypeVar

from reconciler.model.memory import HostMemory, Memory, RunMemory, TaskMemory
from reconciler.record import columns
from reconciler.record.database import Database, damaged
from reconciler.record.records import HostRecord, RunRecord, TaskRecord

T = TypeVar("T")


class Held:
    """What is in the file, plus what is not worth a transaction of its own (`loose`: when hosts were last seen).

    Whoever calls holds the database's lock.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._places = columns.Places()
        self.loose: set[str] = set()  # keys of hosts that differ from their row
        self._drop()

    def _drop(self) -> None:
        self._meta: dict[str, str] | None = None
        self._runs: dict[str, RunRecord] | None = None
        self._hosts: dict[str, HostRecord] | None = None
        self._tasks: dict[str, TaskRecord] | None = None
        self._revisions: frozenset[str] | None = None
        self._memory: Memory | None = None
        self._host_memories: Mapping[str, HostMemory] | None = None
        self._run_memories: Mapping[str, RunMemory] | None = None
        self._task_memories: Mapping[str, TaskMemory] | None = None
        self._left: dict[str, set[str]] | None = None

    def drop(self) -> None:
        """Read everything anew when it is next needed: a transaction failed or another process wrote."""
        self.loose.clear()
        self._drop()

    def follow(self) -> None:
        """Drop what is held when another process has written."""
        if self._database.changed_elsewhere():
            self.drop()

    @property
    def meta(self) -> dict[str, str]:
        """Single values by name."""
        if self._meta is None:
            self._meta = dict(self._read("SELECT key, value FROM meta", lambda row: (row[0], row[1])))
        return self._meta

    @property
    def runs(self) -> dict[str, RunRecord]:
        """All runs by name; to be changed through `put_run` alone."""
        if self._runs is None:
            records = self._read(columns.select("runs", columns.RUN), self._run)
            self._runs = {str(record.memory.name): record for record in records}
        return self._runs

    @property
    def hosts(self) -> dict[str, HostRecord]:
        """All places by key; to be changed through `put_host` alone."""
        if self._hosts is None:
            statement = columns.select("hosts", columns.HOST)
            self._hosts = dict(self._read(statement, lambda row: columns.host_from_row(row, self._places)))
        return self._hosts

    @property
    def tasks(self) -> dict[str, TaskRecord]:
        """All tasks by name; to be changed through `put_task` alone."""
        if self._tasks is None:
            self._tasks = dict(self._read(columns.select("tasks", columns.TASK), columns.task_from_row))
        return self._tasks

    @property
    def revisions(self) -> frozenset[str]:
        """Commits this ledger has acted on."""
        if self._revisions is None:
            self._revisions = frozenset(self._read("SELECT revision FROM revisions", lambda row: str(row[0])))
        return self._revisions

    def run(self, name: str) -> RunRecord | None:
        """One run, without reading all of them."""
        if self._runs is not None:
            return self._runs.get(name)
        statement = columns.select("runs", columns.RUN) + " WHERE name = ?"
        return next(iter(self._read(statement, self._run, name)), None)

    def left(self, workspace_id: str) -> frozenset[str]:
        """Names of the runs of which something may be left in a workspace."""
        if self._left is None:
            self._left = {}
            for record in self.runs.values():
                self._index(None, record)
        return frozenset(self._left.get(workspace_id, ()))

    def memory(self) -> Memory:
        """A frozen view; the same object until something changes, and of hosts, runs and tasks what did not."""
        if self._memory is None:
            if self._host_memories is None:
                self._host_memories = MappingProxyType({key: record.memory for key, record in self.hosts.items()})
            if self._run_memories is None:
                self._run_memories = MappingProxyType({name: record.memory for name, record in self.runs.items()})
            if self._task_memories is None:
                self._task_memories = MappingProxyType({name: _task(record) for name, record in self.tasks.items()})
            self._memory = Memory(
                ledger=self.meta["ledger"],
                number=int(self.meta.get("number", "0")),
                epoch=int(self.meta.get("epoch", "0")),
                whole=self.meta.get("whole") == "1",
                hosts=self._host_memories,
                runs=self._run_memories,
                tasks=self._task_memories,
            )
        return self._memory

    def put_meta(self, connection: sqlite3.Connection, key: str, value: str) -> None:
        """Write one value."""
        connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))
        self.meta[key] = value
        self._memory = None

    def remove_meta(self, connection: sqlite3.Connection, key: str) -> None:
        """Forget one value."""
        connection.execute("DELETE FROM meta WHERE key = ?", (key,))
        self.meta.pop(key, None)

    def put_run(self, connection: sqlite3.Connection, record: RunRecord) -> None:
        """Write one run."""
        runs = self.runs
        row = columns.run_to_row(record)
        connection.execute(_PUT_RUN, row)
        record = columns.run_from_row(row, self._places)  # held is what would be read: texts made safe, numbers cut
        self._index(runs.get(str(record.memory.name)), record)
        runs[str(record.memory.name)] = record
        self._memory = self._run_memories = None

    def remove_run(self, connection: sqlite3.Connection, name: str) -> None:
        """Forget one run."""
        runs = self.runs
        connection.execute("DELETE FROM runs WHERE name = ?", (name,))
        self._index(runs.pop(name, None), None)
        self._memory = self._run_memories = None

    def put_host(self, connection: sqlite3.Connection, key: str, record: HostRecord) -> None:
        """Write one place."""
        hosts = self.hosts
        row = columns.host_to_row(key, record)
        connection.execute(_PUT_HOST, row)
        _, hosts[key] = columns.host_from_row(row, self._places)
        self.loose.discard(key)
        self._memory = self._host_memories = None

    def hold_host(self, key: str, record: HostRecord) -> None:
        """Change one place in memory; the next flush writes it."""
        self.hosts[key] = record
        self.loose.add(key)
        self._memory = self._host_memories = None

    def remove_host(self, connection: sqlite3.Connection, key: str) -> None:
        """Forget one place."""
        hosts = self.hosts
        connection.execute("DELETE FROM hosts WHERE key = ?", (key,))
        hosts.pop(key, None)
        self.loose.discard(key)
        self._memory = self._host_memories = None

    def put_task(self, connection: sqlite3.Connection, name: str, record: TaskRecord) -> None:
        """Write one task."""
        tasks = self.tasks
        connection.execute(_PUT_TASK, columns.task_to_row(name, record))
        tasks[name] = record
        self._memory = self._task_memories = None

    def remove_task(self, connection: sqlite3.Connection, name: str) -> None:
        """Forget one task."""
        tasks = self.tasks
        connection.execute("DELETE FROM tasks WHERE name = ?", (name,))
        tasks.pop(name, None)
        self._memory = self._task_memories = None

    def put_revision(self, connection: sqlite3.Connection, revision: str, now: float) -> None:
        """Note a commit as acted on, as the newest one."""
        known = self.revisions
        connection.execute("INSERT OR REPLACE INTO revisions VALUES (?, ?)", (revision, now))
        self._revisions = known | {revision}

    def drop_revisions(self) -> None:
        """Read them anew: some were let go of."""
        self._revisions = None

    def _index(self, old: RunRecord | None, new: RunRecord | None) -> None:
        if self._left is None:
            return
        if old is not None:
            self._left.get(old.memory.place.workspace_id, set()).discard(str(old.memory.name))
        if new is not None and not new.memory.cleaned:
            self._left.setdefault(new.memory.place.workspace_id, set()).add(str(new.memory.name))

    def _run(self, row: tuple[Any, ...]) -> RunRecord:
        return columns.run_from_row(row, self._places)

    def _read(self, statement: str, convert: Callable[[tuple[Any, ...]], T], *values: object) -> list[T]:
        with self._database.reading() as connection:
            rows = connection.execute(statement, values)
            try:
                return [convert(row) for row in rows]
            except (ValueError, TypeError, KeyError) as problem:
                raise damaged(self._database.path, f"a row of it reads {str(problem)[:80]!r}") from problem


def _task(record: TaskRecord) -> TaskMemory:
    return record.memory if record.left_at is None else replace(record.memory, left=True)


_PUT_RUN = columns.insert("runs", columns.RUN)
_PUT_HOST = columns.insert("hosts", columns.HOST)
_PUT_TASK = columns.insert("tasks", columns.TASK)
