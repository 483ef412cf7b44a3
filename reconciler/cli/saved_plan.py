"""A plan in a file: what was reviewed, to be carried out only as it was reviewed."""

import json
from pathlib import Path

from reconciler.errors import HeldBack, UsageError
from reconciler.model.change import Plan
from reconciler.model.report import Report

Row = tuple[str, str, str, str, str]
KEYS = ("action", "task", "run", "host", "worktree")


def rows(plan: Plan) -> list[Row]:
    """What makes two plans the same: what is done to which run or worktree on which host."""
    return sorted(
        (change.action.value, change.task, change.run, change.host, change.worktree) for change in plan.changes
    )


def write(path: Path, report: Report) -> None:
    """Write the plan of `report`. Raises UsageError when the file cannot be written."""
    content = {
        "formatVersion": "1",
        "revision": report.revision,
        "changes": [dict(zip(KEYS, row, strict=True)) for row in rows(report.plan)],
    }
    try:
        path.write_text(json.dumps(content, indent=1) + "\n")
    except OSError as problem:
        raise UsageError(f"cannot write the plan to {path}: {problem.strerror}") from problem


def check(path: Path, revision: str, plan: Plan) -> None:
    """Compare the saved plan with the present one. Raises HeldBack naming the first difference, UsageError."""
    try:
        content = json.loads(path.read_text())
        # Plans written before there were worktrees have no such key.
        saved = [tuple({"worktree": "", **change}[key] for key in KEYS) for change in content["changes"]]
        planned = content["revision"]
        if not all(isinstance(word, str) for row in saved for word in (planned, *row)):
            raise TypeError("what is planned has to be text")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as problem:
        why = f" ({problem.strerror})" if isinstance(problem, OSError) and problem.strerror else ""
        raise UsageError(f"{path} is no plan written by `reconciler plan --out`{why}: plan again") from problem
    present = rows(plan)
    if planned != revision:
        raise HeldBack(f"the plan was made at {planned[:12]}, the branch is at {revision[:12]}: plan again")
    for row in present:
        if row not in saved:
            raise HeldBack(f"deciding again also gives {_words(row)}, which {path} does not have: plan again")
    for row in saved:
        if row not in present:
            raise HeldBack(f"{path} has {_words(row)}, which deciding again does not give any more: plan again")


def _words(row: Row) -> str:
    action, _, run, host, worktree = row
    return f"{action} {f'worktree {worktree}' if worktree else run}" + (f" on {host}" if host else "")
