"""The first pass: one verdict for every run, the first rung of the ladder that holds it."""

from collections.abc import Callable
from dataclasses import dataclass

from reconciler.decide import words
from reconciler.decide.scene import Known, Scene
from reconciler.decide.steps import leg_of
from reconciler.model.change import Action, Change, Wait
from reconciler.model.fleet import Suspend
from reconciler.model.observed import Unseen
from reconciler.model.run import State
from reconciler.model.task import UpdatePolicy


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is done about one run: a change, a wait, or neither, which is Keep."""

    known: Known
    why: str
    change: Change | None = None
    wait: Wait | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One run before the ladder."""

    scene: Scene
    known: Known
    overdue: bool  # retention is over for its directory

    @property
    def gone(self) -> bool:
        """Its host is declared gone, or its place was given up."""
        return self.known.spot is None or self.known.spot.host.gone

    def keep(self, why: str) -> Verdict:
        """Nothing to do."""
        return Verdict(self.known, why)

    def wait(self, why: str, until: float | None = None) -> Verdict:
        """Nothing can be done now."""
        return Verdict(self.known, why, wait=Wait(self.known.name.task, why, until, self.known.host))

    def change(
        self, action: Action, why: str, detail: str = "", *, prune: bool = False, local: bool = False
    ) -> Verdict:
        """Something is to be done: on its host, or (`local`) in the ledger alone."""
        name = self.known.name
        host = "" if local else self.known.host
        last = local and detail != "NeverArrived" and self._last_attempt()
        end = self.known.result if action is Action.CLEANUP else None
        change = Change(action, name.task, self.known.id, host, why, detail, last=last, prune=prune, end=end)
        return Verdict(self.known, why, change)

    def _last_attempt(self) -> bool:
        task = self.scene.desired.tasks.get(self.known.name.task)
        return task is not None and leg_of(self.scene, task, self.known).used + 1 > task.retries.limit


Rung = Callable[[Case], Verdict | None]


def judge(scene: Scene, known: Known, overdue: bool) -> Verdict:
    """Takes a run and whether its retention is over; returns its only verdict."""
    case = Case(scene, known, overdue)
    for rung in LIVING if known.result is None else ENDED:
        verdict = rung(case)
        if verdict is not None:
            return verdict
    return case.keep("nothing to do")


def stranger(case: Case) -> Verdict | None:
    """Its host is neither declared nor on the books."""
    spot = case.known.spot
    if spot is None or not spot.stranger:
        return None
    why = f"host {spot.key} is not declared: nothing is done there"
    return case.wait(why) if case.known.result is None else case.keep(why)


def unreadable(case: Case) -> Verdict | None:
    """Its records cannot be read: it may be anything."""
    report = case.known.report
    if report is None or not report.bad:
        return None
    why = f"{case.known.id} on {case.known.host} is unknown, its records cannot be read: {report.bad}"
    return case.wait(why) if case.known.result is None else case.keep(why)


def unseen(case: Case) -> Verdict | None:
    """Row 1: its host cannot be asked. Nobody waits for a host that is declared gone."""
    known, spot = case.known, case.known.spot
    if known.seen is not None:
        return None
    if known.result is not None:
        return case.keep("ended; its host is unseen")
    asking = spot is not None and isinstance(spot.look, Unseen) and spot.look.asking
    # A gone host that may still answer in this cycle is heard first: a living run there is cancelled, not doubled.
    if case.gone and not asking:
        return case.change(Action.SETTLE, f"host {known.host} is declared gone", "HostGone", local=True)
    why = spot.look.why if spot is not None and isinstance(spot.look, Unseen) else ""
    sentence = words.unseen(known.host, why, asking=asking, age=case.scene.unseen_for(known))
    until = case.scene.replaceable_at(known)
    return case.wait(sentence, until if until is not None and until > case.scene.now else None)


def dead(case: Case) -> Verdict | None:
    """Row 2: claimed or started, and no supervisor lives. Its host decides between void and lost."""
    report = case.known.report
    if not case.known.active or report is None or report.alive is not False:
        return None
    return case.change(Action.SETTLE, "its supervisor is gone" if report.started else "claimed, and nothing started it")


def uncollected(case: Case) -> Verdict | None:
    """Row 3: ended, and result and logs are not here yet."""
    known = case.known
    if known.result is None or not known.directory or known.collected or known.void:
        return None
    return case.change(Action.COLLECT, f"ended {words.ended(known.result.state, known.result.why)}")


def prunable(case: Case) -> Verdict | None:
    """Row 3: ended, and its task left git."""
    if not case.known.directory or not case.scene.left_git(case.known.name.task):
        return None
    return case.change(Action.CLEANUP, f"task {case.known.name.task} left git", "deleted", prune=True)


def left_behind(case: Case) -> Verdict | None:
    """Row 3: ended, at a place that no Host names any more."""
    spot = case.known.spot
    if not case.known.directory or spot is None or not spot.host.former:
        return None
    return case.change(Action.CLEANUP, f"host {spot.key} was removed", "removed")


def expired(case: Case) -> Verdict | None:
    """Row 3: ended, and retention is over."""
    if not case.overdue:
        return None
    return case.change(Action.CLEANUP, "retention is over", "retention")


def ended(case: Case) -> Verdict | None:
    """Row 3: ended, and nothing is to be done about it."""
    return case.keep("ended")


def canceling(case: Case) -> Verdict | None:
    """Row 4: a cancel is being carried out."""
    report = case.known.report
    if not case.known.active or report is None or not report.cancel:
        return None
    return case.wait(f"{case.known.id} on {case.known.host} is being cancelled ({report.cancel})")


def cancelled(case: Case) -> Verdict | None:
    """Row 4: active, and it should not be."""
    if not case.known.active:
        return None
    for word, reason in REASONS:
        why = reason(case)
        if why:
            return case.change(Action.CANCEL, why, word, prune=word == "deleted")
    return None


def vanished(case: Case) -> Verdict | None:
    """Row 5: it was there, and a seen host does not have it; never "absent"."""
    known = case.known
    if known.report is not None or known.memory is None:
        return None
    if known.wiped:
        why = f"host {known.host} has another workspace now: it was wiped"
        return case.change(Action.SETTLE, why, "Vanished", local=True)
    if known.memory.accepted and not known.late:
        return case.change(Action.SETTLE, f"host {known.host} does not have it any more", "Vanished", local=True)
    return None


def never_arrived(case: Case) -> Verdict | None:
    """An intent that is missing from a report taken under a newer number never arrived and never will."""
    known = case.known
    if known.report is not None or known.memory is None or known.memory.accepted or known.seen is None:
        return None
    if known.seen.taken <= known.memory.lease:
        return case.wait(f"sent to {known.host}, which has not confirmed it yet")
    return case.change(Action.SETTLE, f"it never reached host {known.host}", "NeverArrived", local=True)


def alive(case: Case) -> Verdict | None:
    """Row 6."""
    return case.keep("active")


BOTH: tuple[Rung, ...] = (stranger, unreadable, unseen)
ENDED: tuple[Rung, ...] = (*BOTH, uncollected, prunable, left_behind, expired, ended)
LIVING: tuple[Rung, ...] = (*BOTH, dead, canceling, cancelled, vanished, never_arrived, alive)


def _deleted(case: Case) -> str:
    return f"task {case.known.name.task} left git" if case.scene.left_git(case.known.name.task) else ""


def _closed(case: Case) -> str:
    task = case.scene.desired.tasks.get(case.known.name.task)
    return "the task is closed" if task and task.closed else ""


def _superseded(case: Case) -> str:
    name = case.known.name
    for other in case.scene.step(name.task, name.digest):
        if other.result is not None and other.result.state is State.SUCCEEDED:
            return f"attempt {other.name.attempt} Succeeded"
        if other.active and other.name.attempt > name.attempt:
            return f"attempt {other.name.attempt} is active on {other.host}"
    return ""


def _replaced(case: Case) -> str:
    task = case.scene.desired.tasks.get(case.known.name.task)
    if task is None or task.update_policy is UpdatePolicy.IGNORE:
        return ""
    digests, digest, generation = [step.digest for step in task.steps], case.known.name.digest, case.known.generation
    if digest not in digests:
        # What worked in the worktree of another digest's run went on with that: it was a follow-up.
        return "its follow-up was removed" if generation in set(digests[:1]) - {digest} else "its spec changed"
    # A follow-up on the work of a digest that the task does not have any more: that work begins anew.
    return "its spec changed" if digest != digests[0] and generation not in ("", digests[0]) else ""


def _drained(case: Case) -> str:
    spot = case.known.spot
    if spot is None or spot.host.drain is None or spot.host.drain.deadline is None:
        return ""
    since = spot.memory.drain_since if spot.memory and spot.memory.drain_since is not None else case.scene.now
    past = case.scene.now >= since + spot.host.drain.deadline
    return f"host {spot.key} is past its drain deadline" if past else ""


def _gone(case: Case) -> str:
    return f"host {case.known.host} is declared gone" if case.gone else ""


def _removed(case: Case) -> str:
    spot = case.known.spot
    return f"host {spot.key} was removed" if spot and spot.host.former else ""


def _suspended(case: Case) -> str:
    task = case.scene.desired.tasks.get(case.known.name.task)
    if task and task.suspend is Suspend.CANCEL:
        return "the task is suspended with cancel"
    return "the fleet is suspended with cancel" if case.scene.desired.fleet.suspend is Suspend.CANCEL else ""


# The word is what the host records; the first reason that holds is the one that is told.
REASONS: tuple[tuple[str, Callable[[Case], str]], ...] = (
    ("deleted", _deleted),
    ("closed", _closed),
    ("superseded", _superseded),
    ("replaced", _replaced),
    ("drained", _drained),
    ("gone", _gone),
    ("removed", _removed),
    ("suspended", _suspended),
)
