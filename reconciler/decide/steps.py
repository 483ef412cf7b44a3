"""Steps of a task: which is over for good, how many attempts it used, which attempt comes next."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from reconciler.decide.crew import crew
from reconciler.decide.scene import Known, Scene
from reconciler.model.run import State
from reconciler.model.task import AgentRef, Step, Task, UpdatePolicy

# The agent was turned away before it worked: no attempt of the task's.
NO_ATTEMPT = frozenset({"RateLimited", "QuotaExceeded"})
DENIED = "AuthFailed"  # none either, as long as another agent is left that was not


@dataclass(frozen=True, slots=True)
class Leg:
    """One step of a task, and everything that is known of it."""

    task: Task
    index: int
    step: Step
    runs: tuple[Known, ...] = ()  # of that step, by attempt
    chain: tuple[Known, ...] = ()  # the runs that ended the steps before it, as far as it goes on with their work
    crew: tuple[AgentRef, ...] = ()  # the agents that may work on it, the first choice in front; a script has none
    counted: tuple[Known, ...] = field(init=False)  # the failures that count against `retries`
    used: int = field(init=False)  # how many attempts are used
    end: Known | None = field(init=False)  # the run that ended it for good, if one did

    def __post_init__(self) -> None:
        """What follows from its runs is asked for again and again: it is found once."""
        object.__setattr__(self, "counted", self._counted())
        object.__setattr__(self, "used", len({known.name for known in self.counted}))
        object.__setattr__(self, "end", self._end())

    @property
    def denied(self) -> frozenset[str]:
        """The agents that were not let in on this step."""
        failed = (known for known in self.runs if known.result is not None and known.result.reason == DENIED)
        return frozenset(known.agent for known in failed)

    @property
    def latest(self) -> Known | None:
        """Its newest run that is not void."""
        return next((known for known in reversed(self.runs) if not known.void), None)

    @property
    def waits_after(self) -> Known | None:
        """The failure whose backoff has to be over. Who was turned away is waited for in another way."""
        failures = self.counted if self.crew else tuple(known for known in self.runs if known.failed)
        return failures[-1] if failures else None

    def retry_at(self, now: float) -> float | None:
        """When its backoff ends, None when nothing has failed."""
        last, retries = self.waits_after, self.task.retries
        if last is None:
            return None
        if last.ended_at is not None and last.ended_at > now:
            return now  # the clock was set back: nobody can tell how long ago that was
        doubled = retries.backoff << min(max(self.used - 1, 0), 40)
        return (now if last.ended_at is None else last.ended_at) + min(doubled, retries.max_backoff)

    def _counted(self) -> tuple[Known, ...]:
        failures = [known for known in self.runs if known.failed]
        spare = any(ref.name not in self.denied for ref in self.crew) if failures else False
        return tuple([known for known in failures if not _turned_away(known, spare=spare)])

    def _end(self) -> Known | None:
        for state in (State.SUCCEEDED, State.BLOCKED):
            for known in self.runs:
                if known.result is not None and known.result.state is state:
                    return known
        failures = self.counted
        for known in failures:
            if known.result is not None and known.result.last:
                return known
        return failures[-1] if failures and self.used > self.task.retries.limit else None


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a task is in its list of steps: at the first that has not ended for good, else at the last."""

    leg: Leg
    over: bool = False  # every step has ended for good
    end: Known | None = None  # the run that ended the last step which belongs to the present work, when over
    ignored: bool = False  # `updatePolicy: ignore` leaves this digest alone
    chain: tuple[Known, ...] = ()  # the ended runs that the next attempt, or a follow-up to come, goes on with
    left: int = 0  # the highest attempt of that step that left a worktree somewhere
    legs: tuple[Leg, ...] = ()  # all steps of the task in order, as `legs` gives them

    @property
    def index(self) -> int:
        """The place of the step that is meant."""
        return self.leg.index

    @property
    def digest(self) -> str:
        """Its digest."""
        return self.leg.step.digest

    @property
    def runs(self) -> tuple[Known, ...]:
        """Its runs, by attempt."""
        return self.leg.runs

    @property
    def next_attempt(self) -> int:
        """One more than the highest that anybody knows."""
        return 1 + max((self.left, *(known.name.attempt for known in self.runs)))


def legs(scene: Scene, task: Task) -> Iterator[Leg]:
    """Takes a task; gives its steps in order, each with the runs that it goes on with."""
    ends: list[Known] = []
    for index, step in enumerate(task.steps):
        runs = scene.step(task.name, step.digest)
        chain = _chain(ends)
        leg = Leg(task, index, step, runs, chain, crew(scene, task, chain[-1] if chain else None))
        yield leg
        end = _newest(strays(scene, task)) if index == 0 and _ignored(scene, task, runs) else leg.end
        ends += [end] if end else []


def standing(scene: Scene, task: Task) -> Standing:
    """Takes a task; returns the first step that has not ended for good, or that all have. It is found once a cycle."""
    if task.name not in scene.standings:
        scene.standings[task.name] = _standing(scene, task)
    return scene.standings[task.name]


def _standing(scene: Scene, task: Task) -> Standing:
    every = tuple(legs(scene, task))
    last = None
    ends: list[Known] = []
    for leg in every:
        ignored = leg.index == 0 and _ignored(scene, task, leg.runs)
        end = _newest(strays(scene, task)) if ignored else leg.end
        more = leg.index + 1 < len(task.steps)
        # What its worker said may make another end of it: the next step starts after that was read.
        if not ignored and (end is None or (more and any(known.coming for known in leg.runs))):
            left = scene.trees.get((task.name, leg.step.digest), 0)
            return Standing(leg, chain=leg.chain, left=left, legs=every)
        ends += [end] if end else []
        chain = _chain(ends)
        # Work that began anew speaks for the task: a follow-up on what was there before ended long ago.
        end = chain[-1] if chain and not ignored else None
        last = Standing(leg, over=True, end=end, ignored=ignored, chain=chain, legs=every)
    return last or Standing(Leg(task, 0, Step("")), over=True)


def first_step(scene: Scene, task: Task) -> Known | None:
    """Takes a task; returns the run that ended its first step for good, if one did: what dependents wait for."""
    return next((leg.end for leg in standing(scene, task).legs), None)


def leg_of(scene: Scene, task: Task, known: Known) -> Leg:
    """Takes a run of a task; returns its step, which may be none of the task's any more."""
    for leg in standing(scene, task).legs:
        if leg.step.digest == known.name.digest:
            return leg
    runs = scene.step(task.name, known.name.digest)
    return Leg(task, 0, Step(known.name.digest), runs, crew=crew(scene, task, None))


def strays(scene: Scene, task: Task) -> tuple[Known, ...]:
    """Takes a task; returns its runs of digests that are no step of it any more, void ones apart."""
    digests = {step.digest for step in task.steps}
    runs = scene.tasks.get(task.name, ())
    return tuple(known for known in runs if known.name.digest not in digests and not known.void)


def _newest(runs: tuple[Known, ...]) -> Known | None:
    return max(runs, key=lambda known: (known.ended_at or 0.0, known.name), default=None)


def _chain(ends: list[Known]) -> tuple[Known, ...]:
    """Of the ends so far those that belong to the work of the first: an edit starts a generation of its own."""
    if not ends:
        return ()
    born = ends[0].generation or ends[0].name.digest
    return (ends[0], *(known for known in ends[1:] if known.generation in ("", born)))


def _ignored(scene: Scene, task: Task, runs: tuple[Known, ...]) -> bool:
    if task.update_policy is not UpdatePolicy.IGNORE or any(not known.void for known in runs):
        return False
    return any(known.rerun_key == task.rerun_key for known in strays(scene, task))


def _turned_away(known: Known, *, spare: bool) -> bool:
    reason = known.result.reason if known.result is not None else ""
    # Who was not let in is known by name, else the step would begin again once the ledger was lost.
    return reason in NO_ATTEMPT or (reason == DENIED and spare and bool(known.agent))
