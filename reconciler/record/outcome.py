"""What a worker said of its own run: its answer and `BLOCKED.md` → result and summary. Pure."""

import json
import re
from dataclasses import dataclass, replace

from reconciler.model.rows import QaOutcome
from reconciler.model.run import Result, State
from reconciler.show.escape import safe

LONGEST = 500  # characters of a summary

_STATUS = ("succeeded", "failed", "blocked")


@dataclass(frozen=True, slots=True)
class Told:
    """`result` is None when the host's own record of the end stands; what only agents tell is empty for scripts."""

    summary: str = ""
    result: Result | None = None
    notes: str = ""
    branch: str = ""
    pull_request_url: str = ""
    cost_usd: float | None = None
    tokens: int | None = None
    session_id: str = ""
    cool_until: float | None = None  # seconds since the epoch: when its agent may go on
    qa: tuple[QaOutcome, ...] = ()
    agent: str = ""
    variant: str = ""


class _Unreadable(ValueError):
    """No answer of the form that was asked for."""


def interpret(result: Result | None, answer: bytes | None, blocked: bytes | None) -> Told:
    """Takes the end as the host recorded it, `answer.json` and `blocked.md`; returns what the worker told.

    A worker may say `blocked`, or that it failed although it exited 0; it cannot talk a bad end into a good one.
    "Failed with exit 0" is recorded as `InvalidResult`: of the reasons there are it alone says that exit code and
    answer make no valid success together; `ExitCode` would show 0. What the worker wrote is in the summary.
    """
    question = short(blocked.decode("utf-8", "replace")) if blocked else ""
    try:
        status, summary, notes = _read(answer)
    except _Unreadable:
        text = short((answer or b"").decode("utf-8", "replace"))
        if question:
            return Told(question, _became(result, State.BLOCKED))
        return Told(text, _became(result, State.FAILED))
    if status == "blocked" or question:
        return Told(
            summary if status == "blocked" and summary else question or summary, _became(result, State.BLOCKED), notes
        )
    return Told(summary, _became(result, State.FAILED) if status == "failed" else None, notes)


def _became(result: Result | None, state: State) -> Result | None:
    """The end that `state` makes of the host's, or None when that stands."""
    if result is None or result.state is state:
        return None
    if state is State.BLOCKED:
        # A worker that never ran (PrepareFailed) has nothing to ask; cancelled and lost runs are over either way.
        asks = result.state in (State.SUCCEEDED, State.FAILED) and result.reason != "PrepareFailed"
        return replace(result, state=State.BLOCKED, reason="") if asks else None
    if result.state is State.SUCCEEDED:
        return replace(result, state=State.FAILED, reason="InvalidResult")
    return None


def _read(answer: bytes | None) -> tuple[str, str, str]:
    """Status, summary and notes, each empty when not said. Raises _Unreadable."""
    if answer is None or not answer.strip():
        return "", "", ""
    try:
        content = json.loads(answer)
    except (ValueError, RecursionError) as problem:
        raise _Unreadable from problem
    if not isinstance(content, dict):
        raise _Unreadable
    status, summary, notes = (content.get(key) for key in ("status", "summary", "notes"))
    if status is not None and status not in _STATUS:
        raise _Unreadable
    if not all(text is None or isinstance(text, str) for text in (summary, notes)):
        raise _Unreadable
    return status or "", short(summary or ""), short(notes or "")


def short(text: str) -> str:
    """On one line, harmless, and not longer than LONGEST; `…` says that there was more."""
    flat = safe(re.sub(r"\s+", " ", text).strip())
    return flat if len(flat) <= LONGEST else flat[: LONGEST - 1] + "…"
