"""Changes of one host → the fields of one `act` call (docs/protocol.md). Pure: nonces are arguments."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from reconciler.model.change import Action, Change
from reconciler.model.fleet import Fleet
from reconciler.model.host import Host
from reconciler.model.run import RunName, State
from reconciler.model.task import Task

Field = tuple[str, bytes | str]

TOLD = frozenset({State.BLOCKED, State.FAILED})  # ends that an answer may have made of what its host recorded
ORDER = (Action.SETTLE, Action.CANCEL, Action.LAUNCH, Action.CLEANUP)  # frees slots before it fills them


@dataclass(frozen=True, slots=True)
class Launch:
    """What a launch needs beside its Change."""

    name: RunName
    task: Task
    mark: str  # nonce of the environment mark, hex
    secrets: Mapping[str, str]  # resolved values; they go to one 0600 file and nowhere else
    author: str
    launcher: str  # who launched: user@machine


def head(host: Host, fleet: Fleet, ledger: str, number: int, revision: str) -> list[Field]:
    """The fields that every changing call carries."""
    return [
        ("root", host.workspace_root),
        ("prelude", host.shell_prelude),
        ("fleet_id", fleet.id),
        ("fleet_name", fleet.name),
        ("host_name", host.name),
        ("ledger", ledger),
        ("number", str(number)),
        ("revision", revision),
    ]


def operations(
    changes: Sequence[Change],
    directories: Mapping[str, str],
    launches: Mapping[str, Launch],
    host: Host,
    fleet: Fleet,
    revision: str,
) -> list[Field]:
    """The operations in the order of `ORDER`; `directories` says where known runs lie, new ones go to `_/runs`."""
    fields: list[Field] = []
    for action in ORDER:
        for change in changes:
            if change.action is not action:
                continue
            directory = directories.get(change.run) or f"_/runs/{change.run}"
            fields.append((action.value, directory))
            if action is Action.CANCEL:
                fields.append(("why", change.detail))
            elif action is Action.CLEANUP and change.end and change.end.state in TOLD:
                fields += [("state", change.end.state.lower()), ("reason", change.end.reason)]
            elif action is Action.LAUNCH:
                fields.extend(_launch(launches[change.run], change, host, fleet, revision))
    return fields


def _launch(launch: Launch, change: Change, host: Host, fleet: Fleet, revision: str) -> Iterable[Field]:
    task = launch.task
    asked = {
        "fleet": fleet.name,
        "task": task.name,
        "run": str(launch.name),
        "digest": launch.name.digest,
        "attempt": launch.name.attempt,
        "limit": task.retries.limit,
        "last": change.last,
        "agent": None,
        "host": host.name,
        "revision": revision,
        "file": task.source.file,
        "line": task.source.line,
        "author": launch.author,
        "launchedBy": launch.launcher,
        "labels": dict(task.labels),
        "title": task.title,
        "secrets": sorted({secret.origin for secret in task.secrets}),  # names: what to mask when logs come home
    }
    settings = {
        "fleet": fleet.name,
        "task": task.name,
        "run": str(launch.name),
        "mark": launch.mark,
        "last": "1" if change.last else "0",
        "timeout": _seconds(task.timeout),
        "idle_timeout": _seconds(task.idle_timeout),
    }
    environment = {**host.env, **task.env}
    yield "attempt", str(launch.name.attempt)
    yield "rerun_key", task.rerun_key
    yield "mark", launch.mark
    yield "settings", "".join(f"{key}={value}\n" for key, value in settings.items())
    yield "environment", fields_of(environment)
    yield "secrets", fields_of(launch.secrets)
    yield "file.run.json", json.dumps(asked, indent=1, ensure_ascii=False) + "\n"
    yield "file.worker.sh", task.script


def fields_of(values: Mapping[str, str]) -> bytes:
    """A mapping in the field format of a payload: `<key> <bytes>`, the value, a line end."""
    lines = [b"%b %d\n%b\n" % (key.encode(), len(value.encode()), value.encode()) for key, value in values.items()]
    return b"".join(lines)


def _seconds(duration: int | None) -> str:
    return "" if duration is None else str(duration)
