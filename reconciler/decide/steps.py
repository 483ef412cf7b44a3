"""Steps of a task: which is over for good, how many attempts it used, which attempt comes next."""

from dataclasses import dataclass

from reconciler.decide.scene import Known, Scene
from reconciler.model.run import State
from reconciler.model.task import Retries, Task, UpdatePolicy

# The agent was turned away before it worked: no attempt of the task's.
NO_ATTEMPT = frozenset({"RateLimited", "QuotaExceeded"})


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a task is in its list of steps."""

    index: int  # of the step that is meant; the last one when all are over
    digest: str
    runs: tuple[Known, ...]  # of that step, by attempt
    over: bool = False  # every step has ended for good
    end: Known | None = None  # the run that ended the last step, when over
    ignored: bool = False  # `updatePolicy: ignore` leaves this digest alone

    @property
    def next_attempt(self) -> int:
        """One more than the highest that anybody knows."""
        return 1 + max((known.name.attempt for known in self.runs), default=0)


def attempts_used(runs: tuple[Known, ...]) -> int:
    """Takes the runs of one step; returns how many of them count against `retries`."""
    return len({known.name for known in runs if _counts(known)})


def ending(runs: tuple[Known, ...], retries: Retries) -> Known | None:
    """Takes the runs of one step; returns the run that ended it for good, if one did."""
    for state in (State.SUCCEEDED, State.BLOCKED):
        for known in runs:
            if known.result is not None and known.result.state is state:
                return known
    failures = [known for known in runs if known.failed]
    for known in failures:
        if known.result is not None and known.result.last:
            return known
    return failures[-1] if failures and attempts_used(runs) > retries.limit else None


def retry_at(runs: tuple[Known, ...], retries: Retries, now: float) -> float | None:
    """Takes the runs of one step; returns when its backoff ends, None when nothing has failed."""
    failures = [known for known in runs if known.failed]
    if not failures:
        return None
    doubled = retries.backoff << min(max(attempts_used(runs) - 1, 0), 40)
    ended_at = failures[-1].ended_at
    return (now if ended_at is None else ended_at) + min(doubled, retries.max_backoff)


def standing(scene: Scene, task: Task) -> Standing:
    """Takes a task; returns the first step that has not ended for good, or that all have."""
    last = Standing(0, "", (), over=True)
    for index, step in enumerate(task.steps):
        runs = scene.steps.get((task.name, step.digest), ())
        if index == 0 and _ignored(scene, task, runs):
            last = Standing(0, step.digest, runs, over=True, ignored=True)
            continue
        end = ending(runs, task.retries)
        if end is None:
            return Standing(index, step.digest, runs)
        last = Standing(index, step.digest, runs, over=True, end=end)
    return last


def first_step(scene: Scene, task: Task) -> Known | None:
    """Takes a task; returns the run that ended its first step for good, if one did: what dependents wait for."""
    if not task.steps:
        return None
    return ending(scene.steps.get((task.name, task.steps[0].digest), ()), task.retries)


def strays(scene: Scene, task: Task) -> tuple[Known, ...]:
    """Takes a task; returns its runs of digests that are no step of it any more, void ones apart."""
    digests = {step.digest for step in task.steps}
    runs = scene.tasks.get(task.name, ())
    return tuple(known for known in runs if known.name.digest not in digests and not known.void)


def _ignored(scene: Scene, task: Task, runs: tuple[Known, ...]) -> bool:
    if task.update_policy is not UpdatePolicy.IGNORE or any(not known.void for known in runs):
        return False
    return any(known.rerun_key == task.rerun_key for known in strays(scene, task))


def _counts(known: Known) -> bool:
    return known.failed and known.result is not None and known.result.reason not in NO_ATTEMPT
