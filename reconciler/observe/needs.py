"""What a host has to have for the work that may come to it: `host check` asks for it. Pure."""

from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import urlsplit

from reconciler.agents.registry import adapter, names
from reconciler.model.desired import Desired
from reconciler.model.host import Host
from reconciler.model.project import Fork, Project
from reconciler.model.task import Task


@dataclass(frozen=True, slots=True)
class Program:
    """A program that starts agents. `help`: the words that print its options; empty: it is not asked for them."""

    name: str  # as on the command line: a name on the PATH, or a path
    help: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Needs:
    """What is asked for beside the things that every host needs."""

    programs: tuple[Program, ...] = ()
    forges: tuple[str, ...] = ()  # where gh should be logged in
    tokens: tuple[str, ...] = ()  # those of them for which all workers bring a token of their own
    projects: bool = False  # git works for somebody there

    @property
    def fields(self) -> list[tuple[str, bytes | str]]:
        """As fields of the call (docs/protocol.md)."""
        found: list[tuple[str, bytes | str]] = []
        for program in self.programs:
            found += [("agent", program.name), ("help", "\n".join(program.help))]
            found += [("flag", flag) for flag in program.flags]
        found += [("gh", forge) for forge in self.forges]
        found += [("gh-token", forge) for forge in self.tokens]
        if self.projects:
            found.append(("git-identity", "1"))
        return found


def needs(desired: Desired, host: Host) -> Needs:
    """Takes the documents and one Host; returns what the tasks that may run there, and agents without tasks, need."""
    tasks = [task for task in desired.tasks.values() if task.agent and task.project and not task.closed]
    here = _agents([task for task in tasks if _may_run(task, host)], desired)
    elsewhere = _agents(tasks, desired) - here
    flags: dict[tuple[str, tuple[str, ...]], dict[str, None]] = {}
    for name in sorted(desired.agents):
        agent = desired.agents[name]
        if name in elsewhere or agent.tool not in names():
            continue
        tool = adapter(agent.tool)
        program = tool.program or (agent.command[0] if agent.command else "")
        if program:
            flags.setdefault((program, tool.help), {}).update(dict.fromkeys(tool.flags))
    programs = tuple(Program(name, words, tuple(found)) for (name, words), found in sorted(flags.items()))
    forges = {project.name: _forge(project) for project in desired.projects.values()}
    bare = {forge for name, forge in forges.items() if not _brings_token(desired.projects[name], desired)}
    asked = tuple(sorted({forge for forge in forges.values() if forge}))
    return Needs(programs, asked, tuple(forge for forge in asked if forge not in bare), bool(desired.projects))


def _agents(tasks: Collection[Task], desired: Desired) -> set[str]:
    named = {task.agent.name for task in tasks if task.agent}
    return named | {other for name in named if name in desired.agents for other in desired.agents[name].fallback}


def _may_run(task: Task, host: Host) -> bool:
    if task.host:
        return task.host == host.name
    return all(host.labels.get(key) == value for key, value in (task.selector or {}).items())


def _forge(project: Project) -> str:
    """Where gh works for a project; empty: nowhere."""
    forge = (urlsplit(project.repo_url).hostname or "").removeprefix("www.")
    return forge if project.fork is not Fork.NEVER or forge == "github.com" else ""


def _brings_token(project: Project, desired: Desired) -> bool:
    """Whether the project, or each task that works in it, has a token for gh among its secrets."""
    tasks = [task for task in desired.tasks.values() if task.project == project.name and not task.closed]
    return _has_token(project) or (bool(tasks) and all(_has_token(task) for task in tasks))


def _has_token(noun: Project | Task) -> bool:
    return any(secret.name in ("GH_TOKEN", "GITHUB_TOKEN") for secret in noun.secrets)
