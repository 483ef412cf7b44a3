"""What the output of an agent makes of the end of its run: evidence over exit codes. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from reconciler.agents.adapter import Adapter, Output, Reading
from reconciler.agents.answer import fits
from reconciler.agents.limits import LONGEST
from reconciler.model.rows import QaOutcome
from reconciler.model.run import Result, State
from reconciler.record.asked import Asked
from reconciler.record.outcome import Told, short

BRANCH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/+@-]{0,199}\Z")
URL = re.compile(r"https?://[!-~]{1,500}\Z")

# Ends that no answer changes: the worker did not end by itself, or never began.
_FIRM = frozenset({State.CANCELED, State.LOST, State.VOID})
_STOPPED = {
    "PrepareFailed": "",
    "Timeout": "it took longer than its timeout",
    "IdleTimeout": "it said nothing and did nothing for longer than its idleTimeout",
}


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that an ended run left, as far as it is here."""

    output: Output
    blocked: bytes | None = None
    qa: bytes | None = None
    qa_log: bytes | None = None
    phase_log: bytes | None = None
    phase: str = ""  # that it was seen in last


def qa_of(table: bytes | None) -> tuple[QaOutcome, ...]:
    """Takes qa.tsv; returns its steps, those apart that cannot be read."""
    rows = (line.split("\t") for line in (table or b"").decode("utf-8", "replace").splitlines())
    return tuple(
        QaOutcome(short(row[0]), int(row[1]), int(row[2]))
        for row in rows
        if len(row) == 3 and re.fullmatch(r"\d{1,9}", row[1]) and re.fullmatch(r"\d{1,9}", row[2])
    )


def judge(
    result: Result | None,
    ended_at: float | None,
    asked: Asked,
    adapter: Adapter,
    evidence: Evidence,
    schema: Mapping[str, Any],
) -> Told:
    """Takes the end as the host recorded it and what the run left; returns what the agent told of it."""
    reading = adapter.read(evidence.output)
    why = _unfit(reading, adapter, schema)
    answer = reading.answer if reading.answer is not None and not why else {}
    told = Told(
        summary=_text(answer, "summary"),
        notes=_text(answer, "notes"),
        branch=_matching(BRANCH, answer, "branchName") or asked.branch,
        pull_request_url=_matching(URL, answer, "pullRequestUrl"),
        cost_usd=reading.cost_usd,
        tokens=reading.tokens,
        session_id=short(reading.session_id),
        qa=qa_of(evidence.qa),
        agent=asked.agent,
        variant=asked.variant,
    )
    if result is None or result.state in _FIRM or result.reason in _STOPPED:
        return replace(told, summary=told.summary or _stopped(result, reading, evidence))
    if evidence.blocked or answer.get("status") == "blocked":
        question = short((evidence.blocked or b"").decode("utf-8", "replace")) or told.summary
        return _ended(told, result, State.BLOCKED, "", question)
    if reading.failure:
        until = reading.retry_at
        if until is None and reading.retry_after is not None and ended_at is not None:
            until = ended_at + reading.retry_after
        if until is not None and (ended_at is None or until > ended_at + LONGEST):
            until = None  # no time to wait for
        return _ended(replace(told, cool_until=until), result, State.FAILED, reading.failure, short(reading.message))
    if result.reason == "QAFailed":
        return replace(told, summary=_failed_steps(told.qa, evidence.qa_log))
    if not reading.finished:
        return _unfinished(told, result, reading, evidence.output.stderr)
    if why:
        return _ended(
            told, result, State.FAILED, "InvalidResult", short(f"{why}: {reading.text}" if reading.text else why)
        )
    if answer.get("status") == "failed":
        return _ended(told, result, State.FAILED, "", told.summary)
    if result.state is State.FAILED and asked.qa:
        # Its work is good by its own word alone: a worker that ended badly was not checked.
        return replace(told, summary=short(f"{told.summary} (not checked: it ended with exit code {result.exit_code})"))
    return _ended(told, result, State.SUCCEEDED, "", told.summary or short(reading.text))


def _unfit(reading: Reading, adapter: Adapter, schema: Mapping[str, Any]) -> str:
    """Why there is no answer that can be used; empty when there is one, or none is needed."""
    if reading.answer is None:
        return "it gave no answer of the form that was asked for" if adapter.answers else ""
    if adapter.answers:
        return fits(reading.answer, schema)
    # Who need not answer may do so as a script may: with the keys that it likes.
    known = reading.answer.get("status") in (None, "succeeded", "failed", "blocked")
    return "" if known else "its answer has a status that does not exist"


def _unfinished(told: Told, result: Result, reading: Reading, stderr: bytes) -> Told:
    said = _said(reading, stderr)
    if result.state is State.SUCCEEDED:
        why = "it ended with exit code 0 and gave no answer"
        return _ended(told, result, State.FAILED, "InvalidResult", short(f"{why}: {said}" if said else why))
    return replace(told, summary=told.summary or said)


def _said(reading: Reading, stderr: bytes) -> str:
    """The last that there is to read of a tool that gave no answer."""
    return short(reading.message or reading.text or _last_lines(stderr))


def _ended(told: Told, result: Result, state: State, reason: str, summary: str) -> Told:
    end = replace(result, state=state, reason=reason)
    return replace(told, summary=summary, result=None if end == result else end)


def _failed_steps(steps: tuple[QaOutcome, ...], log: bytes | None) -> str:
    failed = ", ".join(f"{step.name} (exit code {step.exit_code})" for step in steps if step.exit_code)
    end = short(_last_lines(log))
    return short(f"failed: {failed or 'its checks'}{'; the log ends: ' + end if end else ''}")


def _last_lines(log: bytes | None) -> str:
    lines = [line for line in (log or b"")[-4000:].decode("utf-8", "replace").splitlines() if line.strip()]
    return " · ".join(lines[-5:])


def _stopped(result: Result | None, reading: Reading, evidence: Evidence) -> str:
    """Why preparing failed is the last line of its log; else what the tool said last, else the limit it reached."""
    reason = result.reason if result else ""
    if reason == "PrepareFailed":
        lines = (evidence.phase_log or b"").decode("utf-8", "replace").splitlines()
        told = [line.removeprefix("PrepareFailed: ") for line in lines if line.startswith("PrepareFailed: ")]
        where = f"{evidence.phase}: " if evidence.phase in ("checkout", "worktree") else ""
        return short(where + told[-1]) if told else ""
    return _said(reading, evidence.output.stderr) or _STOPPED.get(reason, "")


def _text(answer: Mapping[str, object], key: str) -> str:
    value = answer.get(key)
    return short(value) if isinstance(value, str) else ""


def _matching(pattern: re.Pattern[str], answer: Mapping[str, object], key: str) -> str:
    """What an agent says is used in commands and shown as a link: it has to look like what it should be."""
    value = answer.get(key)
    return value if isinstance(value, str) and pattern.match(value) and ".." not in value else ""
