"""Where an agent works: in which worktree, on which branch and pull request, and on which host that is."""

from dataclasses import dataclass, replace

from reconciler.decide.hosts import Spot
from reconciler.decide.scene import Known, Scene
from reconciler.decide.steps import Standing
from reconciler.model.change import Assignment, TreeMode
from reconciler.model.run import State
from reconciler.model.task import AgentRef, Task

# Words of cancels after which the next attempt goes on with the work: we stopped it, nobody threw it away.
INTERRUPTED = frozenset({"suspended", "drained", "gone", "removed"})


@dataclass(frozen=True, slots=True)
class Ground:
    """What the next attempt stands on. `tree` is empty where it starts afresh."""

    mode: TreeMode = TreeMode.FRESH
    tree: str = ""
    branch: str = ""
    pull_request_url: str = ""
    after: str = ""  # the run whose work a follow-up goes on with


def ground(scene: Scene, at: Standing) -> Ground:
    """Takes where a task stands; returns what its next attempt goes on with."""
    if at.leg.index:
        chain = at.leg.chain
        return replace(_on(scene, TreeMode.RESUME, tree_of(chain), chain), after=chain[-1].id) if chain else Ground()
    before = at.leg.latest
    if before is None or before.state is not State.CANCELED or before.cancel not in INTERRUPTED:
        return Ground()
    return _on(scene, TreeMode.CONTINUE, before.worktree or before.id, (before,))


def tree_of(chain: tuple[Known, ...]) -> str:
    """Takes runs that go on with each other's work, at least one; returns the name of their worktree."""
    return next((known.worktree for known in reversed(chain) if known.worktree), chain[0].id)


def assignment(at: Standing, on: Ground, agent: AgentRef, left: float | None) -> Assignment:
    """Takes what the next attempt stands on, its agent and what that may still cost; returns its orders."""
    tree = on.tree or f"{at.leg.task.name}-{at.digest}-{at.next_attempt}"
    branch = on.branch or f"reconciler/{tree}"
    return Assignment(agent, tree, branch, on.mode, on.pull_request_url, left, on.after)


def home(scene: Scene, task: Task, tree: str) -> str:
    """Takes a worktree to go on in; returns the host to wait for, empty where it can be made anew on any.

    It is where the last run in it was, as long as that cannot be asked; then where it is seen.
    """
    users = [known for known in scene.tasks.get(task.name, ()) if known.uses(tree) and not known.void]
    newest = max(users, key=_when, default=None)
    last = newest.spot if newest else None
    if last and not last.seen:
        return last.key if _stays(last) and not _given_up(scene, task, last) else ""
    there = {key for key, spot in scene.spots.items() if spot.seen and tree in spot.seen.worktrees and _stays(spot)}
    return last.key if last and last.key in there else min(there, default="")


def needed(scene: Scene, at: Standing) -> frozenset[str]:
    """Takes where an open task stands; returns the worktrees that it goes on in, or that a follow-up would."""
    trees = {tree_of(at.chain)} if at.chain else set()
    trees |= {ground(scene, at).tree} - {""}
    if latest := at.leg.latest:
        trees |= {latest.worktree or latest.id}
    return frozenset(trees)


def _on(scene: Scene, mode: TreeMode, tree: str, chain: tuple[Known, ...]) -> Ground:
    branches = (known.memory.branch for known in reversed(chain) if known.memory and known.memory.branch)
    runs = [known for known in scene.tasks[chain[0].name.task] if known.uses(tree)]
    urls = (
        known.memory.pull_request_url
        for known in sorted(runs, key=_when, reverse=True)
        if known.memory and known.memory.pull_request_url
    )
    return Ground(mode, tree, next(branches, ""), next(urls, ""))


def _when(known: Known) -> tuple[float, float, str]:
    """Runs in one worktree come one after the other."""
    sent_at = known.memory.sent_at if known.memory else 0.0
    return (sent_at or known.started_at or 0.0, known.ended_at or 0.0, known.id)


def _stays(spot: Spot) -> bool:
    """Whether work may go on there, now or once it is seen, full no more, uncordoned."""
    return spot.declared and not spot.stranger and not spot.host.gone and spot.host.drain is None


def _given_up(scene: Scene, task: Task, spot: Spot) -> bool:
    """Its `replaceAfter` is over."""
    seen_at = spot.memory.seen_at if spot.memory else None
    return task.replace_after is not None and seen_at is not None and scene.now - seen_at >= task.replace_after
