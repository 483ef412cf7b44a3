"""Many files become one fleet's documents: who declares what, once. Pure."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from reconciler.load.complaint import Complaint
from reconciler.load.documents import Bad, Document, ParsedFile, Slot

FLEET: Slot = ("Fleet", "")  # there is one Fleet, whatever its name


@dataclass(slots=True)
class Gathered:
    """The good documents, the slots that are bad with their reasons and files, and what else is wrong."""

    good: dict[Slot, Document] = field(default_factory=dict)
    bad: dict[Slot, str] = field(default_factory=dict)
    paths: dict[Slot, tuple[str, ...]] = field(default_factory=dict)  # of the bad ones
    complaints: list[tuple[Document, Complaint]] = field(default_factory=list)


def key(slot: Slot) -> Slot:
    """Return what a slot may be declared once as."""
    return FLEET if slot[0] == "Fleet" else slot


def gather(files: Sequence[ParsedFile]) -> Gathered:
    """Take parsed files in any order and return what they declare together."""
    found = Gathered()
    documents: dict[Slot, list[Document]] = defaultdict(list)
    wrong: dict[Slot, list[tuple[str, Bad]]] = defaultdict(list)
    for file in files:
        for document in file.documents:
            documents[key(document.slot)].append(document)
        for bad in file.bad:
            wrong[key(bad.slot)].append((file.path, bad))
    for slot, declared in documents.items():
        if len(declared) == 1 and slot not in wrong:
            found.good[slot] = declared[0]
        elif len(declared) > 1:
            _twice(slot, declared, found)
    for slot, bads in wrong.items():
        found.bad.setdefault(slot, min(bad.why for _, bad in bads))
        paths = {path for path, _ in bads} | {document.source.file for document in documents.get(slot, ())}
        found.paths[slot] = tuple(sorted(paths))
    return found


def _twice(slot: Slot, declared: list[Document], found: Gathered) -> None:
    first, *later = sorted(declared, key=lambda document: (document.source.file, document.source.line))
    place = f"{first.source.file}:{first.source.line}"
    for document in later:
        if slot == FLEET:
            complaint = Complaint(("kind",), f"there is a Fleet already, in {place}", "keep one of them")
        else:
            message = f"the {document.kind} {document.name} is already declared in {place}"
            complaint = Complaint(("metadata", "name"), message, "rename one of them, or remove it")
        found.complaints.append((document, complaint))
    other = f"{later[0].source.file}:{later[0].source.line}"
    found.bad[slot] = f"declared twice, in {place} and {other}"
    found.paths[slot] = tuple(sorted({document.source.file for document in declared}))
