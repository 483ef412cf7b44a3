"""Records ↔ rows of the tables. Pure; a row that makes no sense raises ValueError, TypeError or KeyError."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from reconciler.model.host import Facts, Place, Reach, Transport
from reconciler.model.memory import HostMemory, RunMemory, TaskMemory
from reconciler.model.rows import Event, EventType, TaskRow
from reconciler.model.run import Result, RunName, State
from reconciler.record.records import HostRecord, RunRecord, TaskRecord
from reconciler.show.escape import safe

MOST = (1 << 63) - 1  # the largest integer that SQLite keeps

RUN = [
    "name",
    "task",
    "digest",
    "attempt",
    "host",
    "transport",
    "address",
    "user",
    "port",
    "workspace_root",
    "workspace_id",
    "lease",
    "accepted",
    "state",
    "result",
    "reason",
    "exit_code",
    "last",
    "guess",
    "rerun_key",
    "sent_at",
    "started_at",
    "ended_at",
    "observed_at",
    "collected",
    "cleaned",
    "cancel",
    "directory",
    "revision",
    "author",
    "labels",
    "summary",
    "agent",
    "variant",
    "project",
    "phase",
    "worktree",
    "branch",
    "pull_request_url",
    "cost_usd",
    "cool_until",
    "notes",
    "session_id",
    "tokens",
    "qa",
]
HOST = [
    "key",
    "host",
    "transport",
    "address",
    "user",
    "port",
    "workspace_root",
    "workspace_id",
    "taken",
    "seen_at",
    "drain_since",
    "stuck",
    "gone",
    "unseen",
    "facts",
    "row",
    "reach",
]
TASK = ["name", "first_seen_at", "digest", "left_at", "row"]
EVENT = ["time", "type", "task", "run", "host", "why", "message"]


def insert(table: str, columns: Iterable[str]) -> str:
    """The statement that adds or replaces one row."""
    names = list(columns)
    return f"INSERT OR REPLACE INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"  # noqa: S608


def select(table: str, columns: Iterable[str]) -> str:
    """The statement that reads all rows."""
    return f"SELECT {', '.join(columns)} FROM {table}"  # noqa: S608


def run_to_row(record: RunRecord) -> tuple[Any, ...]:
    """A run as its row, in the order of RUN."""
    run = record.memory
    result = run.result
    return (
        str(run.name),
        run.name.task,
        run.name.digest,
        _fit(run.name.attempt),
        *_place(run.place),
        _fit(run.lease),
        run.accepted,
        run.state.value,
        result.state.value if result else None,
        safe(result.reason) if result else "",
        _fit(result.exit_code) if result else None,
        result.last if result else False,
        record.guess,
        run.rerun_key,
        _time(run.sent_at) or 0.0,
        _time(run.started_at),
        _time(run.ended_at),
        record.observed_at,
        run.collected,
        run.cleaned,
        safe(run.cancel),
        record.directory,
        record.revision,
        safe(record.author),
        record.labels,
        safe(record.summary),
        *map(safe, (run.agent, run.variant, run.project, run.phase, run.worktree, run.branch, run.pull_request_url)),
        _time(run.cost_usd),
        _time(run.cool_until),
        safe(record.notes),
        safe(record.session_id),
        _fit(record.tokens),
        record.qa,
    )


class Places:
    """Rows name the same few places again and again; one object serves them all."""

    def __init__(self) -> None:
        self._known: dict[tuple[Any, ...], Place] = {}

    def of(self, columns: tuple[Any, ...]) -> Place:
        """The place that seven columns name."""
        place = self._known.get(columns)
        if place is None:
            host, transport, address, user, port, root, workspace = columns
            place = Place(host, Transport(transport), address, user, port, root, workspace)
            self._known[columns] = place
        return place


_STATES = {state.value: state for state in State}


def run_from_row(row: tuple[Any, ...], places: Places) -> RunRecord:
    """The run in a row of RUN."""
    (_, task, digest, attempt) = row[:4]
    (lease, accepted, state, ended, reason, code, last, guess, rerun_key, sent_at, started_at, ended_at) = row[11:23]
    (observed_at, collected, cleaned, cancel, directory, revision, author, labels, summary) = row[23:32]
    (agent, variant, project, phase, worktree, branch, pull_request_url, cost_usd, cool_until) = row[32:41]
    memory = RunMemory(
        RunName(task, digest, attempt),
        places.of(row[4:11]),
        lease,
        bool(accepted),
        Result(_STATES[ended], reason, code, bool(last)) if ended is not None else None,
        rerun_key,
        sent_at,
        started_at,
        ended_at,
        _STATES[state],
        bool(collected),
        bool(cleaned),
        cancel,
        agent,
        variant,
        project,
        phase,
        worktree,
        branch,
        pull_request_url,
        cost_usd,
        cool_until,
    )
    return RunRecord(memory, directory, revision, author, labels, summary, observed_at, bool(guess), *row[41:])


def host_to_row(key: str, record: HostRecord) -> tuple[Any, ...]:
    """A host as its row, in the order of HOST."""
    host = record.memory
    return (
        key,
        *_place(host.place),
        _fit(host.taken),
        host.seen_at,
        host.drain_since,
        safe(host.stuck),
        host.gone,
        safe(record.unseen),
        json.dumps({key: _figure(value) for key, value in _values(record.facts).items()}),
        record.row,
        json.dumps(_values(host.reach), sort_keys=True) if host.reach else None,
    )


def host_from_row(row: tuple[Any, ...], places: Places) -> tuple[str, HostRecord]:
    """The key and the host in a row of HOST."""
    taken, seen_at, drain_since, stuck, gone, unseen, facts, shown, reach = row[8:]
    told = Facts(**json.loads(facts))
    place = places.of(row[1:8])
    memory = HostMemory(place, taken, seen_at, drain_since, stuck, bool(gone), _reach(reach), told.boot_id)
    return row[0], HostRecord(memory, unseen, told, shown)


def task_to_row(name: str, record: TaskRecord) -> tuple[Any, ...]:
    """A task as its row, in the order of TASK."""
    return (name, record.memory.first_seen_at, record.memory.digest, record.left_at, record.row)


def task_from_row(row: tuple[Any, ...]) -> tuple[str, TaskRecord]:
    """The name and the task in a row of TASK."""
    name, first_seen_at, digest, left_at, shown = row
    return name, TaskRecord(TaskMemory(first_seen_at, digest), left_at, shown)


def task_row_to_json(row: TaskRow) -> str:
    """A row of `get tasks` as text."""
    return json.dumps(_values(row), sort_keys=True)


def task_row_from_json(text: str) -> TaskRow:
    """The inverse."""
    values = json.loads(text)
    return TaskRow(**{**values, "state": State(values["state"])})


def labels_to_json(labels: Mapping[str, str]) -> str:
    """Labels as text, the same whatever their order."""
    return json.dumps(dict(labels), sort_keys=True)


def event_to_row(event: Event) -> tuple[Any, ...]:
    """An event as its row, in the order of EVENT; its number is the table's."""
    texts = (event.task, event.run, event.host, event.why, event.message)
    return (_time(event.time) or 0.0, event.type.value, *map(safe, texts))


def event_from_row(row: tuple[Any, ...]) -> Event:
    """The event in a row of `number` and EVENT."""
    number, time, kind, task, run, host, why, message = row
    return Event(time, EventType(kind), task, run, host, why, message, number)


def _place(place: Place) -> tuple[Any, ...]:
    return (
        place.host,
        place.transport.value,
        place.address,
        place.user,
        place.port,
        place.workspace_root,
        place.workspace_id,
    )


def _reach(text: str | None) -> Reach | None:
    if text is None:
        return None
    said = json.loads(text)
    return Reach(**{**said, "host_keys": tuple(said["host_keys"])})


def _time(at: float | None) -> float | None:
    """A time or another figure; a garbled report may say `nan`, which no comparison survives."""
    return at if at is not None and math.isfinite(at) else None


def _values(record: Facts | Reach | TaskRow) -> dict[str, object]:
    """By field; `asdict` would copy everything in it, only to be written down."""
    return {field.name: getattr(record, field.name) for field in fields(record)}


def _figure(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _fit(number: int | None) -> int | None:
    """A host may claim any number; what no honest one can mean is cut to what fits."""
    return None if number is None else max(-MOST, min(MOST, number))
