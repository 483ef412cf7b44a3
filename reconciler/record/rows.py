"""The part of the ledger that fills the tables of `get`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from reconciler.decide.words import size
from reconciler.model.host import Facts, Place
from reconciler.model.memory import HostMemory
from reconciler.model.rows import HostRow, QaOutcome, RunRow, TaskRow
from reconciler.model.run import State
from reconciler.model.task import AgentRef
from reconciler.record import columns
from reconciler.record.held import Held
from reconciler.record.records import HostRecord, RunRecord
from reconciler.record.room import Room


class RowBook(Room):
    """Rows, in the order of names; `observed_at` is when the host was last asked with success."""

    def task_rows(self) -> tuple[TaskRow, ...]:
        """Tasks as the last cycle left them. Raises LedgerError."""
        with self._looking() as held:
            doors = _doors(held)
            rows = [columns.task_row_from_json(task.row) for _, task in sorted(held.tasks.items()) if task.row]
            runs: dict[str, list[RunRecord]] = {}
            for record in held.runs.values() if any(row.project for row in rows) else ():
                runs.setdefault(record.memory.name.task, []).append(record)
            return tuple(
                _with_work(_with_run(row, held.run(row.run) if row.run else None, doors), runs.get(row.name, ()))
                for row in rows
            )

    def run_rows(self, task: str | None = None, include_cleaned: bool = False) -> tuple[RunRow, ...]:
        """Attempts, of one task or all; those of which only a mark is left when asked for. Raises LedgerError."""
        with self._looking() as held:
            doors = _doors(held)
            records = sorted(
                (record for record in held.runs.values() if task in (None, record.memory.name.task)),
                key=lambda record: record.memory.name,
            )
            return tuple(
                run_row(record, _host_of(record, doors))
                for record in records
                if include_cleaned or not record.memory.cleaned or _lost_here(held, record)
            )

    def host_rows(self) -> tuple[HostRow, ...]:
        """Hosts, and places that no Host names any more while something is left there. Raises LedgerError."""
        with self._looking() as held:
            active: dict[str, int] = {}
            for record in held.runs.values():
                if record.memory.result is None:
                    host = record.memory.place.host
                    active[host] = active.get(host, 0) + 1
            return tuple(
                host_row(key, record, active.get(key, 0))
                for key, record in sorted(held.hosts.items())
                if record.row is not None or held.left(record.memory.place.workspace_id)
            )


def run_row(record: RunRecord, host: HostRecord | None) -> RunRow:
    """The row of one attempt; what has not been seen to end on a host that cannot be asked is Unknown."""
    run = record.memory
    result = run.result
    unknown = result is None and host is not None and bool(host.unseen)
    return RunRow(
        str(run.name),
        run.name.task,
        run.name.digest,
        run.name.attempt,
        State.UNKNOWN if unknown else run.state,
        reason=result.reason if result else "",
        why=run.cancel or (host.unseen if unknown and host else ""),
        host=run.place.host,
        directory=record.directory,
        workspace_root=run.place.workspace_root,
        exit_code=result.exit_code if result else None,
        started_at=run.started_at,
        finished_at=run.ended_at,
        observed_at=_observed_at(record, host),
        summary=record.summary,
        author=record.author,
        revision=record.revision,
        labels=json.loads(record.labels),
        collected=run.collected,
        cleaned=run.cleaned,
        seen_as=run.state.value if run.accepted else "",
        phase="" if result else run.phase,
        project=run.project,
        agent=str(AgentRef(run.agent, run.variant)),
        worktree=f"{run.project}/worktrees/{run.worktree}" if run.worktree else "",
        branch=run.branch,
        pull_request_url=run.pull_request_url,
        cost_usd=run.cost_usd,
        tokens=record.tokens,
        session_id=record.session_id,
        notes=record.notes,
        qa=tuple(QaOutcome(*step) for step in json.loads(record.qa or "[]")),
    )


def host_row(key: str, record: HostRecord, active: int) -> HostRow:
    """The row of one host."""
    host = record.memory
    said: dict[str, Any] = json.loads(record.row) if record.row is not None else {"address": host.place.address}
    why = record.unseen or host.stuck or _ordered(host, record.facts, said)
    return HostRow(
        key,
        said["address"],
        False if record.unseen else None if host.seen_at is None else True,
        why,
        said.get("slots", 0),
        active,
        bool(said.get("cordoned") or host.stuck),
        bool(said.get("draining")),
        host.seen_at,
        record.facts,
        said.get("labels", {}),
    )


def _ordered(host: HostMemory, facts: Facts, said: Mapping[str, Any]) -> str:
    if "slots" not in said:
        return "no Host names this place any more"
    if host.gone:
        return "declared gone"
    least = said.get("min_free", 0)
    if facts.disk_free is not None and facts.disk_free < least:
        return f"less than minFree {size(least)} is free: nothing new"
    return ""


def _with_run(row: TaskRow, record: RunRecord | None, doors: Mapping[object, HostRecord]) -> TaskRow:
    if record is None:
        return row
    seen_as = record.memory.state.value if record.memory.accepted else ""
    at = _observed_at(record, _host_of(record, doors))
    return replace(row, summary=record.summary, observed_at=at, seen_as=seen_as)


def _with_work(row: TaskRow, runs: Sequence[RunRecord]) -> TaskRow:
    """What its agents' runs came to: who worked, where, on the run that is shown; else the newest word counts."""
    runs = sorted(runs, key=lambda record: (str(record.memory.name) == row.run, record.memory.sent_at))
    costs = [record.memory.cost_usd for record in runs if record.memory.cost_usd is not None]
    worked = [record.memory for record in runs if record.memory.agent]
    return replace(
        row,
        agent=str(AgentRef(worked[-1].agent, worked[-1].variant)) if worked else row.agent,
        branch=next((run.branch for run in reversed(worked) if run.branch), ""),
        pull_request_url=next((run.pull_request_url for run in reversed(worked) if run.pull_request_url), ""),
        cost_usd=round(sum(costs), 6) if costs else None,
    )


def _observed_at(record: RunRecord, host: HostRecord | None) -> float | None:
    if record.memory.result is None and record.memory.accepted and host is not None:
        return host.memory.seen_at
    return record.observed_at


def _doors(held: Held) -> dict[object, HostRecord]:
    found: dict[object, HostRecord] = {}
    # Of two records of one place, a rename half done, the one seen last speaks for it.
    for _, record in sorted(held.hosts.items(), key=lambda item: (item[1].memory.seen_at or 0.0, item[0])):
        found[record.memory.place.door] = record
        if record.memory.place.workspace_id:
            found[record.memory.place.workspace_id] = record
    return found


def _host_of(record: RunRecord, doors: Mapping[object, HostRecord]) -> HostRecord | None:
    place: Place = record.memory.place
    return doors.get(place.workspace_id) or doors.get(place.door)


def _lost_here(held: Held, record: RunRecord) -> bool:
    """A run of a task in git that only we know to be lost: there is no mark to tell of it."""
    task = held.tasks.get(record.memory.name.task)
    return record.guess and record.memory.state is State.LOST and task is not None and task.row is not None
