"""The `items` of `get … -o json`: every key is always there, null when not known."""

from collections.abc import Mapping, Sequence

from reconciler.model.host import Facts
from reconciler.model.rows import HostRow, RunRow, TaskRow
from reconciler.show.document import Value
from reconciler.show.times import moment


def task_items(rows: Sequence[TaskRow]) -> list[Value]:
    """Tasks; `state` is what the document asks for, `phase` what is."""
    return [
        {
            "name": row.name,
            "project": None,
            "agent": None,
            "state": _asked(row),
            "phase": str(row.state),
            "reason": row.reason or None,
            "why": row.why or None,
            "run": row.run or None,
            "host": row.host or None,
            "attempt": row.attempt,
            "startedAt": moment(row.started_at),
            "finishedAt": moment(row.finished_at),
            "observedAt": moment(row.observed_at),
            "summary": row.summary or None,
            "pullRequestUrl": None,
            "branch": None,
            "costUsd": None,
            "author": row.author or None,
            "labels": dict(row.labels),
            "suspended": row.suspended,
            "title": row.title or None,
            "file": row.file or None,
            "line": row.line if row.file else None,
        }
        for row in rows
    ]


def run_items(rows: Sequence[RunRow], tasks: Mapping[str, TaskRow]) -> list[Value]:
    """Runs, with the keys of tasks; `name` and `run` are the run's. `tasks`: the present tasks by name."""
    return [
        {
            "name": row.name,
            "project": None,
            "agent": None,
            "state": _asked(tasks.get(row.task)),
            "phase": str(row.state),
            "reason": row.reason or None,
            "why": row.why or None,
            "run": row.name,
            "host": row.host or None,
            "attempt": row.attempt,
            "startedAt": moment(row.started_at),
            "finishedAt": moment(row.finished_at),
            "observedAt": moment(row.observed_at),
            "summary": row.summary or None,
            "pullRequestUrl": None,
            "branch": None,
            "costUsd": None,
            "author": row.author or None,
            "labels": dict(row.labels),
            "task": row.task,
            "digest": row.digest,
            "exitCode": row.exit_code,
            "directory": row.directory or None,
            "workspaceRoot": row.workspace_root or None,
            "revision": row.revision or None,
            "collected": row.collected,
            "cleaned": row.cleaned,
        }
        for row in rows
    ]


def host_items(rows: Sequence[HostRow]) -> list[Value]:
    """Hosts with their facts."""
    return [
        {
            "name": row.name,
            "address": row.address or None,
            "reachable": row.reachable,
            "why": row.why or None,
            "slots": row.slots,
            "active": row.active,
            "cordoned": row.cordoned,
            "draining": row.draining,
            "observedAt": moment(row.observed_at),
            "facts": _facts(row.facts),
            "labels": dict(row.labels),
        }
        for row in rows
    ]


def _asked(row: TaskRow | None) -> str | None:
    """`open` or `closed`; None for a task that left git."""
    return None if row is None else ("closed" if row.closed else "open")


def _facts(facts: Facts) -> dict[str, Value]:
    return {
        "bootId": facts.boot_id or None,
        "uptime": facts.uptime,
        "load1": facts.load1,
        "memFree": facts.memory_free,
        "swapFree": facts.swap_free,
        "diskFree": facts.disk_free,
        "inodesFree": facts.inodes_free,
        "tools": dict(facts.tools),
    }
