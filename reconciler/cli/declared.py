"""Projects and agents: the documents that the ledger remembers, with what works for them now."""

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.load import build
from reconciler.load.documents import Document
from reconciler.model.rows import AgentRow, ProjectRow, RunRow
from reconciler.model.run import ENDED
from reconciler.model.task import Qa

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reconciler.record.ledger import Ledger


def project_rows(ledger: "Ledger") -> list[ProjectRow]:
    """Every project in the order of names; hosts are not asked for their checkouts."""
    tasks = [row.project for row in ledger.task_rows() if not row.closed]
    runs = ledger.run_rows(include_cleaned=True)
    rows = []
    for document in _documents(ledger, "Project"):
        found = build.project(document)
        mine = [run for run in runs if run.project == found.name]
        rows.append(
            ProjectRow(
                found.name,
                found.git_url,
                found.repo_url,
                found.base_branch,
                found.fork.value,
                bool(found.setup),
                _checks(found.qa),
                tasks.count(found.name),
                _active(mine),
                _cost(mine),
                document.labels,
                document.source.file,
                document.source.line,
            )
        )
    return rows


def agent_rows(ledger: "Ledger") -> list[AgentRow]:
    """Every agent in the order of names: Agent documents, and tools that tasks name without one."""
    documents = {document.name: document for document in _documents(ledger, "Agent")}
    tasks = [_name(row.agent) for row in ledger.task_rows() if row.agent and not row.closed]
    runs: dict[str, list[RunRow]] = {}
    for run in ledger.run_rows(include_cleaned=True):
        if run.agent:
            runs.setdefault(_name(run.agent), []).append(run)
    cool = _cooling(ledger)
    rows = []
    for name in sorted({*documents, *tasks, *(name for name, mine in runs.items() if _active(mine))}):
        row = _agent(documents[name]) if name in documents else AgentRow(name, tool=name)
        mine = runs.get(name, [])
        rows.append(
            replace(
                row,
                tasks=tasks.count(name),
                active=_active(mine),
                cool_until=cool.get(name),
                cost_usd=_cost(mine),
            )
        )
    return rows


def _agent(document: Document) -> AgentRow:
    found = build.agent(document)
    return AgentRow(
        found.name,
        found.tool,
        found.model,
        found.fallback,
        found.max_concurrent,
        found.budget_usd,
        labels=document.labels,
        file=document.source.file,
        line=document.source.line,
    )


def _cooling(ledger: "Ledger") -> dict[str, float]:
    """Agent → until when nothing of it starts, as deciding sees it: the ledger's runs say all of that."""
    from reconciler.clock import now
    from reconciler.decide.limits import cooling
    from reconciler.decide.scene import look
    from reconciler.model.change import Options
    from reconciler.model.desired import Desired
    from reconciler.model.fleet import Fleet

    scene = look(Desired("", Fleet("", "")), {}, ledger.memory(), now(), Options())
    return {name: found.until for name, found in cooling(scene).items()}


def _documents(ledger: "Ledger", kind: str) -> list[Document]:
    found = sorted(ledger.documents().items())
    return [Document.from_json(json.loads(text)) for (declared, _), text in found if declared == kind]


def _checks(qa: Qa | None) -> tuple[str, ...]:
    if qa is None:
        return ()
    return ("auto",) if qa.auto else tuple(step.name for step in qa.steps)


def _name(agent: str) -> str:
    return agent.partition(":")[0]


def _active(runs: "Sequence[RunRow]") -> int:
    return sum(run.state not in ENDED for run in runs)


def _cost(runs: "Iterable[RunRow]") -> float | None:
    costs = [run.cost_usd for run in runs if run.cost_usd is not None]
    return round(sum(costs), 6) if costs else None
