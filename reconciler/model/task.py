"""Work that shall get done."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import NamedTuple

from reconciler.model.fleet import Suspend
from reconciler.model.problem import Source


class Priority(IntEnum):
    """Higher goes first."""

    LOW = 0
    NORMAL = 1
    HIGH = 2
    URGENT = 3


class UpdatePolicy(StrEnum):
    """What a new digest does to an active run of the old one."""

    RESTART = "restart"
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True)
class Retries:
    """How often a failed or lost attempt is followed by another; seconds, doubled up to the maximum."""

    limit: int = 0
    backoff: int = 30
    max_backoff: int = 1800


@dataclass(frozen=True, slots=True)
class Secret:
    """`name` in the worker's environment, `origin` the controller's name for it."""

    name: str
    origin: str


@dataclass(frozen=True, slots=True)
class Step:
    """One piece of a task's work, known by 8 hex digits of its digest; the task itself is the first.

    `request` is what a follow-up asks for, on the branch and in the worktree of the step before it.
    """

    digest: str
    request: str = ""


class AgentRef(NamedTuple):
    """`name` or `name:variant`, as a task says who works."""

    name: str
    variant: str = ""

    def __str__(self) -> str:
        return f"{self.name}:{self.variant}" if self.variant else self.name


class StartKind(StrEnum):
    """What a worktree can start from other than the project's base branch."""

    BRANCH = "branch"
    TAG = "tag"
    PULL = "pull"


class Start(NamedTuple):
    """Task `base`: the branch, tag or number of the pull request that its worktree starts from."""

    kind: StartKind
    name: str


@dataclass(frozen=True, slots=True)
class QaStep:
    """One check of a worker's work: a script, run in the worktree."""

    name: str
    script: str


@dataclass(frozen=True, slots=True)
class Qa:
    """What a worker's work has to pass; `auto`: what the files in the worktree suggest."""

    auto: bool = False
    steps: tuple[QaStep, ...] = ()


@dataclass(frozen=True, slots=True)
class Template:
    """Which prompt template is used, what is put in front of it, and what it is filled with."""

    name: str = "coding"
    persona: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Task:
    """A Task document with the fleet's defaults filled in; durations in seconds, None for never."""

    name: str
    steps: tuple[Step, ...]
    script: str = ""  # the `run` key; empty for the work of an agent
    project: str = ""  # with `agent` and `prompt`
    agent: AgentRef | None = None
    prompt: str = ""
    qa: Qa | None = None  # None: what the project says; without auto and steps: none
    start: Start | None = None  # the `base` key
    issue: int | None = None
    template: Template = Template()
    labels: Mapping[str, str] = field(default_factory=dict)
    title: str = ""
    description: str = ""
    closed: bool = False
    suspend: Suspend = Suspend.NO
    priority: Priority = Priority.NORMAL
    host: str = ""
    selector: Mapping[str, str] | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[Secret, ...] = ()
    timeout: int | None = 86_400
    idle_timeout: int | None = None
    retries: Retries = Retries()
    replace_after: int | None = None
    depends_on: tuple[str, ...] = ()
    rerun_key: str = "-"  # 8 hex digits over the `rerun` value, `-` without one
    update_policy: UpdatePolicy = UpdatePolicy.RESTART
    source: Source = Source("")
