"""What the ledger remembers, as a frozen view for deciding."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from reconciler.model.host import Place, Reach
from reconciler.model.run import Result, RunName, State


@dataclass(frozen=True, slots=True)
class RunMemory:
    """One attempt as the ledger knows it; its intent was written before the first byte went out."""

    name: RunName
    place: Place
    lease: int  # the number it was sent under
    accepted: bool = False  # its host said so, or it was seen there
    result: Result | None = None  # set when it has ended, is void, or never arrived
    rerun_key: str = "-"
    sent_at: float = 0.0
    started_at: float | None = None
    ended_at: float | None = None
    state: State = State.PREPARING  # as last seen
    collected: bool = False  # result and logs are here
    cleaned: bool = False  # nothing of it is left on its host but the completion mark
    cancel: str = ""  # why a cancel was sent
    agent: str = ""  # its Agent's name, without variant; empty for a script of the task's own
    variant: str = ""
    project: str = ""
    phase: str = ""  # as last seen: prepare, checkout, worktree, setup, work, qa
    worktree: str = ""  # the name of the worktree it works in
    branch: str = ""  # the one it was given, or said that it worked on
    pull_request_url: str = ""
    cost_usd: float | None = None  # None: its tool does not say
    cool_until: float | None = None  # RateLimited, QuotaExceeded: when its agent may go on, where that was told


@dataclass(frozen=True, slots=True)
class HostMemory:
    """What is remembered of one place under its Host name."""

    place: Place
    taken: int = 0  # the last lease number of ours it was taken under
    seen_at: float | None = None
    drain_since: float | None = None
    stuck: str = ""  # why it is cordoned automatically
    gone: bool = False  # its Host said `gone: true` when last in git: nothing there is waited for or asked again
    reach: Reach | None = None  # how to talk to it when no Host names it any more
    boot_id: str = ""  # of the machine behind it, when last seen


@dataclass(frozen=True, slots=True)
class TaskMemory:
    """What is remembered of one task."""

    first_seen_at: float
    digest: str = ""  # of its first step, when last valid
    left: bool = False  # it is not in git any more


@dataclass(frozen=True, slots=True)
class Memory:
    """The whole ledger as deciding needs it."""

    ledger: str  # its random id, 8 hex digits
    number: int = 0  # the present lease number; 0: never acted
    epoch: int = 0  # the number taken when a foreign ledger was last met
    whole: bool = False  # every host was taken at least once since then
    hosts: Mapping[str, HostMemory] = field(default_factory=dict)
    runs: Mapping[str, RunMemory] = field(default_factory=dict)  # by run name
    tasks: Mapping[str, TaskMemory] = field(default_factory=dict)
