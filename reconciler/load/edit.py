"""Edits of the fleet repository's work tree: find a document, change it, look whether that is an improvement, commit.

Nothing is written before the whole fleet, as it would be then, was read by the same loader that every cycle uses.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reconciler.errors import ReconcilerError, UsageError
from reconciler.load import edit_text, yaml
from reconciler.load.complaint import closest
from reconciler.load.documents import NAME, Document, Parser, Slot
from reconciler.load.edit_render import document as rendered
from reconciler.load.edit_text import CannotEdit, KeyPath
from reconciler.load.files import printable, select
from reconciler.load.fleet import Loaded, load_worktree
from reconciler.load.git import Repository
from reconciler.load.git_command import RepositoryError
from reconciler.load.git_objects import Entry
from reconciler.load.ignore import ignored
from reconciler.load.schema import API_VERSION
from reconciler.model.problem import Problem, Severity
from reconciler.model.trust import Signer
from reconciler.show.problems import one

BOM = b"\xef\xbb\xbf"


class Refused(ReconcilerError):
    """The edit would make the fleet worse; `problems` says how."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        shown = "".join(one(problem) for problem in problems)
        super().__init__(f"this edit would break the fleet, so nothing was changed:\n{shown.rstrip()}")
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Site:
    """Where a document is: its file (relative to the repository), which document of it, and what it says now."""

    path: str
    index: int
    value: Mapping[str, Any]

    @property
    def spec(self) -> Mapping[str, Any]:
        """The document's `spec`, empty when there is none."""
        spec = self.value.get("spec")
        return spec if isinstance(spec, dict) else {}


@dataclass(frozen=True, slots=True)
class Saved:
    """What an edit has done; `commit` is empty when it was not asked for."""

    paths: tuple[str, ...]
    commit: str = ""


@dataclass(frozen=True, slots=True)
class _Edited(Repository):
    """The repository as it would be after the edit."""

    changed: Mapping[str, bytes | None] = field(default_factory=dict)

    def worktree_files(self) -> tuple[tuple[Entry, ...], Mapping[str, bytes]]:
        """The files of the work tree, the edited ones as they would be."""
        entries, contents = Repository.worktree_files(self)
        files = {entry.path: entry for entry in entries}
        added: dict[str, bytes] = {}
        for path, data in self.changed.items():
            mode = files.pop(path).mode if path in files else "100644"
            if data is not None:
                blob = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
                files[path], added[blob] = Entry(path, blob, mode, len(data)), data
        return tuple(files[path] for path in sorted(files)), {**contents, **added}


class Workplace:
    """The work tree of a local fleet repository, and the edits made so far; `save` writes them all or none."""

    def __init__(self, repository: Repository) -> None:
        """Take an opened repository; raise UsageError when it has no work tree to edit."""
        if repository.work_tree is None:
            raise UsageError(f"{repository.location} cannot be edited from here: clone it, and name the clone with -C")
        self._repository = repository
        self._tree = repository.work_tree
        self._parser = Parser()
        self._before = load_worktree(repository, self._parser)
        entries, self._contents = repository.worktree_files()
        contents = self._contents
        ignoring = ignored(entries, repository.prefix, lambda _: contents, lambda _: iter(()), self._parser)
        self._files = {entry.path: entry.blob for entry in select(entries, repository.prefix, ignoring.left_out).files}
        self._changed: dict[str, bytes | None] = {}
        self._added: list[Slot] = []

    @property
    def repository(self) -> Repository:
        """Where the edits are committed."""
        return self._repository

    @property
    def signers(self) -> tuple[Signer, ...]:
        """Whose commits are acted on, as the work tree says before the edits; nobody's when everybody's are."""
        return self._before.desired.fleet.signers if self._before.desired else ()

    def documents(self, kind: str) -> list[Document]:
        """The documents of a kind that stand now, by name; edits that were not saved do not show."""
        return sorted((d for d in self._before.documents if d.kind == kind), key=lambda document: document.name)

    def find(self, kind: str, name: str = "") -> Site:
        """Return where the document is (of a kind that there is one of, without a name).

        Raises ReconcilerError when there is none, or more than one."""
        found = self._sites(kind, name)
        if not found:
            raise ReconcilerError(self._missing(kind, name))
        if len(found) > 1:
            places = ", ".join(sorted({printable(site.path) for site in found}))
            raise ReconcilerError(f"{kind.lower()} {name} is declared more than once, in {places}: remove one of them")
        return found[0]

    def set(self, site: Site, path: KeyPath, value: Any) -> None:
        """Set one key of a document, at the end of its mapping when it is new. Raises CannotEdit."""
        self._edit(site.path, lambda text: edit_text.set_value(text, site.index, path, value))

    def append(self, site: Site, path: KeyPath, value: Any) -> None:
        """Add an entry at the end of a list of a document; the list is made when it is not there. Raises CannotEdit."""
        self._edit(site.path, lambda text: edit_text.append_item(text, site.index, path, value))

    def unset(self, site: Site, path: KeyPath) -> None:
        """Remove one key of a document, if it is there. Raises CannotEdit."""
        self._edit(site.path, lambda text: edit_text.delete_key(text, site.index, path))

    def remove(self, site: Site) -> None:
        """Remove a document, and its file when nothing else is in it. Raises CannotEdit."""
        self._edit(site.path, lambda text: edit_text.delete_document(text, site.index))
        if not self._changed.get(site.path, b"x"):
            self._changed[site.path] = None

    def add(self, kind: str, name: str, spec: Mapping[str, Any], labels: Mapping[str, str]) -> Site:
        """Write a new document to `<kind>s/<name>.yaml`. Raises ReconcilerError when there is one of that name."""
        if not NAME.match(name):
            raise UsageError(f"{name!r} is no name: use 1 to 63 of a-z, 0-9 and -, a letter or digit at both ends")
        for taken in self._sites(kind, name):
            raise UsageError(
                f"there is a {kind.lower()} {name} already, in {printable(taken.path)}: choose another name"
            )
        metadata = {"name": name, "labels": dict(labels)} if labels else {"name": name}
        value = {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": dict(spec)}
        path = f"{self._repository.prefix}{kind.lower()}s/{name}.yaml"
        if path not in self._files and path not in self._changed and os.path.lexists(self._tree / path):
            raise ReconcilerError(f"{path} is there already, but the fleet does not read it: move it away")
        self._edit(path, lambda text: edit_text.append_document(text, rendered(value)))
        self._added.append((kind, name))
        return Site(path, 0, value)

    def save(self, message: str, *, commit: bool = True, push: bool = False) -> Saved:
        """Write what was edited, commit exactly these files, push; return what was done.

        Nothing is written when the fleet would have a new problem (Refused), or a file has changes of the user's own
        that the commit would take along; everything is put back when git refuses the commit (RepositoryError)."""
        changed = {path: data for path, data in self._changed.items() if data != self._stored(path)}
        if not changed:
            return Saved(())
        self._check(changed)
        if commit:
            self._check_clean(changed)
        stored = {path: self._stored(path) for path in changed}
        for path, data in changed.items():
            _write(self._tree / path, data)
        if not commit:
            return Saved(tuple(changed))
        try:
            revision = self._repository.commit(list(changed), message)
        except RepositoryError:
            for path, data in stored.items():
                _write(self._tree / path, data)
            raise
        if push:
            self._repository.push()
        return Saved(tuple(changed), revision)

    def _sites(self, kind: str, name: str) -> list[Site]:
        found = []
        for path in {**self._files, **dict.fromkeys(self._changed, "")}:
            data = self._data(path)
            if data and name.encode() in data:
                for index, content in enumerate(yaml.read(data).contents):
                    if _declares(content.value, kind, name):
                        found.append(Site(path, index, content.value))
        return found

    def _edit(self, path: str, edit: Callable[[str], str]) -> None:
        data = self._data(path) or b""
        mark = BOM if data.startswith(BOM) else b""
        try:
            text = edit(data.removeprefix(BOM).decode())
        except CannotEdit as error:
            raise CannotEdit(f"{printable(path)}: {error}") from None
        except UnicodeDecodeError:
            raise CannotEdit(f"{printable(path)} is not UTF-8: save it as UTF-8 first") from None
        self._changed[path] = mark + text.encode() if text else b""

    def _data(self, path: str) -> bytes | None:
        return self._changed[path] if path in self._changed else self._stored(path)

    def _stored(self, path: str) -> bytes | None:
        return self._contents[self._files[path]] if path in self._files else None

    def _missing(self, kind: str, name: str) -> str:
        if not name:
            return f"there is no {kind} document: write one with `reconciler init`"
        known = [document.name for document in self.documents(kind)]
        meant = closest(name, known)
        hint = f"did you mean {meant}?" if meant else f"there is {', '.join(known[:10]) or 'none'}"
        return f"there is no {kind.lower()} {name!r} in the repository: {hint}"

    def _check(self, changed: Mapping[str, bytes | None]) -> None:
        repository = self._repository
        edited = _Edited(
            repository.location, repository.git_dir, repository.common_dir, self._tree, repository.prefix, "", changed
        )
        after = load_worktree(edited, self._parser)
        before = Counter(_what(problem) for problem in _errors(self._before))
        worse = [problem for problem in _errors(after) if before[_what(problem)] < 1]
        if worse:
            raise Refused(worse)
        for kind, name in set(self._added) - {document.slot for document in after.documents}:
            raise ReconcilerError(f"the fleet would not read {kind.lower()}s/{name}.yaml: see .reconcilerignore")

    def _check_clean(self, changed: Mapping[str, bytes | None]) -> None:
        dirty = set(self._repository.uncommitted()) & set(changed)
        if dirty:
            shown = ", ".join(printable(path) for path in sorted(dirty))
            raise ReconcilerError(f"{shown} has changes that are not committed: commit them first, or use --no-commit")


def _declares(value: Any, kind: str, name: str) -> bool:
    if not isinstance(value, dict) or value.get("kind") != kind or value.get("apiVersion") != API_VERSION:
        return False
    metadata = value.get("metadata")
    return not name or (isinstance(metadata, dict) and metadata.get("name") == name)


def _errors(loaded: Loaded) -> list[Problem]:
    return [problem for problem in loaded.problems if problem.severity is Severity.ERROR]


def _what(problem: Problem) -> tuple[str, str, str]:
    return (problem.file, problem.path, problem.message)  # lines move when others are edited


def _write(path: Path, data: bytes | None) -> None:
    """Replace a file in one step, so that nobody reads half of it; None removes it."""
    try:
        if data is None:
            path.unlink()
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}.new")
        fresh.write_bytes(data)
        if path.exists():
            fresh.chmod(path.stat().st_mode & 0o777)
        fresh.replace(path)
    except OSError as error:
        raise ReconcilerError(f"cannot write {path}: {os.strerror(error.errno or 0)}") from None
