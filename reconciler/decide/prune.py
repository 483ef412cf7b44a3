"""What leaves the hosts: retention, and the budget for what left git."""

from collections.abc import Sequence
from dataclasses import dataclass

from reconciler.decide import words
from reconciler.decide.hosts import on_books
from reconciler.decide.scene import Known, Scene
from reconciler.decide.trees import worktrees
from reconciler.model.change import Action, Change


@dataclass(frozen=True, slots=True)
class Sorted:
    """Changes that may be done, and those that a person has to allow."""

    free: tuple[Change, ...]
    held: tuple[Change, ...] = ()
    why: str = ""


def overdue(scene: Scene, task: str) -> frozenset[Known]:
    """Takes the name of a task that has runs; returns the ended ones whose directories retention gives up."""
    if task not in scene.desired.tasks:
        return frozenset()
    limits = scene.desired.fleet.retention
    ended = [known for known in scene.tasks[task] if known.result is not None and known.directory]
    many = max(1, limits.runs)
    beyond = sorted(ended, key=_newest_first)[many:] if len(ended) > many else []
    old = [known for known in ended if (at := known.ended_at) is not None and scene.now - at > limits.age]
    return frozenset(known for known in (*beyond, *old) if known.collected or known.void)


def leaving(scene: Scene) -> frozenset[str]:
    """Takes a scene; returns the tasks that left git and still have something on a host, seen or not."""
    there = {task for task, runs in scene.tasks.items() if any(_remains(known) for known in runs)}
    there |= {task for spot in scene.spots.values() for task, _ in worktrees(spot).values()}
    return frozenset(task for task in there if scene.left_git(task))


def hold(scene: Scene, changes: Sequence[Change]) -> Sorted:
    """Takes the changes of a cycle; returns them sorted by whether they may be done without asking."""
    options = scene.options
    if options.newer and not options.allow_prune:
        return _split(changes, [change for change in changes if change.action is not Action.COLLECT], _newer(scene))
    prunes = [change for change in changes if change.prune]
    if not scene.desired.complete:  # an unreadable file may be what names the task or the host
        prunes = [change for change in changes if change.prune or change.detail == "removed"]
        files = words.listing(scene.desired.unreadable) or "a file"
        why = f"{files} cannot be read, so nobody knows what is named there: nothing is pruned before that is corrected"
        return _split(changes, prunes, why)
    tasks = {change.task for change in prunes}
    if options.allow_prune:
        unapproved = sorted(tasks - options.approved) if options.approved else []
        if not unapproved:
            return Sorted(tuple(changes))
        return _split(changes, prunes, f"{words.listing(unapproved)} left git since the approval: approve again")
    over = _over_budget(scene) if prunes else ""
    if not over:
        return Sorted(tuple(changes))
    advice = "look at the list, then use `reconciler reconcile --allow-prune` if it is meant, or bring the files back"
    return _split(changes, prunes, f"{over}: {advice}")


def _split(changes: Sequence[Change], stopped: Sequence[Change], why: str) -> Sorted:
    if not stopped:
        return Sorted(tuple(changes))
    those = frozenset(stopped)
    return Sorted(tuple(change for change in changes if change not in those), tuple(stopped), why)


def _over_budget(scene: Scene) -> str:
    count, limit = len(leaving(scene)), scene.desired.fleet.prune
    left = len(scene.desired.tasks.keys() | scene.desired.invalid.keys())
    many = f"{words.count(count, 'task')} left git"
    if scene.options.rewritten:
        shallow = "this shallow clone cannot tell whether history was rewritten (fetch-depth: 0 would)"
        return f"{shallow if scene.options.shallow else 'the history of the branch was rewritten'}, and {many}"
    if left == 0:
        return f"{many}, and no Task is left in it"
    if count > limit.max_count:
        return f"{many}, more than maxCount {limit.max_count}"
    if count > 2 and count * 100 > limit.max_percent * (left + count):
        return f"{many}, {count * 100 // (left + count)}% and more than maxPercent {limit.max_percent}"
    return ""


def _newer(scene: Scene) -> str:
    host, revision = min(scene.options.newer.items())
    ours = words.short(scene.desired.revision)
    if scene.options.shallow:
        cannot = f"this shallow clone cannot tell whether {ours} contains it: fetch the whole history (fetch-depth: 0)"
        return f"host {host} was last acted on at {words.short(revision)}, and {cannot}"
    return (
        f"host {host} was last acted on at {words.short(revision)}, which {ours} does not contain: "
        "update the checkout, or use `reconciler reconcile --allow-prune`"
    )


def _remains(known: Known) -> bool:
    if known.report is not None:
        return bool(known.report.bad or known.active or known.directory)
    if known.spot is None or known.spot.host.gone or known.seen is not None:
        return False
    return known.memory is not None and on_books(known.memory)


def _newest_first(known: Known) -> tuple[bool, float, int, str]:
    # What never started goes first of all.
    return (known.void, -(known.ended_at or known.started_at or 0.0), -known.name.attempt, known.id)
