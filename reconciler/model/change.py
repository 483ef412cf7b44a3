"""What deciding says: changes, waits, what is held, and how each task stands."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from reconciler.model.run import Result, State
from reconciler.model.task import AgentRef


class Action(StrEnum):
    """The things a cycle can do to a run."""

    LAUNCH = "launch"
    CANCEL = "cancel"
    SETTLE = "settle"
    COLLECT = "collect"
    CLEANUP = "cleanup"


# Why a run is cancelled: what its host records. Another word there is not ours.
CANCEL_WORDS = frozenset({"deleted", "closed", "superseded", "replaced", "drained", "gone", "removed", "suspended"})


class TreeMode(StrEnum):
    """Where the worktree of a launch comes from.

    `FRESH` starts it from the base; `RESUME` goes on in the one that is there, else from the local or the remote
    branch, and fails when there is none; `CONTINUE` does the same, and starts it from the base when there is none.
    """

    FRESH = "fresh"
    RESUME = "resume"
    CONTINUE = "continue"


@dataclass(frozen=True, slots=True)
class Assignment:
    """Of the launch of an agent: which one, and where it works."""

    agent: AgentRef
    worktree: str  # the name of the first run of the step chain
    branch: str
    mode: TreeMode = TreeMode.FRESH
    pull_request_url: str = ""  # to go on with
    budget_usd: float | None = None  # what is left of it
    after: str = ""  # of a follow-up: the run before it


@dataclass(frozen=True, slots=True)
class Change:
    """One thing to do, on one host, and why. `detail` is what the host records (`closed`, `Vanished` …)."""

    action: Action
    task: str
    run: str
    host: str  # the key in Observed; empty for what only the ledger records
    why: str
    detail: str = ""
    last: bool = False  # launch: no attempt is left after this one
    end: Result | None = None  # cleanup: how the run ended as far as its answer was read, for its completion mark
    prune: bool = False  # it counts against the fleet's prune budget: its task left git
    work: Assignment | None = None  # launch of an agent
    worktree: str = ""  # cleanup: the path of the worktree below the workspace that goes; empty: the run directory goes


@dataclass(frozen=True, slots=True)
class Wait:
    """Why nothing is done for a task now. `person`: only a commit or a person ends it."""

    task: str
    why: str
    until: float | None = None
    host: str = ""
    person: bool = False


@dataclass(frozen=True, slots=True)
class TaskStatus:
    """A row of `get tasks`."""

    task: str
    state: State
    reason: str = ""
    why: str = ""
    run: str = ""
    host: str = ""
    attempt: int | None = None
    started_at: float | None = None
    ended_at: float | None = None


@dataclass(frozen=True, slots=True)
class Options:
    """What the caller of a cycle asked for, and facts of git that deciding needs."""

    allow_prune: bool = False
    approved: frozenset[str] = frozenset()  # tasks whose pruning a person has approved; used with allow_prune
    selector: Mapping[str, str] = field(default_factory=dict)  # launches are limited to tasks with these labels
    secrets_missing: Mapping[str, str] = field(default_factory=dict)  # task -> which secret, and what to do
    rewritten: bool = False  # the commit last acted on is no ancestor of this one
    shallow: bool = False  # the clone is too shallow to tell whether `newer` and `rewritten` are so
    newer: Mapping[str, str] = field(default_factory=dict)  # host -> foreign revision there that ours does not contain


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything one cycle would do, in the order in which it does it."""

    changes: tuple[Change, ...] = ()
    held: tuple[Change, ...] = ()
    held_why: str = ""
    waits: tuple[Wait, ...] = ()
    keeps: int = 0
    unreachable: Mapping[str, str] = field(default_factory=dict)  # host -> why
    takes: tuple[str, ...] = ()  # hosts whose lease has to be taken before the changes are carried out
    number: int = 0  # the lease number to take them with
    fresh: bool = False  # that number starts a new epoch: a foreign ledger was met, or nothing was ever taken
    statuses: Mapping[str, TaskStatus] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    forget: tuple[str, ...] = ()  # former places with nothing left on them


class Answer(StrEnum):
    """How an effect on a host went: rule one of the transport is that unknown is neither yes nor no."""

    OK = "ok"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one change."""

    change: Change
    answer: Answer
    note: str = ""  # `accepted`, `taken`, `done`, `stale`, `already`, or the error for people
