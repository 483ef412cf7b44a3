"""Documents become what is desired: defaults filled in, references checked, the bad at an earlier version. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from reconciler.load import build, references, references_work
from reconciler.load.complaint import Complaint, shown
from reconciler.load.documents import Document, Parser, Slot
from reconciler.load.gather import FLEET
from reconciler.load.references import Reference
from reconciler.load.rules import backoff
from reconciler.load.templates import Templates
from reconciler.model.agent import Agent
from reconciler.model.fleet import Fleet
from reconciler.model.host import Host
from reconciler.model.project import Project
from reconciler.model.task import Task

NOBODY = "nobody says which agent works: give the task an agent, or the Fleet a defaults.task.agent"


@dataclass(slots=True)
class Resolved:
    """What the documents amount to, and which of them stand at another version than the present one."""

    fleet: Fleet | None = None
    hosts: dict[str, Host] = field(default_factory=dict)
    projects: dict[str, Project] = field(default_factory=dict)
    agents: dict[str, Agent] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    frozen: dict[str, str] = field(default_factory=dict)
    invalid: dict[str, str] = field(default_factory=dict)
    documents: tuple[Document, ...] = ()
    complaints: list[tuple[Document, Complaint]] = field(default_factory=list)
    unfit: set[Slot] = field(default_factory=set)  # documents that are good, but not beside the others


def resolve(
    good: Mapping[Slot, Document],
    bad: Mapping[Slot, str],
    stands: Mapping[Slot, Document],
    remembered: Mapping[Slot, Document],
    complete: bool,
    parser: Parser,
    templates: Templates,
) -> Resolved:
    """Take the good documents, why the others are bad, what stands in for them, and what the ledger remembers.

    `complete` is False when a file may declare what nobody can read: then no name counts as unknown."""
    out = Resolved()
    fleet = good.get(FLEET) or stands.get(FLEET)
    defaults: Mapping[str, Any] = fleet.spec.get("defaults", {}) if fleet else {}
    builder = _Builder(parser, defaults.get("host", {}), defaults.get("task", {}))
    declared = {*good, *bad, *stands}
    reasons = dict(bad)
    present = dict(good)
    wrong = _wrong(good, declared if complete else None, builder, templates)
    for slot, complaint, _ in wrong:
        out.complaints.append((good[slot], complaint))
    for slot, complaint, makes_bad in wrong:
        document = good[slot]
        why = f"{document.source.file}:{document.source.line}: {shown(complaint.path)}: {complaint.message}"
        for each in (slot,) if makes_bad is None else makes_bad:
            reasons.setdefault(each, why)
    for slot, document in good.items():
        unusable = _unusable(builder.task(document), templates) if slot[0] == "Task" else ""
        if unusable:
            reasons.setdefault(slot, unusable)
    out.unfit = {slot for slot in reasons if slot in good}
    for slot, why in sorted(reasons.items()):
        present.pop(slot, None)
        last = stands.get(slot) or (remembered.get(slot) if slot in good else None)
        if last:
            present[slot] = last
        if slot[0] == "Task":
            usable = last is not None and not _unusable(builder.task(last), templates)
            (out.frozen if usable else out.invalid)[slot[1]] = why
    for slot, document in stands.items():
        present.setdefault(slot, document)
    _fill(out, present, builder)
    out.agents = references_work.with_tools(out.agents, out.tasks.values(), builder.default_agent, declared)
    return out


@dataclass(slots=True)
class _Builder:
    """Makes nouns of documents, each once for the same defaults."""

    parser: Parser
    of_hosts: Mapping[str, Any]
    of_tasks: Mapping[str, Any]

    @property
    def default_agent(self) -> str:
        return str(self.of_tasks.get("agent", ""))

    def task(self, document: Document) -> Task:
        made: Task = self.built(document)
        return made

    def built(self, document: Document) -> Any:
        defaults = {"Host": self.of_hosts, "Task": self.of_tasks}.get(document.kind, {})
        known = self.parser.built.get(document)
        if known is None or (known[0] is not defaults and known[0] != defaults):
            known = self.parser.built[document] = (defaults, _made(document, defaults))
        return known[1]

    def all(self, kind: str, documents: Iterable[Document]) -> dict[str, Any]:
        return {document.name: self.built(document) for document in documents if document.kind == kind}


def _made(document: Document, defaults: Mapping[str, Any]) -> Any:
    match document.kind:
        case "Host":
            return build.host(document, defaults)
        case "Project":
            return build.project(document)
        case "Agent":
            return build.agent(document)
    return build.task(document, defaults)


def _wrong(
    good: Mapping[Slot, Document], declared: set[Slot] | None, builder: _Builder, templates: Templates
) -> list[Reference]:
    """What is wrong with good documents beside each other. Without `declared`, no name is unknown."""
    hosts: dict[str, Host] = builder.all("Host", good.values())
    tasks: dict[str, Task] = builder.all("Task", good.values())
    agents: dict[str, Agent] = builder.all("Agent", good.values())
    wrong = references.hosts(hosts) + references.cycles(tasks)
    if declared is not None:
        wrong += references.unknown(tasks, _names("Host", declared), _names("Task", declared))
        wrong += references_work.unknown(good, tasks, agents, declared)
    if FLEET in good:
        wrong += references_work.nobody(tasks)
    for name, task in tasks.items():
        if task.project:
            wrong += [Reference(("Task", name), complaint) for complaint in templates.fit(task.template)]
        if task.retries.backoff > task.retries.max_backoff:
            merged = build.retries(good["Task", name], builder.of_tasks)
            wrong += [Reference(("Task", name), complaint) for complaint in backoff(merged, ("spec", "retries"))]
    return wrong


def _unusable(task: Task, templates: Templates) -> str:
    """Why an agent's task cannot be told to anybody, whatever its document says; empty when it can."""
    if not task.project:
        return ""
    return NOBODY if task.agent is None else templates.why(task.template)


def _fill(out: Resolved, present: Mapping[Slot, Document], builder: _Builder) -> None:
    for slot in sorted(present):  # by name: file names and folders never change a plan
        document = present[slot]
        match document.kind:
            case "Fleet":
                out.fleet = build.fleet(document)
            case "Host":
                out.hosts[document.name] = builder.built(document)
            case "Project":
                out.projects[document.name] = builder.built(document)
            case "Agent":
                out.agents[document.name] = builder.built(document)
            case "Task" if document.name not in out.invalid:
                out.tasks[document.name] = builder.built(document)
    out.documents = tuple(present[slot] for slot in sorted(present))
    parser = builder.parser
    parser.built = {document: parser.built[document] for document in out.documents if document in parser.built}


def _names(kind: str, slots: Iterable[Slot]) -> set[str]:
    return {name for found, name in slots if found == kind}
