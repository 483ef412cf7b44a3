"""The whole decision in one screenful: a verdict per run, a fate per task, what is held, what has to be taken."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from itertools import chain

from reconciler.decide import lease as leases
from reconciler.decide import prune, status, trees
from reconciler.decide.hosts import on_books
from reconciler.decide.limits import room
from reconciler.decide.order import in_order
from reconciler.decide.runs import Verdict, judge
from reconciler.decide.scene import Known, Scene, look
from reconciler.decide.tasks import Fate, settle_fate
from reconciler.model.change import Action, Change, Options, Plan, TaskStatus, Wait
from reconciler.model.desired import Desired
from reconciler.model.memory import Memory
from reconciler.model.observed import Observed, Unseen

# What ends something comes before what starts something; looking and tidying come last.
_RANK = {Action.SETTLE: 0, Action.CANCEL: 1, Action.LAUNCH: 2, Action.COLLECT: 3, Action.CLEANUP: 4}


def decide(desired: Desired, observed: Observed, memory: Memory, now: float, options: Options) -> Plan:
    """Takes what git asks, what hosts show and what the ledger remembers; returns what to do, and why.

    Pure, deterministic and total: the same input in any order gives the same Plan, and nothing raises.
    """
    scene = look(desired, observed, memory, now, options)
    lease = leases.current(scene)
    verdicts = {task: _verdicts(scene, task, runs) for task, runs in scene.tasks.items()}
    fates = _fates(scene, lease, verdicts)
    changes = [verdict.change for verdict in chain.from_iterable(verdicts.values()) if verdict.change]
    changes += [fate.launch for fate in fates.values() if fate.launch]
    changes += trees.leaving(scene)
    changes.sort(key=lambda change: _RANK[change.action])
    parts = prune.hold(scene, changes)
    fates |= _held(fates, parts)
    _lend_patience(fates)
    waits = {name: fate.wait for name, fate in fates.items() if fate.wait}
    for name, of_runs in verdicts.items():  # of tasks that are not open: closed, invalid, or gone from git
        if name not in fates and (wait := next((verdict.wait for verdict in of_runs if verdict.wait), None)):
            waits[name] = wait
    statuses, forget = _statuses(scene, fates), _forgettable(scene)
    acting = not (options.newer and not options.allow_prune)
    return Plan(
        changes=parts.free,
        held=parts.held,
        held_why=parts.why,
        waits=tuple(waits.values()),
        keeps=sum(fate.keep for fate in fates.values()),
        unreachable=_unreachable(scene, forget),
        takes=leases.takes(scene, lease, parts.free) if acting else (),
        number=lease.number,
        fresh=lease.fresh,
        statuses=statuses,
        warnings=(*_warnings(scene, parts.free), *_done_before(scene, statuses)),
        forget=tuple(sorted(forget)),
    )


def without_launches(plan: Plan) -> Plan:
    """Takes a plan; returns what `cleanup` makes of it: it starts nothing, and takes no lease for a start's sake."""
    kept = tuple(change for change in plan.changes if change.action is not Action.LAUNCH)
    touched = {change.host for change in kept}
    return replace(plan, changes=kept, takes=tuple(host for host in plan.takes if host in touched), warnings=())


def _verdicts(scene: Scene, task: str, runs: tuple[Known, ...]) -> tuple[Verdict, ...]:
    old = prune.overdue(scene, task)
    return tuple([judge(scene, known, known in old) for known in runs])


def _fates(scene: Scene, lease: leases.Lease, verdicts: Mapping[str, tuple[Verdict, ...]]) -> dict[str, Fate]:
    taken, fates = room(scene), {}
    for task in in_order(scene):
        fate = settle_fate(scene, lease, task, verdicts.get(task.name, ()), taken)
        fates[task.name] = fate
        if fate.launch:
            taken.take(fate.launch)
    for name, why in sorted(scene.desired.invalid.items()):
        if name not in scene.desired.tasks:
            fates[name] = Fate(Wait(name, _no_good_version(why), person=True))
    return fates


def _held(fates: Mapping[str, Fate], parts: prune.Sorted) -> dict[str, Fate]:
    """An open task whose change is held waits for a person."""
    stopped = {change.task for change in parts.held if change.action is not Action.CLEANUP}
    return {
        name: Fate(Wait(name, f"held: {parts.why}", person=True))
        for name, fate in fates.items()
        if name in stopped and (fate.launch or fate.changing)
    }


def _lend_patience(fates: dict[str, Fate]) -> None:
    """Who waits for a task that only a person can move waits for that person too; so does who waits in a circle."""
    free = {name for name, fate in fates.items() if fate.wait is None or not (fate.wait.person or fate.unmet)}
    moved = True
    while moved:
        ready = {
            name for name, fate in fates.items() if fate.unmet and name not in free and free.issuperset(fate.unmet)
        }
        free |= ready
        moved = bool(ready)
    for name in fates.keys() - free:
        fate = fates[name]
        if fate.wait:
            fates[name] = replace(fate, wait=replace(fate.wait, person=True))


def _statuses(scene: Scene, fates: Mapping[str, Fate]) -> dict[str, TaskStatus]:
    rows = {name: status.status(scene, task, fates.get(name)) for name, task in scene.desired.tasks.items()}
    for name, why in scene.desired.invalid.items():
        rows.setdefault(name, status.invalid(name, _no_good_version(why)))
    return dict(sorted(rows.items()))


def _no_good_version(why: str) -> str:
    return f"its file is invalid and has no last good version: {why}"


def _unreachable(scene: Scene, done: Set[str]) -> dict[str, str]:
    return {
        spot.key: spot.look.why + ("; no Host names it any more, it stays on the books" if spot.host.former else "")
        for spot in scene.spots.values()
        if isinstance(spot.look, Unseen)
        and not (spot.look.asking or spot.host.gone or spot.shadowed or spot.stranger or spot.key in done)
    }


def _warnings(scene: Scene, changes: Sequence[Change]) -> tuple[str, ...]:
    """A renamed task has the digest of one that left git, and runs again."""
    gone: dict[str, str] = {}
    for task, kept in sorted(scene.memory.tasks.items()):
        if scene.left_git(task) and kept.digest:
            gone.setdefault(kept.digest, task)
    for task, runs in scene.tasks.items():
        for known in runs if scene.left_git(task) else ():
            gone.setdefault(known.name.digest, task)
    return tuple(
        f"task {change.task} has the digest of {gone[digest]}, which left git: a rename runs again"
        for change in changes
        if change.action is Action.LAUNCH
        and (digest := change.run.removeprefix(f"{change.task}-").rpartition("-")[0]) in gone
        and not scene.step(change.task, digest)
    )


def _done_before(scene: Scene, statuses: Mapping[str, TaskStatus]) -> tuple[str, ...]:
    """A task that came back finds its completion marks. A ledger that knows no task knows nothing of coming back."""
    known = scene.memory.tasks
    return tuple(
        f"task {name} is already done ({row.state} on {row.host}): only a new rerun, or an edit, runs it again"
        for name, row in statuses.items()
        if known and (name not in known or known[name].left) and row.why.endswith(status.ALREADY_DONE)
    )


def _forgettable(scene: Scene) -> frozenset[str]:
    """Former places on which nothing is left, as far as anybody knows."""
    former = {spot.key for spot in scene.spots.values() if spot.host.former and not (spot.stranger or spot.shadowed)}
    for known in scene.runs if former else ():
        kept = known.memory
        there = bool(known.directory) or known.active or bool(known.report and known.report.bad)
        unsure = known.seen is None and kept is not None and on_books(kept)
        pending = known.report is None and known.result is None
        if there or unsure or pending:
            former.discard(known.host)
    former -= {key for key in former if trees.worktrees(scene.spots[key])}
    waiting = {spot.key for spot in scene.spots.values() if isinstance(spot.look, Unseen) and spot.look.asking}
    return frozenset(former - waiting)
