"""A file's bytes become documents, or problems with their places. Pure, and remembered by blob id."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from reconciler.load import yaml
from reconciler.load.complaint import Complaint, closest, quoted, shown
from reconciler.load.excerpt import excerpts
from reconciler.load.rules import rules
from reconciler.load.schema import API_VERSION, KINDS, check
from reconciler.load.text import LARGEST, Mark
from reconciler.model.problem import Problem, Source

MOST_PROBLEMS = 20  # in one file; one more says how many are left out
NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")

Slot = tuple[str, str]  # kind and name


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """A document that was good when it was read."""

    kind: str
    name: str
    spec: Mapping[str, Any]
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    source: Source = Source("")
    blob: str = ""  # where it was read from; empty when it is not known
    index: int = 0  # which document of that blob

    @property
    def slot(self) -> Slot:
        """What it declares."""
        return (self.kind, self.name)

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values, for the ledger."""
        return {
            "kind": self.kind,
            "name": self.name,
            "spec": dict(self.spec),
            "labels": dict(self.labels),
            "annotations": dict(self.annotations),
            "file": self.source.file,
            "line": self.source.line,
            "blob": self.blob,
            "index": self.index,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Document":
        """Take what `to_json` returned and return the document; raise KeyError when it is something else."""
        source = Source(value["file"], value["line"])
        return cls(
            value["kind"],
            value["name"],
            value["spec"],
            value["labels"],
            value["annotations"],
            source,
            value["blob"],
            value["index"],
        )


class Bad(NamedTuple):
    """A document that is wrong now, but says what it declares."""

    slot: Slot
    why: str


@dataclass(frozen=True, slots=True)
class ParsedFile:
    """What one file holds. `known`: everything that it declares is in `documents` or `bad`."""

    path: str
    documents: tuple[Document, ...] = ()
    bad: tuple[Bad, ...] = ()
    problems: tuple[Problem, ...] = ()
    known: bool = True
    blob: str = ""


class Parser:
    """Parsed files by path and blob id; the daemon keeps it, so that a cycle costs what changed."""

    def __init__(self) -> None:
        self._files: dict[tuple[str, str], ParsedFile] = {}
        self.built: dict[Document, tuple[Any, Any]] = {}  # what resolving made of a document, and from which defaults
        self.stood: dict[Any, Any] = {}  # last good versions that were found in history
        self.texts: dict[str, bytes] = {}  # prompt templates by blob id

    def parse(
        self, files: list[tuple[str, str]], read: Callable[[list[str]], Mapping[str, bytes]]
    ) -> tuple[ParsedFile, ...]:
        """Take (path, blob id) of all files and how to read blobs; return them parsed, reading only what is new."""
        missing = sorted({key[1] for key in files if key not in self._files})
        contents = read(missing) if missing else {}
        previous, self._files = self._files, {}
        for path, blob in files:
            known = previous.get((path, blob))
            self._files[path, blob] = known or parse_file(path, blob, contents[blob])
        return tuple(self._files.values())


def parse_file(path: str, blob: str, data: bytes) -> ParsedFile:
    """Take a file's path, blob id and bytes and return its documents, good and bad, and its problems."""
    reading = yaml.read(data)
    good: list[Document] = []
    bad: list[Bad] = []
    complaints: list[tuple[int, Complaint]] = []
    problems: list[Problem] = []
    known = reading.whole
    faulty: dict[int, list[Complaint]] = defaultdict(list)
    for fault in reading.faults:
        complaint = Complaint(fault.path, fault.message, fault.hint)
        problems.append(_at(path, fault.mark, complaint))
        faulty[fault.document].append(complaint)
    for index, content in enumerate(reading.contents):
        faults = faulty.get(index, [])
        found = _complaints(content.value)
        slot = None if any(_hides_name(complaint) for complaint in faults) else _slot(content.value)
        complaints += [(index, complaint) for complaint in found]
        if slot is None:
            known = False
        elif faults or found:
            first = (faults or found)[0]
            bad.append(Bad(slot, f"{path}:{content.mark.line}: {shown(first.path)}: {first.message}"))
        else:
            good.append(_document(slot, content.value, Source(path, content.mark.line), blob, index))
    if not reading.contents and not reading.faults:
        hint = "remove the file, or name it in .reconcilerignore"
        nothing = Problem(path, 1, 1, "", "the file declares nothing", hint)
        return ParsedFile(path, problems=(nothing,), known=False, blob=blob)
    taken = {problem.line for problem in problems}
    located = locate(path, data, complaints)
    problems += [problem for problem in located if problem.line not in taken]
    return ParsedFile(path, tuple(good), tuple(bad), excerpted(problems, data), known, blob)


def locate(path: str, data: bytes, complaints: list[tuple[int, Complaint]]) -> list[Problem]:
    """Take complaints about the documents of a file, by index, and return them as problems with their places."""
    if not complaints:
        return []
    places = yaml.locate(data)
    problems = []
    for index, complaint in complaints:
        here = places[index] if index < len(places) else {}
        place = complaint.path
        while place and place not in here:
            place = place[:-1]
        problems.append(_at(path, here.get(place, Mark(1, 1)), complaint))
    return problems


def excerpted(problems: Iterable[Problem], data: bytes) -> tuple[Problem, ...]:
    """Take the problems of one file and its bytes; return them in order, the ones to be shown with their lines."""
    ordered = sorted(set(problems))
    first = ordered[:MOST_PROBLEMS]
    lines = excerpts(_lines(data), {problem.line for problem in first if not problem.excerpt})
    return (
        *(replace(problem, excerpt=problem.excerpt or lines.get(problem.line, "")) for problem in first),
        *ordered[MOST_PROBLEMS:],
    )


def capped(problems: Sequence[Problem]) -> Sequence[Problem]:
    """Take the problems of one file in order and return those to be shown; one more says how many are left out."""
    left = len(problems) - MOST_PROBLEMS
    if left <= 0:
        return problems
    last = problems[MOST_PROBLEMS]
    said = f"{left} more problem{'s' if left > 1 else ''} in this file {'are' if left > 1 else 'is'} not shown"
    return (*problems[:MOST_PROBLEMS], Problem(last.file, last.line, last.column, "", said, "correct the first ones"))


def _complaints(value: Any) -> tuple[Complaint, ...]:
    if not isinstance(value, dict):
        return (Complaint((), "a document has to be a mapping", f"start it with `apiVersion: {API_VERSION}`"),)
    version, kind = value.get("apiVersion"), value.get("kind")
    if kind in KINDS:
        found = check(kind, value)
        return found or rules(kind, value["spec"])
    if "apiVersion" not in value:
        hint = f"start the document with `apiVersion: {API_VERSION}`, or name the file in .reconcilerignore"
        return (Complaint(("apiVersion",), "is missing", hint), *_misspelt("apiVersion", value))
    if version != API_VERSION:
        given = f', got "{quoted(version)}"' if isinstance(version, str) else ""
        return (Complaint(("apiVersion",), f"expected {API_VERSION}{given}", "name the file in .reconcilerignore"),)
    if kind is None:
        hint = f"write one of {', '.join(KINDS)}"
        return (Complaint(("kind",), "is missing", hint), *_misspelt("kind", value))
    meant = closest(kind, KINDS) if isinstance(kind, str) else ""
    given = f'unknown kind "{quoted(kind)}"' if isinstance(kind, str) else "unknown kind"
    return (Complaint(("kind",), given, f"did you mean {meant}?" if meant else f"known are {', '.join(KINDS)}"),)


def _misspelt(key: str, value: Mapping[str, Any]) -> Iterable[Complaint]:
    """What may have been meant to be a key that is missing."""
    for name in value:
        if name != key and closest(name, [key]):
            yield Complaint((name,), "unknown key", f"did you mean {key}?")


def _slot(value: Any) -> Slot | None:
    if not isinstance(value, dict) or value.get("kind") not in KINDS:
        return None
    metadata = value.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return (value["kind"], name) if isinstance(name, str) and NAME.match(name) else None


def _hides_name(fault: Complaint) -> bool:
    return fault.path in (("kind",), ("metadata",), ("metadata", "name"))


def _document(slot: Slot, value: Mapping[str, Any], source: Source, blob: str, index: int) -> Document:
    metadata = value["metadata"]
    return Document(
        *slot, value["spec"], metadata.get("labels", {}), metadata.get("annotations", {}), source, blob, index
    )


def _at(path: str, mark: Mark, complaint: Complaint) -> Problem:
    return Problem(path, mark.line, mark.column, shown(complaint.path), complaint.message, complaint.hint)


def _lines(data: bytes) -> list[str]:
    return data[:LARGEST].decode("utf-8", "replace").removeprefix("\ufeff").split("\n")
