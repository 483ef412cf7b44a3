"""The second pass: every open task without a living run meets the gates; the first that stops it names its wait."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from reconciler.decide import words
from reconciler.decide.lease import Lease
from reconciler.decide.limits import Refusal, Room, refusals, spent
from reconciler.decide.place import choose
from reconciler.decide.programs import program
from reconciler.decide.runs import Verdict
from reconciler.decide.scene import Known, Scene
from reconciler.decide.steps import Standing, first_step, standing, strays
from reconciler.decide.work import assignment, ground, home
from reconciler.model.change import Action, Change, Wait
from reconciler.model.fleet import Suspend
from reconciler.model.run import State
from reconciler.model.task import AgentRef, Task


@dataclass(frozen=True, slots=True)
class Fate:
    """What a cycle says of one open task: it waits, is launched, or neither, and then it is kept or being changed."""

    wait: Wait | None = None
    launch: Change | None = None
    changing: bool = False  # a run of it has a change in this plan
    unmet: tuple[str, ...] = ()  # dependencies that it waits for

    @property
    def keep(self) -> bool:
        """It is as it should be."""
        return self.wait is None and self.launch is None and not self.changing


@dataclass(frozen=True, slots=True)
class Bid:
    """One open task before the gates."""

    scene: Scene
    lease: Lease
    task: Task
    at: Standing
    room: Room

    def wait(self, why: str, until: float | None = None, *, person: bool = False) -> Fate:
        """Stopped here."""
        return Fate(Wait(self.task.name, why, until, person=person))


Gate = Callable[[Bid], Fate | None]


def settle_fate(scene: Scene, lease: Lease, task: Task, verdicts: tuple[Verdict, ...], room: Room) -> Fate:
    """Takes an open task, the verdicts on its runs and what is taken so far; returns its fate."""
    living = [verdict for verdict in verdicts if scene.busy(verdict.known)]
    if living:
        if any(verdict.change for verdict in living):
            return Fate(changing=True)
        return Fate(next((verdict.wait for verdict in living if verdict.wait), None))
    bid = Bid(scene, lease, task, standing(scene, task), room)
    for gate in GATES:
        fate = gate(bid)
        if fate is not None:
            return fate
    return _start(bid)


def over(bid: Bid) -> Fate | None:
    """Gates 2 and 3: every step has ended for good, or `updatePolicy: ignore` leaves this edit alone."""
    if not bid.at.over:
        return None
    # What an agent says of its end is part of that end: it may have been turned away, or be blocked.
    return Fate(changing=bool(bid.task.project) and any(known.untold for known in bid.at.runs))


def told(bid: Bid) -> Fate | None:
    """What the worker of an earlier attempt said of its end is being collected, and may be a question.

    Of an agent's runs everything is needed: cost, branch and pull request.
    """
    if bid.task.project or bid.at.leg.index < len(bid.task.steps) - 1:
        coming = any(known.coming for known in bid.scene.tasks.get(bid.task.name, ()))
    else:
        coming = any(known.untold for known in bid.at.runs)
    return Fate(changing=True) if coming else None


def suspended(bid: Bid) -> Fate | None:
    """Gate 4."""
    if bid.task.suspend is not Suspend.NO:
        return bid.wait("suspended", person=True)
    if bid.scene.desired.fleet.suspend is not Suspend.NO:
        return bid.wait("the fleet is suspended", person=True)
    return None


def dependencies(bid: Bid) -> Fate | None:
    """Gate 5: what never will comes first, for a person has to know. A follow-up has been past it."""
    if bid.at.index:
        return None
    never, unmet = "", {}
    for name in bid.task.depends_on:
        lost, waiting = _dependency(bid.scene, name)
        never = never or lost
        if waiting:
            unmet[name] = waiting
    if never:
        return bid.wait(never, person=True)
    if unmet:
        return Fate(Wait(bid.task.name, next(iter(unmet.values()))), unmet=tuple(unmet))
    return None


def declared(bid: Bid) -> Fate | None:
    """Gate 5: a name of its last good version that no document has any more."""
    task, desired = bid.task, bid.scene.desired
    if not task.project:
        return None
    if task.project not in desired.projects:
        return bid.wait(f"no valid document declares project {task.project}", person=True)
    if not bid.at.leg.crew:
        missing = f"no valid document declares agent {task.agent.name}" if task.agent else "it names no agent"
        return bid.wait(missing, person=True)
    return None


def lease_complete(bid: Bid) -> Fate | None:
    """Gate 6: some host was not taken by this ledger since it last met a foreign one."""
    if not bid.lease.missing:
        return None
    hint = "; declare gone: true if it will not return" if bid.lease.lacking else ""
    return bid.wait(f"nothing starts before every host was seen once: {words.listing(bid.lease.missing)}{hint}")


def backoff(bid: Bid) -> Fate | None:
    """Gate 7."""
    until, last = bid.at.leg.retry_at(bid.scene.now), bid.at.leg.waits_after
    if until is None or last is None or until <= bid.scene.now:
        return None
    left = words.span(until - bid.scene.now + 0.999)
    return bid.wait(f"attempt {last.name.attempt} {_end(last)}, the next one starts in {left}", until)


def cooling(bid: Bid) -> Fate | None:
    """Gate 7: budgets and limits of its agents; one that only has to wait for other runs of it comes later."""
    refused = _worker(bid)[1]
    return _refused(bid, refused) if refused and not any(one.crowded for one in refused) else None


def secret(bid: Bid) -> Fate | None:
    """Gate 8."""
    missing = bid.scene.options.secrets_missing.get(bid.task.name)
    return bid.wait(missing, person=True) if missing is not None else None


def selected(bid: Bid) -> Fate | None:
    """What `-l` leaves out is not launched."""
    wanted = bid.scene.options.selector
    if all(bid.task.labels.get(key) == value for key, value in wanted.items()):
        return None
    return bid.wait("not selected by -l", person=True)


def crowded(bid: Bid) -> Fate | None:
    """Gate 9: `maxConcurrent` of its agents."""
    refused = _worker(bid)[1]
    return _refused(bid, refused) if refused else None


# Gate 1 (no good version at all) has no Task to ask: core.py says that wait. Gate 10 is place.choose.
GATES: tuple[Gate, ...] = (
    over,
    told,
    suspended,
    dependencies,
    declared,
    lease_complete,
    backoff,
    cooling,
    secret,
    selected,
    crowded,
)


def _worker(bid: Bid) -> tuple[AgentRef | None, tuple[Refusal, ...]]:
    """The agent to start, else why none can be; neither for a script of the task's own."""
    return refusals(bid.scene, bid.at.leg, bid.room) if bid.task.project else (None, ())


def _refused(bid: Bid, refused: tuple[Refusal, ...]) -> Fate:
    why = "; ".join(dict.fromkeys(one.why for one in refused))
    untils = [one.until for one in refused if one.until is not None]
    return bid.wait(why, min(untils, default=None), person=all(one.person for one in refused))


def _dependency(scene: Scene, name: str) -> tuple[str, str]:
    """Why a dependency never will, or what it is waited for; both empty when it is met."""
    task = scene.desired.tasks.get(name)
    if task is None:
        invalid = name in scene.desired.invalid
        return (f"depends on {name}, which is invalid" if invalid else f"depends on {name}, which is no task"), ""
    end = first_step(scene, task)
    if end is not None and end.result is not None:
        if end.untold:
            return "", f"waits for {name}: ended, and its result is being collected"
        if end.result.state is State.SUCCEEDED:
            return "", ""
        return f"depends on {name}, which ended {_end(end)}", ""
    if task.closed:
        return f"depends on {name}, which is closed and did not succeed", ""
    if standing(scene, task).ignored:
        return f"depends on {name}, whose edit updatePolicy: ignore leaves alone: set a new rerun", ""
    living = [known for known in scene.tasks.get(name, ()) if scene.busy(known)]
    if living:
        return "", f"waits for {name}: {living[-1].state} on {living[-1].host}"
    return "", f"waits for {name}: {State.PENDING}"


def _start(bid: Bid) -> Fate:
    """Gate 10, and what comes after it."""
    scene, task, at = bid.scene, bid.task, bid.at
    agent, _ = _worker(bid)
    if agent is None:
        place = choose(scene, task, bid.room.slots)
        return Fate(place) if isinstance(place, Wait) else Fate(launch=_launch(bid, place, _launch_why(bid)))
    chosen, on = scene.desired.agents[agent.name], ground(scene, at)
    there = home(scene, task, on.tree) if on.tree else ""
    place = choose(scene, task, bid.room.slots, program(chosen), there)
    if isinstance(place, Wait):
        return Fate(place)
    left = None if chosen.budget_usd is None else chosen.budget_usd - spent(scene, task)
    why = _launch_why(bid)
    if agent.name != at.leg.crew[0].name:
        why += f"; {agent} works instead of {at.leg.crew[0]}"
    return Fate(launch=replace(_launch(bid, place, why), work=assignment(at, on, agent, left)))


def _launch(bid: Bid, place: str, why: str) -> Change:
    task, at = bid.task, bid.at
    run = f"{task.name}-{at.digest}-{at.next_attempt}"
    last = at.leg.used + 1 > task.retries.limit
    return Change(Action.LAUNCH, task.name, run, place, why, last=last)


def _launch_why(bid: Bid) -> str:
    at = bid.at
    if at.runs:
        return _again(bid, at.runs[-1])
    if at.index:
        said = words.opening(at.leg.step.request)
        return f'follow-up {at.index}: "{said}"' if said else f"follow-up {at.index}"
    before = strays(bid.scene, bid.task)
    if not before:
        return "new task"
    newest = max(before, key=lambda known: (known.ended_at or 0.0, known.name))
    what = "its spec changed" if newest.rerun_key == bid.task.rerun_key else "rerun was changed"
    return f"{what}, was {_end(newest)}" if newest.result else f"{what}, {newest.id} cannot be seen"


def _again(bid: Bid, before: Known) -> str:
    attempt = before.name.attempt
    if before.result is None:
        return f"attempt {attempt} on {before.host} has been unseen for longer than replaceAfter"
    if before.void:
        return f"attempt {attempt} never started{': ' if before.result.reason else ''}{before.result.reason}"
    if before.result.state is State.CANCELED:
        return words.ended(f"attempt {attempt} was cancelled", before.cancel)
    used, most = bid.at.leg.used, bid.task.retries.limit + 1
    return f"attempt {attempt} {_end(before)}, {used} of {words.count(most, 'attempt')} used"


def _end(known: Known) -> str:
    return words.ended(str(known.result.state), known.result.why) if known.result else ""
