"""Which worktrees leave their hosts, and why: what was not committed or pushed is kept there in its checkout."""

from reconciler.decide.hosts import Spot
from reconciler.decide.scene import Known, Scene, run_of
from reconciler.decide.steps import standing
from reconciler.decide.work import needed
from reconciler.model.change import Action, Change
from reconciler.model.fleet import Suspend
from reconciler.model.task import Task


def worktrees(spot: Spot) -> dict[str, tuple[str, str]]:
    """Takes a place; returns the worktrees that were made for runs: name → task and path. Others are nobody's."""
    if spot.seen is None or spot.stranger or spot.shadowed:
        return {}
    found = ((name, run_of(name), path) for name, path in sorted(spot.seen.worktrees.items()))
    return {name: (run.task, path) for name, run, path in found if run}


def leaving(scene: Scene) -> tuple[Change, ...]:
    """Takes a scene; returns the removal of every worktree that nothing uses any more, or that nobody wants."""
    kept: dict[str, frozenset[str]] = {}
    changes = []
    for spot in scene.spots.values():
        for name, (task, path) in worktrees(spot).items():
            if task not in kept:
                kept[task] = _kept(scene, task)
            reason = _reason(scene, spot, task, name, kept[task])
            if reason and not _in_use(scene, spot, task, name):
                why, word = reason
                prune = word == "deleted"
                changes.append(Change(Action.CLEANUP, task, name, spot.key, why, word, prune=prune, worktree=path))
    return tuple(changes)


def _kept(scene: Scene, name: str) -> frozenset[str]:
    task = scene.desired.tasks.get(name)
    return needed(scene, standing(scene, task)) if task and not task.closed else frozenset()


def _reason(scene: Scene, spot: Spot, name: str, tree: str, kept: frozenset[str]) -> tuple[str, str] | None:
    if scene.left_git(name):
        return f"task {name} left git: its worktree goes", "deleted"
    if spot.host.former:
        return f"host {spot.key} was removed: the worktree goes", "removed"
    task = scene.desired.tasks.get(name)
    if task is None:
        return None  # its file is invalid
    if task.closed:
        return f"task {name} is closed: its worktree goes", "closed"
    if (
        tree in kept
        or _suspended(scene, task)
        or any(_remains(known, spot, tree) for known in scene.tasks.get(name, ()))
    ):
        return None
    return "nothing goes on in it, and no run directory of it is left: the worktree goes", "unused"


def _suspended(scene: Scene, task: Task) -> bool:
    return task.suspend is not Suspend.NO or scene.desired.fleet.suspend is not Suspend.NO


def _remains(known: Known, spot: Spot, tree: str) -> bool:
    return known.host == spot.key and bool(known.directory) and known.uses(tree)


def _in_use(scene: Scene, spot: Spot, task: str, tree: str) -> bool:
    """Whether a run works in it or may, or has left something that is still to be collected."""
    for known in scene.tasks.get(task, ()):
        if known.result is None and (known.uses(tree) or (known.host == spot.key and _unsure(known))):
            return True
        if _remains(known, spot, tree) and not (known.collected or known.void):
            return True
    return False


def _unsure(known: Known) -> bool:
    """Nobody knows which worktree it works in, and it may be an agent's: a script has its directory in `_`."""
    return not known.worktree and not known.directory.startswith("_/")
