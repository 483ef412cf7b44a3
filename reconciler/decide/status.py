"""How each task stands, for the table: its latest step that has started, else its first."""

from reconciler.decide import words
from reconciler.decide.scene import Known, Scene
from reconciler.decide.steps import Standing, standing, strays
from reconciler.decide.tasks import Fate
from reconciler.model.change import TaskStatus
from reconciler.model.run import State
from reconciler.model.task import Task

ALREADY_DONE = "already done"


def status(scene: Scene, task: Task, fate: Fate | None) -> TaskStatus:
    """Takes a task and its fate (None: it is closed); returns its row."""
    at = standing(scene, task)
    known = _shown(scene, task, at)
    state, why = (State.PENDING if known is None else known.state), ""
    living = known is not None and scene.busy(known)
    if fate is None:
        state = State.CLOSED if known is None or state in (State.CANCELED, State.VOID) else state
    elif fate.launch is not None:
        state, why = State.PENDING, fate.launch.why
    elif fate.wait is not None:
        state, why = state if living else State.PENDING, fate.wait.why
    elif fate.changing and known is not None and known.coming:
        state, why = State.PENDING, f"{_ended(known)}, and its result is being collected"
    elif fate.keep and not living:
        why = _done(at, known)
    if task.name in scene.desired.frozen:
        frozen = "task file is invalid: stands at its last good version"
        why = f"{why}; {frozen}" if why else frozen
    return _row(task.name, state, why, known)


def invalid(name: str, why: str) -> TaskStatus:
    """Takes a task without any good version; returns its row."""
    return TaskStatus(name, State.PENDING, why=why)


def _shown(scene: Scene, task: Task, at: Standing) -> Known | None:
    """The run that speaks for the task: one that lives, else the one that ended its step, else the newest."""
    living = [known for known in scene.tasks.get(task.name, ()) if scene.busy(known)]
    if living:
        return living[-1]
    if at.end is not None:
        return at.end
    for leg in reversed(at.legs):
        if known := leg.end or leg.latest:
            return known
    before = strays(scene, task) if task.closed or at.ignored else ()
    return max(before, key=lambda known: (known.ended_at or 0.0, known.name)) if before else None


def _row(task: str, state: State, why: str, known: Known | None) -> TaskStatus:
    if known is None:
        return TaskStatus(task, state, why=why)
    return TaskStatus(
        task,
        state,
        reason=known.result.reason if known.result and not known.void else "",  # what a host said is in the why
        why=why,
        run=known.id,
        host=known.host,
        attempt=known.name.attempt,
        started_at=known.started_at,
        ended_at=known.ended_at,
    )


def _ended(known: Known) -> str:
    return f"ended {words.ended(str(known.state), known.result.why if known.result else '')}"


def _done(at: Standing, known: Known | None) -> str:
    if at.ignored:
        return "updatePolicy: ignore: its edit starts nothing, set a new rerun"
    marked = known is not None and known.report is not None and not known.directory
    return ALREADY_DONE if marked else ""
