"""A plan, and what became of it, as people read terraform's; and the same for scripts."""

from collections.abc import Mapping, Sequence

from reconciler.model.change import Action, Answer, Change, Outcome, Plan, Wait
from reconciler.model.trust import Refusal
from reconciler.show.document import Value
from reconciler.show.escape import safe
from reconciler.show.paper import PLAIN, Cell, Paper, columns
from reconciler.show.times import clock, moment, span

SYMBOLS = {Action.LAUNCH: "+", Action.CANCEL: "~", Action.SETTLE: "?", Action.COLLECT: "<", Action.CLEANUP: "-"}
_STYLES = {Action.LAUNCH: "good", Action.CANCEL: "warn", Action.SETTLE: "warn", Action.COLLECT: "note"}
_TO_DO = {
    Action.LAUNCH: "to launch",
    Action.CANCEL: "to cancel",
    Action.SETTLE: "to settle",
    Action.COLLECT: "to collect",
    Action.CLEANUP: "to clean up",
}
_DONE = {
    Action.LAUNCH: "launched",
    Action.CANCEL: "canceled",
    Action.SETTLE: "settled",
    Action.COLLECT: "collected",
}
HELD_ADVICE = "Nothing of this is done before a person has looked at it."


Pair = tuple[Change, Outcome | None]


def body(plan: Plan, outcomes: Sequence[Outcome] = (), refused: Refusal | None = None) -> dict[str, Value]:
    """Take the last plan and the outcomes of all cycles; return the keys of `plan` and `reconcile`, every one there.

    `refused` is a newer commit that is not acted on."""
    pairs = _pairs(plan, outcomes)
    counted = _counts([change for change, _ in pairs])
    return {
        "changes": [_change(change, outcome) for change, outcome in pairs],
        "held": [_change(change, None) for change in plan.held],
        "heldWhy": plan.held_why or None,
        "waits": [_wait(wait) for wait in plan.waits],
        "unreachable": [{"host": host, "why": why} for host, why in sorted(plan.unreachable.items())],
        "warnings": list(plan.warnings),
        "refused": _refused(refused),
        "summary": {
            **{str(action): counted[action] for action in Action},
            "keep": plan.keeps,
            "wait": len(plan.waits),
            "held": len(plan.held),
            **dict(zip(("worktreesRemoved", "runDirectoriesRemoved"), removed(outcomes), strict=True)),
        },
    }


def listing(
    plan: Plan,
    now: float,
    paper: Paper = PLAIN,
    outcomes: Sequence[Outcome] = (),
    refused: Refusal | None = None,
) -> str:
    """Take a plan (and its outcomes, once carried out); return all of it as text, the summary line last."""
    blocks = [
        [f"{paper.paint('Refused:', 'bad')} {safe(str(refused))}"] if refused else [],
        [f"{paper.paint('warning:', 'warn')} {safe(text)}" for text in plan.warnings],
        _changes(_pairs(plan, outcomes), paper),
        _held(plan, paper),
        _waits(plan.waits, now, paper),
        _unreachable(plan.unreachable, paper),
        [summary(plan, outcomes)],
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def summary(plan: Plan, outcomes: Sequence[Outcome] = ()) -> str:
    """`Plan: 3 to launch, 2 waiting, 14 unchanged.`; once there are outcomes `Done: 3 launched, …`."""
    done = _counts([outcome.change for outcome in outcomes if outcome.answer is Answer.OK])
    parts = [f"{count} {_DONE[action]}" for action, count in done.items() if count and action in _DONE]
    parts += [f"removed {' and '.join(gone)}"] if (gone := _gone(*removed(outcomes))) else []
    for answer in (Answer.FAILED, Answer.UNKNOWN):
        missed = sum(outcome.answer is answer for outcome in outcomes)
        parts += [f"{missed} {answer}"] if missed else []
    to_do = _counts([change for change, outcome in _pairs(plan, outcomes) if outcome is None])
    parts += [f"{count} {_TO_DO[action]}" for action, count in to_do.items() if count]
    lead = "Done" if outcomes else "Plan" if parts or plan.held else "No changes"
    counted = ((plan.held, "held"), (plan.waits, "waiting"), (plan.unreachable, "unreachable"))
    parts += [f"{len(things)} {word}" for things, word in counted if things]
    parts += [f"{plan.keeps} unchanged"] if plan.keeps or not parts else []
    return f"{lead}: {', '.join(parts)}."


def removed(outcomes: Sequence[Outcome]) -> tuple[int, int]:
    """How many worktrees and how many run directories went; what several cycles worked at counts once."""
    gone = {_key(outcome.change) for outcome in outcomes if outcome.answer is Answer.OK}
    cleaned = [worktree for action, _, host, worktree in gone if action is Action.CLEANUP and host]
    return sum(bool(worktree) for worktree in cleaned), sum(not worktree for worktree in cleaned)


def change_line(change: Change, paper: Paper = PLAIN) -> str:
    """One change on a line of its own: `+ launch build-1a2b3c4d-1 on box1: new task`."""
    lead = paper.paint(f"{SYMBOLS[change.action]} {change.action}", _STYLES.get(change.action, "bad"))
    return " ".join(filter(None, [lead, _what(change), _where(change)])) + f": {safe(change.why)}"


def _pairs(plan: Plan, outcomes: Sequence[Outcome]) -> list[Pair]:
    """What was tried with its outcome, in its order; then what the plan still has to do."""
    tried = {_key(outcome.change) for outcome in outcomes}
    left: list[Pair] = [(change, None) for change in plan.changes if _key(change) not in tried]
    return [*((outcome.change, outcome) for outcome in outcomes), *left]


def _counts(changes: Sequence[Change]) -> dict[Action, int]:
    """How many changes of each action; every action is there."""
    return {action: sum(change.action is action for change in changes) for action in Action}


def _key(change: Change) -> tuple[Action, str, str, str]:
    """What makes it another change than its neighbours; one worktree may be named with any run of its chain."""
    return change.action, "" if change.worktree else change.run, change.host, change.worktree


def _what(change: Change) -> str:
    """What it is done to: a run, or the path of a worktree."""
    return f"worktree {safe(change.worktree)}" if change.worktree else safe(change.run or change.task)


def _where(change: Change) -> str:
    """`on box1 with claude:haiku`."""
    parts = [
        f"on {safe(change.host)}" if change.host else "",
        f"with {safe(str(change.work.agent))}" if change.work else "",
    ]
    return " ".join(part for part in parts if part)


def _gone(worktrees: int, directories: int) -> list[str]:
    """`2 worktrees`, `3 run directories`; none of what is none."""
    trees = [f"{worktrees} worktree{'s' * (worktrees != 1)}"] if worktrees else []
    return trees + ([f"{directories} run director{'y' if directories == 1 else 'ies'}"] if directories else [])


def _change(change: Change, outcome: Outcome | None) -> dict[str, Value]:
    failed = outcome is not None and outcome.answer is not Answer.OK
    return {
        "action": str(change.action),
        "task": change.task or None,
        "run": change.run or None,
        "host": change.host or None,
        "why": change.why,
        "agent": str(change.work.agent) if change.work else None,
        "worktree": change.worktree or None,
        "outcome": None if outcome is None else str(outcome.answer),
        "error": (outcome.note or None) if outcome is not None and failed else None,
    }


def _refused(refused: Refusal | None) -> Value:
    if refused is None:
        return None
    return {
        "revision": refused.revision,
        "author": refused.author or None,
        "why": refused.why,
        "hint": refused.hint,
    }


def _wait(wait: Wait) -> dict[str, Value]:
    return {"task": wait.task, "why": wait.why, "until": moment(wait.until), "host": wait.host or None}


def _changes(changes: Sequence[Pair], paper: Paper) -> list[str]:
    """All changes in columns, grouped by what is done."""
    rows = [_row(*pair) for action in Action for pair in changes if pair[0].action is action]
    return columns(rows, paper, indent="  ")


def _row(change: Change, outcome: Outcome | None = None) -> list[Cell]:
    style = _STYLES.get(change.action, "bad")
    why = safe(change.why)
    if outcome is not None and outcome.answer is not Answer.OK:
        style = "bad"
        why = f"{outcome.answer}: {safe(outcome.note) or 'its host did not say'} ({why})"
    return [
        Cell(f"{SYMBOLS[change.action]} {change.action}", style),
        Cell(_what(change)),
        Cell(_where(change)),
        Cell(why),
    ]


def _held(plan: Plan, paper: Paper) -> list[str]:
    if not plan.held and not plan.held_why:
        return []
    why = safe(plan.held_why) or "more than this fleet's limits allow at once"
    return [
        f"{paper.paint('Held:', 'bad')} {why}",
        *columns([_row(change) for change in plan.held], paper, indent="  "),
        f"  {HELD_ADVICE}",
    ]


def _waits(waits: Sequence[Wait], now: float, paper: Paper) -> list[str]:
    rows = [[Cell(". " + safe(wait.task), "dim"), Cell(safe(wait.why) + _until(wait.until, now))] for wait in waits]
    return [paper.paint("Waiting:", "bold"), *columns(rows, paper, indent="  ")] if rows else []


def _until(until: float | None, now: float) -> str:
    if until is None:
        return ""
    return f" (until {clock(until)} UTC, in {span(until - now)})" if until > now else " (due now)"


def _unreachable(hosts: Mapping[str, str], paper: Paper) -> list[str]:
    rows = [[Cell("! " + safe(host), "bad"), Cell(safe(why))] for host, why in sorted(hosts.items())]
    head = paper.paint("Unreachable", "bold") + " (nothing there is started again, cancelled or removed):"
    return [head, *columns(rows, paper, indent="  ")] if rows else []
