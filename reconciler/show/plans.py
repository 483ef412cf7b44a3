"""A report of `plan` or `reconcile`: as people read terraform's, as JSON, and back from JSON."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from reconciler.model.change import Action, Answer, Change, Outcome, Plan, Wait
from reconciler.model.problem import Problem, Severity
from reconciler.model.report import Report
from reconciler.show import changes, problems
from reconciler.show.document import Ending, Value, envelope
from reconciler.show.escape import safe
from reconciler.show.paper import Paper
from reconciler.show.times import moment


def text(report: Report, *, preview: bool, color: bool, width: int | None, now: float | None) -> str:
    """Take a report, and whether it is only a plan; return it for people. `now` None: no countdowns."""
    paper = Paper(width, color)
    notes = problems.listing(report.problems, paper)
    if report.uncommitted:
        notes += _uncommitted(report.uncommitted) + "\n"
    return notes + ("\n" if notes else "") + changes.listing(report, now, paper, preview=preview)


def document(report: Report) -> dict[str, Value]:
    """Take a report; return the whole JSON object of `plan` and `reconcile`, every key there."""
    plan, pairs = report.plan, changes.pairs(report)
    counted = changes.counts([change for change, _ in pairs])
    body: dict[str, Value] = {
        "changes": [_change(change, outcome) for change, outcome in pairs],
        "held": [_change(change, None) for change in plan.held],
        "heldWhy": plan.held_why or None,
        "waits": [_wait(wait) for wait in plan.waits],
        "unreachable": [{"host": host, "why": why} for host, why in sorted(plan.unreachable.items())],
        "warnings": list(plan.warnings),
        "problems": [problems.item(problem) for problem in report.problems],
        "uncommitted": list(report.uncommitted),
        "summary": {
            **{str(action): counted[action] for action in Action},
            "keep": plan.keeps,
            "wait": len(plan.waits),
            "held": len(plan.held),
        },
    }
    return envelope(body, Ending(report.exit_code, report.exit_name), report.revision)


def document_text(answer: Mapping[str, Any], *, color: bool, width: int | None) -> str:
    """Take a document that `document` wrote (another process answered with it); return it for people."""
    return text(_report(answer), preview=False, color=color, width=width, now=None)


def _uncommitted(files: Sequence[str]) -> str:
    count = len(files)
    named = ", ".join(safe(file) for file in files[:5]) + (", …" if count > 5 else "")
    return f"{count} file{'s' * (count != 1)} changed but not committed, so not acted on: {named}"


def _change(change: Change, outcome: Outcome | None) -> dict[str, Value]:
    failed = outcome is not None and outcome.answer is not Answer.OK
    return {
        "action": str(change.action),
        "task": change.task or None,
        "run": change.run or None,
        "host": change.host or None,
        "why": change.why,
        "outcome": None if outcome is None else str(outcome.answer),
        "error": (outcome.note or None) if outcome is not None and failed else None,
    }


def _wait(wait: Wait) -> dict[str, Value]:
    return {"task": wait.task, "why": wait.why, "until": moment(wait.until), "host": wait.host or None}


def _report(answer: Mapping[str, Any]) -> Report:
    """The report that `document` was made of, as far as JSON carries it."""
    listed = [(_changed(row), row) for row in answer["changes"]]
    plan = Plan(
        changes=tuple(change for change, row in listed if row["outcome"] is None),
        held=tuple(_changed(row) for row in answer["held"]),
        held_why=answer["heldWhy"] or "",
        waits=tuple(
            Wait(row["task"], row["why"], _seconds(row["until"]), row["host"] or "") for row in answer["waits"]
        ),
        keeps=answer["summary"]["keep"],
        unreachable={row["host"]: row["why"] for row in answer["unreachable"]},
        warnings=tuple(answer["warnings"]),
    )
    return Report(
        revision=answer["revision"] or "",
        plan=plan,
        outcomes=tuple(
            Outcome(change, Answer(row["outcome"]), row["error"] or "") for change, row in listed if row["outcome"]
        ),
        problems=tuple(_problem(row) for row in answer["problems"]),
        exit_code=answer["exit"]["code"],
        exit_name=answer["exit"]["name"],
        uncommitted=tuple(answer["uncommitted"]),
    )


def _changed(row: Mapping[str, Any]) -> Change:
    return Change(Action(row["action"]), row["task"] or "", row["run"] or "", row["host"] or "", row["why"])


def _problem(row: Mapping[str, Any]) -> Problem:
    return Problem(
        row["file"],
        row["line"],
        row["column"],
        row["path"] or "",
        row["message"],
        row["hint"] or "",
        Severity(row["severity"]),
    )


def _seconds(time: str | None) -> float | None:
    return None if time is None else datetime.fromisoformat(time).timestamp()
