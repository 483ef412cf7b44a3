"""What a host says of a run, taken into what the ledger knows of it. Pure."""

from dataclasses import dataclass, replace

from reconciler.model.host import Place
from reconciler.model.memory import RunMemory
from reconciler.model.rows import EventType
from reconciler.model.run import WORKING, Result, RunReport, State
from reconciler.record.records import RunRecord

# A completion mark whose text says nothing still says that the run is over.
UNTOLD = Result(State.LOST, "SupervisorGone", last=True)

END_EVENT = {
    State.SUCCEEDED: EventType.ENDED,
    State.FAILED: EventType.FAILED,
    State.BLOCKED: EventType.BLOCKED,
    State.LOST: EventType.LOST,
    State.CANCELED: EventType.CANCELED,
}


@dataclass(frozen=True, slots=True)
class Turn:
    """A transition of a run: what `events` tells, and when it happened as far as anybody knows."""

    type: EventType
    at: float
    why: str = ""


def merge(known: RunRecord | None, report: RunReport, place: Place, now: float) -> tuple[RunRecord, tuple[Turn, ...]]:
    """Takes the record of a run (None: never heard of) and its report at `place`; returns the record now, and turns.

    The record is the very same object when nothing changed.
    """
    if known is None:
        return _first(report, place, now)
    if _elsewhere(known, place) or _settled(known, report, place):
        return known, ()
    old = known.memory
    ended = _end(report, old.result)
    back = known.guess and ended is None and report.active and not report.bad
    firm = old.result is not None and not known.guess
    result = old.result if firm or (ended is None and not back) else ended
    replaced = known.guess and (back or ended is not None)
    memory = replace(
        old,
        place=place,
        accepted=True,
        result=result,
        rerun_key=report.rerun_key if old.rerun_key == "-" else old.rerun_key,
        started_at=old.started_at if old.started_at is not None else report.started_at,
        ended_at=_ended_at(result, None if replaced else old.ended_at, report.ended_at, now),
        state=result.state if result else _state(report),
        collected=old.collected and not back,
        cleaned=report.done and not report.directory,
        cancel=old.cancel or report.cancel,
        agent=old.agent or report.agent,
        project=old.project or _project(report),
        phase=report.phase or old.phase,
        worktree=old.worktree or report.worktree,
    )
    fresh = replace(
        known,
        memory=memory,
        directory=report.directory or known.directory,
        guess=known.guess and not replaced,
    )
    if fresh == known:
        return known, ()
    return replace(fresh, observed_at=now), _turns(old, memory, report, now)


def _first(report: RunReport, place: Place, now: float) -> tuple[RunRecord, tuple[Turn, ...]]:
    result = _end(report, None)
    times = (report.claimed_at, report.started_at, report.ended_at, now)
    memory = RunMemory(
        report.name,
        place,
        report.lease,
        accepted=True,
        result=result,
        rerun_key=report.rerun_key,
        sent_at=next(time for time in times if time is not None),
        started_at=report.started_at,
        ended_at=_ended_at(result, None, report.ended_at, now),
        state=result.state if result else _state(report),
        cleaned=report.done and not report.directory,
        cancel=report.cancel,
        agent=report.agent,
        project=_project(report),
        phase=report.phase,
        worktree=report.worktree,
        # What it was given, unless it goes on with what others began; its run.json says so once it is collected.
        branch=f"reconciler/{report.name}" if report.worktree == str(report.name) else "",
    )
    record = RunRecord(memory, report.directory, observed_at=now, guess=result is UNTOLD)
    return record, () if memory.cleaned else _turns(None, memory, report, now)


def _elsewhere(known: RunRecord, place: Place) -> bool:
    """It was seen in another workspace, and what it is there stands: this one is a copy.

    Where that one was wiped before it ended, its namesake, of a controller that could not know of it, takes its place.
    """
    old = known.memory
    if not old.accepted or known.guess or old.place.workspace_id in ("", place.workspace_id):
        return False
    return old.result is not None or old.place.door != place.door


def _settled(known: RunRecord, report: RunReport, place: Place) -> bool:
    """Nothing about it can change any more but its place and whether its directory is there: most runs, most times."""
    old = known.memory
    return (
        old.result is not None
        and not known.guess
        and old.accepted
        and old.cleaned == (report.done and not report.directory)
        and report.directory in ("", known.directory)
        and old.place == place
        and (old.started_at is not None or report.started_at is None)
        and (bool(old.cancel) or not report.cancel)
    )


def _end(report: RunReport, remembered: Result | None) -> Result | None:
    if report.bad:
        return None
    if remembered is not None and remembered.state is State.VOID and report.void:
        return remembered  # and why
    if report.result is not None:
        return report.result
    if report.void:
        return Result(State.VOID)
    return None if report.active else remembered or UNTOLD


def _project(report: RunReport) -> str:
    """Its run directory lies in the project's; what belongs to none lies in `_`."""
    project = report.directory.partition("/")[0]
    return "" if project == "_" else project


def _state(report: RunReport) -> State:
    if report.bad:
        return State.UNKNOWN
    return State.RUNNING if report.started and report.phase in WORKING else State.PREPARING


def _ended_at(result: Result | None, known: float | None, reported: float | None, now: float) -> float | None:
    if result is None:
        return None
    return next(time for time in (known, reported, now) if time is not None)


def _turns(old: RunMemory | None, new: RunMemory, report: RunReport, now: float) -> tuple[Turn, ...]:
    turns = []
    before = old.state if old else State.PREPARING
    worked = new.state is State.RUNNING or (new.result is not None and report.started and report.phase in WORKING)
    if old is not None and old.result is not None and new.result is None:
        turns.append(Turn(EventType.SEEN, now, f"it is there again, it was taken for {old.state}"))
    elif before is State.PREPARING and worked:
        turns.append(Turn(EventType.STARTED, now if new.started_at is None else new.started_at))
    before_end = old.result.state if old is not None and old.result is not None else None
    if new.result is not None and new.result.state is not before_end and new.state in END_EVENT and not untold(new):
        at = now if new.ended_at is None else new.ended_at
        turns.append(Turn(END_EVENT[new.state], at, why_ended(new)))
    return tuple(turns)


def untold(run: RunMemory) -> bool:
    """Takes an ended run; returns whether its agent's output is still to be read.

    That may make it another end, or tell what it asks.
    """
    return bool(run.agent) and not run.collected and run.state in (State.SUCCEEDED, State.FAILED, State.BLOCKED)


def why_ended(run: RunMemory) -> str:
    """`ExitCode 3`, `Timeout`, or the why of a cancel."""
    if run.result is None:
        return ""
    if run.result.state is State.CANCELED and run.cancel:
        return run.cancel
    return run.result.why
