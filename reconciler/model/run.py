"""Runs: one attempt at one step of a task, as its host reports it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class State(StrEnum):
    """What users read in the PHASE column."""

    PENDING = "Pending"
    PREPARING = "Preparing"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    BLOCKED = "Blocked"
    LOST = "Lost"
    CANCELED = "Canceled"
    UNKNOWN = "Unknown"
    CLOSED = "Closed"  # of a task alone: it was closed before anything of it ended
    VOID = "Void"  # of a run alone: claimed, and can never start any more


ENDED = frozenset(
    {State.SUCCEEDED, State.FAILED, State.BLOCKED, State.LOST, State.CANCELED, State.VOID},
)


WORKING = frozenset({"work", "qa"})  # phases of a run whose worker has started


class RunName(NamedTuple):
    """`<task>-<digest8>-<attempt>`."""

    task: str
    digest: str
    attempt: int

    def __str__(self) -> str:
        return f"{self.task}-{self.digest}-{self.attempt}"


@dataclass(frozen=True, slots=True)
class Result:
    """The end of a run: the record `result`, or the completion mark in `done/`.

    `reason`: a word of the contract; of what never started, what its host said of that.
    """

    state: State
    reason: str = ""
    exit_code: int | None = None
    last: bool = False  # no attempt was left: the step is over whatever `retries` says later

    @property
    def why(self) -> str:
        """The reason, with the exit code where there is one: `ExitCode 3`, `Timeout`."""
        return f"{self.reason} {self.exit_code}" if self.reason and self.exit_code else self.reason


@dataclass(frozen=True, slots=True)
class RunReport:
    """One run as its host sees it now. Times are controller seconds since the epoch, from the host's ages."""

    name: RunName
    directory: str = ""  # below the workspace root; empty when only the completion mark is left
    ledger: str = ""  # who launched it: 8 hex digits
    lease: int = 0  # the lease number it was launched under
    rerun_key: str = "-"
    mark: str = ""  # the nonce of its environment mark
    started: bool = False
    void: bool = False
    phase: str = ""  # prepare, checkout, worktree, setup, work, qa
    agent: str = ""  # its Agent's name, without variant; empty for a script of the task's own
    worktree: str = ""  # the name of the worktree it works in, that of the first run of the step chain
    alive: bool | None = None  # its supervisor holds the lock; None when not asked (it ended)
    survivors: int = 0  # processes that still carry the mark, counted when no supervisor lives
    cancel: str = ""  # why it is being cancelled
    result: Result | None = None
    claimed_at: float | None = None
    started_at: float | None = None
    ended_at: float | None = None
    log_bytes: int = 0
    done: bool = False  # its completion mark is set
    bad: str = ""  # its records cannot be read: the run is Unknown

    @property
    def active(self) -> bool:
        """Claimed, not ended: counts against slots, and no other attempt of its step may start."""
        return self.result is None and not self.void and not (self.done and not self.directory)
