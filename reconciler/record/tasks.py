"""The part of the ledger that knows what git asked for, and how the last cycle left it."""

import json
from collections.abc import Mapping
from dataclasses import replace

from reconciler.model.change import Plan, TaskStatus
from reconciler.model.desired import Desired
from reconciler.model.fleet import Suspend
from reconciler.model.host import Host
from reconciler.model.memory import HostMemory, TaskMemory
from reconciler.model.rows import TaskRow
from reconciler.record import columns
from reconciler.record.documents import DocumentBook
from reconciler.record.held import Held
from reconciler.record.records import HostRecord, TaskRecord


class TaskBook(DocumentBook):
    """Tasks and hosts as their documents say."""

    def tasks_seen(self, desired: Desired, now: float) -> None:
        """A commit was read: which tasks there are since when, which hosts are gone. Raises LedgerError."""
        with self._looking() as held:
            tasks = {**_present(held, desired, now), **_left(held, desired, now)}
            hosts = _gone(held, desired)
            deleted = self._deleted(desired)
            if not (tasks or hosts or deleted):
                return
            with self._writing() as connection:
                for name, task in tasks.items():
                    held.put_task(connection, name, task)
                for name, host in hosts.items():
                    held.put_host(connection, name, host)
                connection.executemany("DELETE FROM documents WHERE kind = ? AND name = ?", deleted)

    def save_cycle(self, desired: Desired, plan: Plan, now: float, authors: Mapping[str, str]) -> None:
        """How everything stands, for `get`; what left git is in no table any more. Raises LedgerError."""
        with self._looking() as held:
            shown = {
                name: columns.task_row_to_json(task_row(desired, status, authors.get(name, "")))
                for name, status in plan.statuses.items()
            }
            tasks = {
                name: replace(held.tasks.get(name, TaskRecord(TaskMemory(now))), left_at=None, row=row)
                for name, row in shown.items()
            }
            tasks.update({name: replace(held.tasks[name], row=None) for name in held.tasks.keys() - shown.keys()})
            tasks.update(_left(held, desired, now))
            rows = {name: _host_json(host) for name, host in desired.hosts.items()}
            hosts = {
                name: replace(held.hosts.get(name, _unasked(host)), row=rows[name])
                for name, host in desired.hosts.items()
            }
            hosts.update({key: replace(held.hosts[key], row=None) for key in held.hosts.keys() - rows.keys()})
            with self._writing() as connection:
                for name, task in tasks.items():
                    if held.tasks.get(name) != task:
                        held.put_task(connection, name, task)
                for key, record in hosts.items():
                    if held.hosts.get(key) != record or key in held.loose:
                        held.put_host(connection, key, record)
                held.put_meta(connection, "cycle_at", repr(now))

    def last_cycle_at(self) -> float | None:
        """When a cycle last ended; None when there was none."""
        with self._looking() as held:
            at = held.meta.get("cycle_at")
            return None if at is None else float(at)


def task_row(desired: Desired, status: TaskStatus, author: str) -> TaskRow:
    """A task's row; what its run and host tell is filled in when it is read."""
    task = desired.tasks.get(status.task)
    row = TaskRow(
        status.task,
        status.state,
        status.reason,
        status.why,
        status.run,
        status.host,
        status.attempt,
        status.started_at,
        status.ended_at,
        author=author,
        revision=desired.revision,
    )
    if task is None:
        return row
    return replace(
        row,
        labels=dict(task.labels),
        closed=task.closed,
        suspended=any(asked is not Suspend.NO for asked in (task.suspend, desired.fleet.suspend)),
        title=task.title,
        file=task.source.file,
        line=task.source.line,
        digest=task.steps[0].digest if task.steps else "",
        project=task.project,
        agent=str(task.agent or ""),
    )


def _present(held: Held, desired: Desired, now: float) -> dict[str, TaskRecord]:
    found = {}
    for name, task in desired.tasks.items():
        old = held.tasks.get(name)
        digest = task.steps[0].digest if task.steps else ""
        first = old.memory.first_seen_at if old else now
        fresh = TaskRecord(TaskMemory(first, digest), None, old.row if old else None)
        if fresh != old:
            found[name] = fresh
    return found


def _left(held: Held, desired: Desired, now: float) -> dict[str, TaskRecord]:
    if not desired.complete:
        return {}  # a file that cannot be read may declare it
    there = {*desired.tasks, *desired.frozen, *desired.invalid}
    return {
        name: replace(held.tasks[name], left_at=now, row=None)
        for name in held.tasks.keys() - there
        if held.tasks[name].left_at is None
    }


def _gone(held: Held, desired: Desired) -> dict[str, HostRecord]:
    found = {}
    for name, host in desired.hosts.items():
        old = held.hosts.get(name)
        if old is None and host.gone:
            found[name] = _unasked(host)
        elif old is not None and old.memory.gone != host.gone:
            found[name] = replace(old, memory=replace(old.memory, gone=host.gone))
    return found


def _unasked(host: Host) -> HostRecord:
    return HostRecord(HostMemory(host.place, gone=host.gone, reach=host.reach))


def _host_json(host: Host) -> str:
    facts = {
        "address": host.address,
        "slots": host.slots,
        "min_free": host.min_free,
        "cordoned": host.cordon or host.drain is not None,
        "draining": host.drain is not None,
        "labels": dict(host.labels),
    }
    return json.dumps(facts, sort_keys=True)
