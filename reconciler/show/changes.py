"""The parts of a plan as text: what is done, held, waited for, out of reach; symbols as in terraform's plans."""

from collections.abc import Mapping, Sequence

from reconciler.model.change import Action, Answer, Change, Outcome, Plan, Wait
from reconciler.model.report import Report
from reconciler.show.escape import safe
from reconciler.show.paper import PLAIN, Cell, Paper, columns
from reconciler.show.times import clock, span

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
    Action.CLEANUP: "cleaned up",
}
HELD_ADVICE = (
    "Nothing of this is done. If it is meant: `reconciler reconcile --allow-prune`; "
    "if not: bring the documents back in git (or fetch the newer commit)."
)


Pair = tuple[Change, Outcome | None]


def listing(report: Report, now: float | None, paper: Paper = PLAIN, *, preview: bool = True) -> str:
    """Take a report; return all of its plan as text, the summary line last. `now` None: no countdowns."""
    plan = report.plan
    blocks = [
        [f"{paper.paint('warning:', 'warn')} {safe(text)}" for text in plan.warnings],
        _changes(pairs(report), paper),
        _held(plan, paper),
        _waits(plan.waits, now, paper),
        _unreachable(plan.unreachable, paper),
        [summary(report, preview=preview)],
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def summary(report: Report, *, preview: bool = True) -> str:
    """`Plan: 3 to launch, 2 wait, 14 unchanged.`; without `preview` `Done: 3 launched, 2 wait, 14 unchanged.`"""
    plan, tried = report.plan, report.outcomes
    done = counts([outcome.change for outcome in tried if outcome.answer is Answer.OK])
    parts = [f"{count} {_DONE[action]}" for action, count in done.items() if count]
    for answer in (Answer.FAILED, Answer.UNKNOWN):
        missed = sum(outcome.answer is answer for outcome in tried)
        parts += [f"{missed} {answer}"] if missed else []
    to_do = counts([change for change, outcome in pairs(report) if outcome is None])
    parts += [f"{count} {_TO_DO[action]}" for action, count in to_do.items() if count]
    lead = ("Plan" if preview else "Done") if parts or plan.held else "No changes" if preview else "Nothing to do"
    counted = ((plan.held, "held"), (plan.waits, "waiting"), (plan.unreachable, "unreachable"))
    parts += [f"{len(things)} {word}" for things, word in counted if things]
    return f"{lead}: {', '.join([*parts, f'{plan.keeps} unchanged'])}."


def pairs(report: Report) -> list[Pair]:
    """What was tried with its outcome, in its order; then what the last plan still has to do."""
    tried = {_key(outcome.change) for outcome in report.outcomes}
    left: list[Pair] = [(change, None) for change in report.plan.changes if _key(change) not in tried]
    return [*((outcome.change, outcome) for outcome in report.outcomes), *left]


def counts(changes: Sequence[Change]) -> dict[Action, int]:
    """How many changes of each action; every action is there."""
    return {action: sum(change.action is action for change in changes) for action in Action}


def change_line(change: Change, paper: Paper = PLAIN) -> str:
    """One change on a line of its own: `+ launch build-1a2b3c4d-1 on box1: new task`."""
    where = f" on {safe(change.host)}" if change.host else ""
    lead = paper.paint(f"{SYMBOLS[change.action]} {change.action}", _STYLES.get(change.action, "bad"))
    return f"{lead} {safe(change.run or change.task)}{where}: {safe(change.why)}"


def _key(change: Change) -> tuple[Action, str, str]:
    return change.action, change.run, change.host


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
        Cell(safe(change.run or change.task)),
        Cell(f"on {safe(change.host)}" if change.host else ""),
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


def _waits(waits: Sequence[Wait], now: float | None, paper: Paper) -> list[str]:
    rows = [[Cell(". " + safe(wait.task), "dim"), Cell(safe(wait.why) + _until(wait.until, now))] for wait in waits]
    return [paper.paint("Waiting:", "bold"), *columns(rows, paper, indent="  ")] if rows else []


def _until(until: float | None, now: float | None) -> str:
    if until is None:
        return ""
    if now is None:
        return f" (until {clock(until)} UTC)"
    return f" (until {clock(until)} UTC, in {span(until - now)})" if until > now else " (due now)"


def _unreachable(hosts: Mapping[str, str], paper: Paper) -> list[str]:
    rows = [[Cell("! " + safe(host), "bad"), Cell(safe(why))] for host, why in sorted(hosts.items())]
    head = paper.paint("Unreachable", "bold") + " (nothing there is started again, cancelled or removed):"
    return [head, *columns(rows, paper, indent="  ")] if rows else []
