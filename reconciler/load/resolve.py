"""Documents become what is desired: defaults filled in, references checked, the bad at an earlier version. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from reconciler.load import build, references
from reconciler.load.complaint import Complaint, shown
from reconciler.load.documents import Document, Parser, Slot
from reconciler.load.gather import FLEET
from reconciler.load.rules import backoff
from reconciler.model.fleet import Fleet
from reconciler.model.host import Host
from reconciler.model.task import Task


@dataclass(slots=True)
class Resolved:
    """What the documents amount to, and which of them stand at another version than the present one."""

    fleet: Fleet | None = None
    hosts: dict[str, Host] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    frozen: dict[str, str] = field(default_factory=dict)
    invalid: dict[str, str] = field(default_factory=dict)
    documents: tuple[Document, ...] = ()
    complaints: list[tuple[Document, Complaint]] = field(default_factory=list)


def resolve(
    good: Mapping[Slot, Document],
    bad: Mapping[Slot, str],
    stands: Mapping[Slot, Document],
    remembered: Mapping[Slot, Document],
    complete: bool,
    parser: Parser,
) -> Resolved:
    """Take the good documents, why the others are bad, what stands in for them, and what the ledger remembers.

    `complete` is False when a file may declare what nobody can read: then no name counts as unknown."""
    out = Resolved()
    fleet = good.get(FLEET) or stands.get(FLEET)
    defaults: Mapping[str, Any] = fleet.spec.get("defaults", {}) if fleet else {}
    of_hosts, of_tasks = defaults.get("host", {}), defaults.get("task", {})
    reasons = dict(bad)
    present = dict(good)
    hosts = {d.name: _built(parser, d, of_hosts) for slot, d in good.items() if slot[0] == "Host"}
    tasks = {d.name: _built(parser, d, of_tasks) for slot, d in good.items() if slot[0] == "Task"}
    wrong = references.hosts(hosts) + references.cycles(tasks)
    if complete:
        declared = {*good, *bad, *stands}
        wrong += references.unknown(tasks, _names("Host", declared), _names("Task", declared))
    for name, task in tasks.items():
        if task.retries.backoff > task.retries.max_backoff:
            found = backoff(build.retries(good["Task", name], of_tasks), ("spec", "retries"))
            wrong += [references.Reference(("Task", name), complaint) for complaint in found]
    for slot, complaint, also in wrong:
        out.complaints.append((good[slot], complaint))
        document = good[slot]
        why = f"{document.source.file}:{document.source.line}: {shown(complaint.path)}: {complaint.message}"
        for each in also or (slot,):
            reasons.setdefault(each, why)
            present.pop(each, None)
    for slot, why in sorted(reasons.items()):
        last = stands.get(slot) or (remembered.get(slot) if slot in good else None)
        if last:
            present[slot] = last
        if slot[0] == "Task":
            (out.frozen if last else out.invalid)[slot[1]] = why
    for slot, document in stands.items():
        present.setdefault(slot, document)
    _fill(out, present, of_hosts, of_tasks, parser)
    return out


def _fill(
    out: Resolved,
    present: Mapping[Slot, Document],
    of_hosts: Mapping[str, Any],
    of_tasks: Mapping[str, Any],
    parser: Parser,
) -> None:
    for slot in sorted(present):  # by name: file names and folders never change a plan
        document = present[slot]
        match document.kind:
            case "Fleet":
                out.fleet = build.fleet(document)
            case "Host":
                out.hosts[document.name] = _built(parser, document, of_hosts)
            case "Task":
                out.tasks[document.name] = _built(parser, document, of_tasks)
    out.documents = tuple(present[slot] for slot in sorted(present))
    parser.built = {document: parser.built[document] for document in out.documents if document in parser.built}


def _names(kind: str, slots: Iterable[Slot]) -> set[str]:
    return {name for found, name in slots if found == kind}


def _built(parser: Parser, document: Document, defaults: Mapping[str, Any]) -> Any:
    known = parser.built.get(document)
    if known is None or (known[0] is not defaults and known[0] != defaults):
        made = build.host(document, defaults) if document.kind == "Host" else build.task(document, defaults)
        known = parser.built[document] = (defaults, made)
    return known[1]
