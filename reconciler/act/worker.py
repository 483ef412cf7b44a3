"""The work of an agent → the fields of its launch (docs/protocol.md). Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from reconciler.agents.adapter import Command
from reconciler.model.agent import Agent
from reconciler.model.change import Assignment
from reconciler.model.host import Host
from reconciler.model.project import Project
from reconciler.model.task import Qa, Secret, Task

Field = tuple[str, bytes | str]


@dataclass(frozen=True, slots=True)
class Worker:
    """What the launch of an agent carries beside its task."""

    project: Project
    agent: Agent
    work: Assignment
    command: Command
    prompt: str
    schema: str  # JSON text of the result schema


def environment(host: Host, task: Task, worker: Worker | None) -> dict[str, str]:
    """The worker's environment: Task over Project over Agent over Host over what the tool itself needs."""
    if worker is None:
        return {**host.env, **task.env}
    return {**worker.command.environment, **host.env, **worker.agent.env, **worker.project.env, **task.env}


def secrets(task: Task, project: Project | None, agent: Agent | None) -> tuple[Secret, ...]:
    """The secrets of a worker, one for each name: Task over Project over Agent."""
    found: dict[str, Secret] = {}
    for noun in (agent, project, task):
        for secret in noun.secrets if noun else ():
            found[secret.name] = secret
    return tuple(found.values())


def checks(task: Task, project: Project) -> Qa:
    """What the work has to pass: the task's own checks, else the project's."""
    return (task.qa if task.qa is not None else project.qa) or Qa()


def asked(task: Task, worker: Worker) -> dict[str, object]:
    """What run.json says of it."""
    qa = checks(task, worker.project)
    return {
        "project": worker.project.name,
        "agent": worker.agent.name,
        "variant": worker.work.agent.variant,
        "tool": worker.agent.tool,
        "worktree": worker.work.worktree,
        "branch": worker.work.branch,
        "pullRequestUrl": worker.work.pull_request_url or None,
        "qa": qa.auto or bool(qa.steps),
    }


def settings(task: Task, worker: Worker) -> dict[str, str]:
    """What the host's scripts have to know."""
    project, work, qa = worker.project, worker.work, checks(task, worker.project)
    return {
        "project": project.name,
        "worktree": work.worktree,
        "tree_mode": work.mode.value,
        "branch": work.branch,
        "git_url": project.git_url,
        "repo_url": project.repo_url,
        "fork": project.fork.value,
        "base": project.base_branch,
        "start": f"{task.start.kind.value}:{task.start.name}" if task.start else "",
        "issue": str(task.issue or ""),
        "stdin": worker.command.stdin,
        "events": "1" if worker.command.events else "0",
        "qa": "auto" if qa.auto else "steps" if qa.steps else "",
    }


def fields(task: Task, worker: Worker) -> Iterable[Field]:
    """The fields that only such a launch has."""
    tree = worker.work.worktree.removeprefix(f"{task.name}-")
    yield "worker", f"a={worker.agent.name};w={tree}"
    yield "file.command", _listed((word.kind.value, word.text) for word in worker.command.words)
    yield "file.prompt.md", worker.prompt
    yield "file.result-schema.json", worker.schema
    if worker.project.setup:
        yield "file.setup.sh", worker.project.setup
    if steps := checks(task, worker.project).steps:
        yield "file.qa", _listed((step.name, step.script) for step in steps)


def fields_of(values: Mapping[str, str]) -> bytes:
    """A mapping in the field format of a payload: `<key> <bytes>`, the value, a line end."""
    return _listed(values.items())


def _listed(pairs: Iterable[tuple[str, str]]) -> bytes:
    return b"".join(b"%b %d\n%b\n" % (key.encode(), len(value.encode()), value.encode()) for key, value in pairs)
