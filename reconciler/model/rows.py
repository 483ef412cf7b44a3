"""What the ledger hands to show/: rows of the `get` tables and events; times in seconds since the epoch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from reconciler.model.host import Facts
from reconciler.model.run import State


class QaOutcome(NamedTuple):
    """One check of a worker's work: its exit code and how many seconds it took."""

    name: str
    exit_code: int
    seconds: int


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A task as the last cycle left it."""

    name: str
    state: State
    reason: str = ""
    why: str = ""
    run: str = ""
    host: str = ""
    attempt: int | None = None
    started_at: float | None = None
    finished_at: float | None = None
    observed_at: float | None = None
    summary: str = ""
    author: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    seen_as: str = ""  # the state it was last seen in
    closed: bool = False
    suspended: bool = False
    title: str = ""
    file: str = ""
    line: int = 1
    revision: str = ""
    digest: str = ""
    project: str = ""
    agent: str = ""  # `name` or `name:variant`
    branch: str = ""
    pull_request_url: str = ""
    cost_usd: float | None = None  # of all its runs together


@dataclass(frozen=True, slots=True)
class RunRow:
    """One attempt."""

    name: str
    task: str
    digest: str
    attempt: int
    state: State
    reason: str = ""
    why: str = ""  # of a cancel
    host: str = ""
    directory: str = ""  # below the host's workspace root
    workspace_root: str = ""
    exit_code: int | None = None
    started_at: float | None = None
    finished_at: float | None = None
    observed_at: float | None = None
    summary: str = ""
    author: str = ""
    revision: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    collected: bool = False
    cleaned: bool = False
    seen_as: str = ""  # the state it was last seen in
    phase: str = ""  # of a living run: prepare, checkout, worktree, setup, work, qa
    project: str = ""
    agent: str = ""  # `name` or `name:variant`
    worktree: str = ""  # path below the host's workspace root; empty for a script of the task's own
    branch: str = ""
    pull_request_url: str = ""
    cost_usd: float | None = None
    tokens: int | None = None
    session_id: str = ""
    notes: str = ""
    qa: tuple[QaOutcome, ...] = ()


@dataclass(frozen=True, slots=True)
class HostRow:
    """One host as the last cycle saw it."""

    name: str
    address: str = ""
    reachable: bool | None = None  # None: never asked
    why: str = ""
    slots: int = 0
    active: int = 0
    cordoned: bool = False
    draining: bool = False
    observed_at: float | None = None
    facts: Facts = Facts()
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ProjectRow:
    """A project as its document says, and what works in it now."""

    name: str
    git_url: str = ""
    repo_url: str = ""
    base_branch: str = ""  # empty: the remote's HEAD
    fork: str = ""
    setup: bool = False
    qa: tuple[str, ...] = ()  # names of its checks; `auto` alone when they are detected
    tasks: int = 0  # open tasks
    active: int = 0  # runs
    cost_usd: float | None = None  # of all its runs that are known
    labels: Mapping[str, str] = field(default_factory=dict)
    file: str = ""
    line: int = 1


@dataclass(frozen=True, slots=True)
class AgentRow:
    """An agent as its document says (or a tool that tasks name without one), and what it does now."""

    name: str
    tool: str = ""
    model: str = ""
    fallback: tuple[str, ...] = ()
    max_concurrent: int | None = None
    budget_usd: float | None = None
    tasks: int = 0  # open tasks that name it
    active: int = 0  # runs
    cool_until: float | None = None  # nothing new of it starts before
    cost_usd: float | None = None  # of all its runs that are known
    labels: Mapping[str, str] = field(default_factory=dict)
    file: str = ""
    line: int = 1


class EventType(StrEnum):
    """The words of `events --type`."""

    LAUNCHED = "launched"
    REFUSED = "refused"
    STARTED = "started"
    ENDED = "ended"
    BLOCKED = "blocked"
    FAILED = "failed"
    LOST = "lost"
    CANCELED = "canceled"
    RETRIED = "retried"
    UNSEEN = "unseen"
    SEEN = "seen"
    HELD = "held"
    APPROVED = "approved"
    INVALID = "invalid"
    CLEANED = "cleaned"
    LEASE = "lease"
    REVISION = "revision"


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the fleet's history."""

    time: float
    type: EventType
    task: str = ""
    run: str = ""
    host: str = ""
    why: str = ""
    message: str = ""
    number: int = 0  # its place in the ledger; what `events -f` goes on from
