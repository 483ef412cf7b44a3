"""When a request is done, and when the next thing is due."""

from collections.abc import Mapping

from reconciler.engine.engine import Engine
from reconciler.engine.tally import matches
from reconciler.model.change import Action, Wait
from reconciler.model.run import State

ACTIVE = frozenset({State.PREPARING, State.RUNNING})
NEVER = 1e9  # seconds


def settled(engine: Engine, selector: Mapping[str, str]) -> bool:
    """Nothing is active or being done, and every wait left needs a commit, a person, or a host that does not answer."""
    if not engine.resting():
        return False
    plan, tasks = engine.plan, engine.desired.tasks
    if any(not engine.orders.hopeless(change) for change in plan.changes):
        return False
    # A run whose end is only to be recorded looks active, and stays so until a person lets it go on.
    over = {change.task for change in plan.held if change.action is Action.SETTLE}
    for name, status in plan.statuses.items():
        mine = name not in tasks or matches(tasks[name].labels, selector)
        if mine and status.state in ACTIVE and name not in over:
            return False
    return all(_stuck(wait, engine) for wait in plan.waits if _mine(wait, engine, selector))


def next_time(engine: Engine, now: float) -> float:
    """Seconds until a wait's time has come; `NEVER` when none has a time."""
    ends = [wait.until - now for wait in engine.plan.waits if wait.until is not None]
    return max(0.0, min(ends, default=NEVER))


def _mine(wait: Wait, engine: Engine, selector: Mapping[str, str]) -> bool:
    task = engine.desired.tasks.get(wait.task)
    return task is None or matches(task.labels, selector)


def _stuck(wait: Wait, engine: Engine) -> bool:
    if wait.until is not None:
        return False
    blocked = engine.plan.unreachable or engine.plan.changes  # what is left of the plan by now is hopeless
    return wait.person or (bool(blocked) and not _busy_elsewhere(engine))


def _busy_elsewhere(engine: Engine) -> bool:
    return any(status.state in ACTIVE for status in engine.plan.statuses.values())
