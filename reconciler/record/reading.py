"""What a collected run left in the archive → what its worker told."""

import json
from dataclasses import replace
from functools import cache
from typing import Any

from reconciler.model.memory import RunMemory
from reconciler.record.archive import Archive
from reconciler.record.asked import asked_of
from reconciler.record.outcome import Told, interpret
from reconciler.record.redactor import Redactor


def what_was_told(archive: Archive, run: str, memory: RunMemory | None) -> Told:
    """Takes a run that was collected and what is remembered of it; returns what its worker said of its end."""
    result, ended_at = (memory.result, memory.ended_at) if memory else (None, None)
    asked = asked_of(archive.read(run, "run.json"))
    answer, blocked = archive.read(run, "answer.json"), archive.read(run, "blocked.md")
    if not asked.tool:
        return interpret(result, answer, blocked)
    from reconciler.agents.adapter import Output
    from reconciler.agents.registry import adapter, names
    from reconciler.record.verdict import Evidence, judge

    if asked.tool not in names():
        return interpret(result, answer, blocked)  # a newer controller knows it
    output = Output(
        exit_code=result.exit_code if result else None,
        stdout=archive.edges(run, "stdout.log"),
        stderr=archive.edges(run, "stderr.log"),
        events=archive.edges(run, "events.jsonl"),
        answer=answer,
        ended_at=ended_at,
    )
    evidence = Evidence(
        output,
        blocked,
        archive.read(run, "qa.tsv"),
        archive.read(run, "qa.log"),
        archive.read(run, "supervisor.log"),
        memory.phase if memory else "",
    )
    return judge(result, ended_at, asked, adapter(asked.tool), evidence, _schema())


def unveiled(told: Told, redactor: Redactor) -> Told:
    """Takes what a worker told; returns it without secrets: JSON can spell a value so that only reading it shows it."""
    hide = redactor.scrub
    return replace(
        told,
        summary=hide(told.summary),
        notes=hide(told.notes),
        branch=hide(told.branch),
        pull_request_url=hide(told.pull_request_url),
        session_id=hide(told.session_id),
        agent=hide(told.agent),
        variant=hide(told.variant),
        qa=tuple(step._replace(name=hide(step.name)) for step in told.qa),
    )


@cache
def _schema() -> Any:
    from reconciler.prompts.builtin import result_schema

    return json.loads(result_schema())
