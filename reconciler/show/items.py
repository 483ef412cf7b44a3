"""The `items` of `get … -o json`: every key is always there, null when not known."""

from collections.abc import Mapping, Sequence

from reconciler.model.host import Facts
from reconciler.model.rows import AgentRow, HostRow, ProjectRow, RunRow, TaskRow
from reconciler.show.document import Value
from reconciler.show.times import moment


def task_items(rows: Sequence[TaskRow]) -> list[Value]:
    """Tasks; `state` is what the document asks for, `phase` what is."""
    return [
        {
            **_shared(row, _asked(row), row.run),
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
            **_shared(row, _asked(tasks.get(row.task)), row.name),
            "task": row.task,
            "digest": row.digest,
            "exitCode": row.exit_code,
            "directory": row.directory or None,
            "workspaceRoot": row.workspace_root or None,
            "revision": row.revision or None,
            "collected": row.collected,
            "cleaned": row.cleaned,
            "sessionId": row.session_id or None,
            "tokens": row.tokens,
            "worktree": row.worktree or None,
            "notes": row.notes or None,
            "qa": [{"name": step.name, "exitCode": step.exit_code, "seconds": step.seconds} for step in row.qa],
        }
        for row in rows
    ]


def _shared(row: TaskRow | RunRow, asked: str | None, run: str) -> dict[str, Value]:
    """What is said of a task and of a run in the same words."""
    return {
        "name": row.name,
        "project": row.project or None,
        "agent": row.agent or None,
        "state": asked,
        "phase": str(row.state),
        "reason": row.reason or None,
        "why": row.why or None,
        "run": run or None,
        "host": row.host or None,
        "attempt": row.attempt,
        "startedAt": moment(row.started_at),
        "finishedAt": moment(row.finished_at),
        "observedAt": moment(row.observed_at),
        "summary": row.summary or None,
        "pullRequestUrl": row.pull_request_url or None,
        "branch": row.branch or None,
        "costUsd": row.cost_usd,
        "author": row.author or None,
        "labels": dict(row.labels),
    }


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


def project_items(rows: Sequence[ProjectRow]) -> list[Value]:
    """Projects; `tasks` are the open ones, `active` is how many runs work in it."""
    return [
        {
            "name": row.name,
            "gitUrl": row.git_url or None,
            "repoUrl": row.repo_url or None,
            "baseBranch": row.base_branch or None,
            "fork": row.fork or None,
            "setup": row.setup,
            "qa": list(row.qa),
            "tasks": row.tasks,
            "active": row.active,
            "costUsd": row.cost_usd,
            "labels": dict(row.labels),
            "file": row.file or None,
            "line": row.line if row.file else None,
        }
        for row in rows
    ]


def agent_items(rows: Sequence[AgentRow]) -> list[Value]:
    """Agents; `coolUntil`: nothing new of it starts before."""
    return [
        {
            "name": row.name,
            "tool": row.tool or None,
            "model": row.model or None,
            "fallback": list(row.fallback),
            "maxConcurrent": row.max_concurrent,
            "budgetUsd": row.budget_usd,
            "tasks": row.tasks,
            "active": row.active,
            "coolUntil": moment(row.cool_until),
            "costUsd": row.cost_usd,
            "labels": dict(row.labels),
            "file": row.file or None,
            "line": row.line if row.file else None,
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
