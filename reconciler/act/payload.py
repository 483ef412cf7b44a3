"""Changes of one host → the fields of one `act` call (docs/protocol.md). Pure: nonces are arguments."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from reconciler.act import worker as of_agents
from reconciler.act.worker import Field, Worker, fields_of
from reconciler.model.change import Action, Change
from reconciler.model.fleet import Fleet
from reconciler.model.host import Host
from reconciler.model.run import RunName, State
from reconciler.model.task import Task

# Ends that an answer may have made of what its host recorded.
TOLD = frozenset({State.SUCCEEDED, State.BLOCKED, State.FAILED})
ORDER = (Action.SETTLE, Action.CANCEL, Action.LAUNCH, Action.CLEANUP)  # frees slots before it fills them


@dataclass(frozen=True, slots=True)
class Launch:
    """What a launch needs beside its Change."""

    name: RunName
    task: Task
    mark: str  # nonce of the environment mark, hex
    secrets: Mapping[str, str]  # resolved values; they go to one 0600 file and nowhere else
    masked: frozenset[str]  # the controller's names of these secrets
    author: str
    launcher: str  # who launched: user@machine
    worker: Worker | None = None  # of the work of an agent


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
    """The operations in the order of `ORDER`; `directories` says where known runs lie, else it is their project's."""
    fields: list[Field] = []
    for action in ORDER:
        for change in changes:
            if change.action is not action:
                continue
            if change.worktree:
                fields.append(("worktree", change.worktree))
                continue
            launch = launches.get(change.run)
            project = launch.worker.project.name if launch and launch.worker else "_"
            fields.append((action.value, directories.get(change.run) or f"{project}/runs/{change.run}"))
            if action is Action.CANCEL:
                fields.append(("why", change.detail))
            elif action is Action.CLEANUP and change.end and change.end.state in TOLD:
                fields += [("state", change.end.state.lower()), ("reason", change.end.reason)]
            elif action is Action.LAUNCH:
                fields.extend(_launch(launches[change.run], change, host, fleet, revision))
    return fields


def _launch(launch: Launch, change: Change, host: Host, fleet: Fleet, revision: str) -> Iterable[Field]:
    task = launch.task
    asked: dict[str, object] = {
        "fleet": fleet.name,
        "task": task.name,
        "run": str(launch.name),
        "digest": launch.name.digest,
        "attempt": launch.name.attempt,
        "limit": task.retries.limit,
        "last": change.last,
        "host": host.name,
        "revision": revision,
        "file": task.source.file,
        "line": task.source.line,
        "author": launch.author,
        "launchedBy": launch.launcher,
        "labels": dict(task.labels),
        "title": task.title,
        "secrets": sorted(launch.masked),  # names: what to mask when logs come home
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
    worker = launch.worker
    if worker is not None:
        asked.update(of_agents.asked(task, worker))
        settings.update(of_agents.settings(task, worker))
    yield "attempt", str(launch.name.attempt)
    yield "rerun_key", task.rerun_key
    yield "mark", launch.mark
    yield "settings", "".join(f"{key}={value}\n" for key, value in settings.items())
    yield "environment", fields_of(of_agents.environment(host, task, worker))
    yield "secrets", fields_of(launch.secrets)
    yield "file.run.json", json.dumps(asked, indent=1, ensure_ascii=False) + "\n"
    if worker is None:
        yield "file.worker.sh", task.script
    else:
        yield from of_agents.fields(task, worker)


def _seconds(duration: int | None) -> str:
    return "" if duration is None else str(duration)
