"""Everything one cycle knows, joined: each run with its host now, its report and its memory."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING

from reconciler.decide.hosts import Spot, spots
from reconciler.decide.whereabouts import ways
from reconciler.model.change import CANCEL_WORDS, Options
from reconciler.model.desired import Desired
from reconciler.model.memory import Memory, RunMemory
from reconciler.model.observed import Observed, Seen, Unseen
from reconciler.model.run import WORKING, Result, RunName, RunReport, State

if TYPE_CHECKING:
    from reconciler.decide.steps import Standing

_RUN = re.compile(r"([a-z0-9][a-z0-9-]*)-([0-9a-f]{8})-([1-9][0-9]{0,8})\Z")

# A mark whose text says nothing still says that the run is over: finished work never runs again.
UNTOLD = Result(State.LOST, "SupervisorGone", last=True)

VOID = Result(State.VOID)

# Ends of which the worker has the last word: its output may make each of them another, or Blocked.
TELLING = (State.SUCCEEDED, State.FAILED)


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """One run as far as anybody knows it; it is made once a cycle, and equal to itself alone."""

    id: str  # its name as text
    name: RunName
    spot: Spot | None  # where it is now; None when its place is given up
    report: RunReport | None = None
    memory: RunMemory | None = None
    wiped: bool = False  # its place was seen with another workspace
    late: bool = False  # it was sent after its host was asked: that report cannot know it
    result: Result | None = field(init=False)  # how it ended; None while it lives or may live

    def __post_init__(self) -> None:
        """The end is asked for again and again: it is found once."""
        object.__setattr__(self, "result", _end(self.report, self.memory))

    @property
    def host(self) -> str:
        """The key of its host, or the name it was sent to."""
        if self.spot:
            return self.spot.key
        return self.memory.place.host if self.memory else ""

    @property
    def seen(self) -> Seen | None:
        """The report of its host."""
        return self.spot.seen if self.spot else None

    @property
    def active(self) -> bool:
        """Seen, readable and not ended."""
        return self.report is not None and not self.report.bad and self.result is None

    @property
    def state(self) -> State:
        """The word for the PHASE column."""
        if self.result is not None:
            return self.result.state
        if self.report is not None:
            working = self.report.started and self.report.phase in WORKING
            return State.UNKNOWN if self.report.bad else State.RUNNING if working else State.PREPARING
        asking = self.spot is not None and isinstance(self.spot.look, Unseen) and self.spot.look.asking
        known = self.memory is not None and (self.seen is not None or asking)
        return self.memory.state if self.memory is not None and known else State.UNKNOWN

    @property
    def void(self) -> bool:
        """It never started and never will."""
        return self.result is not None and self.result.state is State.VOID

    @property
    def failed(self) -> bool:
        """It ended, and not well: another attempt may follow. A cancel that nobody sent is the worker's own doing."""
        if self.result is None:
            return False
        forged = self.result.state is State.CANCELED and bool(self.cancel) and self.cancel not in CANCEL_WORDS
        return forged or self.result.state in (State.FAILED, State.LOST)

    @property
    def collected(self) -> bool:
        """Its result and logs are on the controller."""
        return self.memory is not None and self.memory.collected

    @property
    def coming(self) -> bool:
        """It ended, and result and logs are still to be collected from a host that was seen."""
        if self.result is None or self.void or self.collected:
            return False
        here = self.report is not None and not self.report.bad and not (self.spot and self.spot.stranger)
        return here and bool(self.directory)

    @property
    def untold(self) -> bool:
        """It ended, and what its worker said of that is not here yet: it may turn out to be another end."""
        return self.result is not None and self.result.state in TELLING and self.coming

    @property
    def cancel(self) -> str:
        """Why it was cancelled: the word that its host recorded."""
        return (self.report.cancel if self.report else "") or (self.memory.cancel if self.memory else "")

    @property
    def agent(self) -> str:
        """The name of its Agent; empty for a script of the task's own, and when nobody knows."""
        return (self.report.agent if self.report else "") or (self.memory.agent if self.memory else "")

    @property
    def variant(self) -> str:
        """The variant of its Agent, as far as the ledger knows."""
        return self.memory.variant if self.memory and self.memory.agent == self.agent else ""

    @property
    def worktree(self) -> str:
        """The name of the worktree it works in; empty for a script of the task's own, and when nobody knows."""
        return (self.report.worktree if self.report else "") or (self.memory.worktree if self.memory else "")

    @property
    def generation(self) -> str:
        """The digest of the first step that its worktree was made for; empty when nobody knows."""
        return self.worktree.rpartition("-")[0].rpartition("-")[2]

    def uses(self, tree: str) -> bool:
        """Whether it works in the worktree of that name, as far as anybody knows."""
        return tree in (self.worktree, self.id)

    @property
    def directory(self) -> str:
        """Its run directory, when its host shows one."""
        return self.report.directory if self.report else ""

    @property
    def ended_at(self) -> float | None:
        """When it ended, if anybody knows. What the ledger noted stands: a host's clock may have been set since."""
        if self.memory is not None and self.memory.ended_at is not None:
            return self.memory.ended_at
        return self.report.ended_at if self.report is not None else None

    @property
    def started_at(self) -> float | None:
        """When its worker started, if anybody knows; as with its end."""
        if self.memory is not None and self.memory.started_at is not None:
            return self.memory.started_at
        return self.report.started_at if self.report is not None else None

    @property
    def rerun_key(self) -> str:
        """The `rerun` value it was launched for."""
        if self.report and not self.report.bad:
            return self.report.rerun_key
        return self.memory.rerun_key if self.memory else "-"


@dataclass(frozen=True, slots=True)
class Scene:
    """The input of a cycle, joined once."""

    desired: Desired
    memory: Memory
    now: float
    options: Options
    spots: Mapping[str, Spot]
    runs: tuple[Known, ...]
    unreported: tuple[Known, ...]  # those of them that no host shows
    tasks: Mapping[str, tuple[Known, ...]]  # the runs of each task, old digests too, by attempt
    trees: Mapping[tuple[str, str], int]  # (task, digest) -> the highest attempt that left a worktree somewhere
    standings: dict[str, "Standing"] = field(default_factory=dict)  # where tasks stand, filled in by who asks first

    def step(self, task: str, digest: str) -> tuple[Known, ...]:
        """The runs of one step of a task, by attempt."""
        return tuple([known for known in self.tasks.get(task, ()) if known.name.digest == digest])

    def unseen_for(self, known: Known) -> float | None:
        """For how many seconds its host has not answered; None when nobody knows."""
        spot = known.spot
        if spot and spot.memory and spot.memory.seen_at is not None:
            return self.now - spot.memory.seen_at
        return None

    def replaceable_at(self, known: Known) -> float | None:
        """When the task's `replaceAfter` stops counting this run as possible; None: never."""
        task = self.desired.tasks.get(known.name.task)
        if task is None or task.replace_after is None or known.memory is None or known.report is not None:
            return None
        if known.spot is None or known.spot.host.gone:
            return None  # it is recorded as lost, which says more
        age = self.unseen_for(known)
        return (known.memory.sent_at if age is None else self.now - age) + task.replace_after

    def busy(self, known: Known) -> bool:
        """Whether it lives or may live: no other run of its task may start."""
        if known.result is not None:
            return False
        until = self.replaceable_at(known) if known.seen is None else None
        return until is None or self.now < until

    def left_git(self, task: str) -> bool:
        """Whether no document declares the task any more."""
        desired = self.desired
        return not (task in desired.tasks or task in desired.invalid or task in desired.frozen)


def run_of(tree: str) -> RunName | None:
    """Takes the name of a worktree; returns the run that it was made for, None when that is no run's name."""
    match = _RUN.match(tree)
    return RunName(match[1], match[2], int(match[3])) if match else None


def look(desired: Desired, observed: Observed, memory: Memory, now: float, options: Options) -> Scene:
    """Takes the input of `decide`; returns it joined, the same whatever order it came in."""
    found = spots(desired, observed, memory)
    at = ways(found)
    runs = []
    for there in found.values():
        for name, report in there.seen.runs.items() if there.seen else ():
            runs.append(Known(name, report.name, there, report, memory.runs.get(name)))
    reported = {known.id for known in runs}
    for name, run in memory.runs.items():
        if name not in reported:
            spot, wiped = at.locate(run.place)
            asked = spot.seen.asked_at if spot and spot.seen else None
            late = asked is not None and asked < run.sent_at <= now  # beyond now: a clock was set back since
            runs.append(Known(name, run.name, spot, None, run, wiped, late=late))
    runs.sort(key=lambda known: (known.name, known.host))
    return Scene(
        desired,
        memory,
        now,
        options,
        found,
        tuple(runs),
        tuple(known for known in runs if known.report is None),
        {task: tuple(of) for task, of in groupby(runs, lambda known: known.name.task)},
        _trees(found),
    )


def _trees(found: Mapping[str, Spot]) -> dict[tuple[str, str], int]:
    highest: dict[tuple[str, str], int] = {}
    for spot in found.values():
        for run in map(run_of, spot.seen.worktrees if spot.seen else ()):
            if run:
                highest[run[:2]] = max(run.attempt, highest.get(run[:2], 0))
    return highest


def _end(report: RunReport | None, memory: RunMemory | None) -> Result | None:
    """What a host says now outranks the ledger, but for what that has read since."""
    remembered = memory.result if memory else None
    if report is None or report.bad:
        return remembered
    if remembered is not None and remembered.state is State.VOID and report.void:
        return remembered  # and why
    if report.result is not None:
        told = memory is not None and memory.collected and remembered is not None and _told(remembered, report.result)
        return remembered if told else report.result
    if report.void:
        return VOID
    return None if report.active else remembered or UNTOLD


def _told(remembered: Result, reported: Result) -> bool:
    """Whether the ledger knows better than the host how a run ended, since it has read what the worker said of it."""
    return reported.state in TELLING and remembered.state in (State.BLOCKED, *TELLING)
