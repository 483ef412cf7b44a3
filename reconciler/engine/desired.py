"""What the fleet repository asks for now: the newest commit, loaded once, and what git says of older ones."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from reconciler.errors import ReconcilerError
from reconciler.load.documents import Document, Parser
from reconciler.load.fleet import load, load_worktree
from reconciler.load.git import Repository
from reconciler.model.desired import Desired
from reconciler.model.observed import Seen, Unseen
from reconciler.model.problem import Problem
from reconciler.record.ledger import Ledger


class Invalid(ReconcilerError):
    """The repository declares no fleet that could be worked with; `problems` says why."""

    name = "invalid"

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        first = next(iter(problems), None)
        where = f": {first.file}:{first.line}: {first.message}" if first else ""
        super().__init__(f"no valid Fleet document{where} (`reconciler validate` shows everything)")
        self.problems = problems


@dataclass
class Wanted:
    """Follows one ref of one repository."""

    repository: Repository
    ref: str | None
    worktree: bool = False
    parser: Parser = field(default_factory=Parser)
    _declared: tuple[str, Mapping[str, str]] = ("", MappingProxyType({}))
    _ancestry: dict[tuple[str, str], bool | None] = field(default_factory=dict)
    _authors: dict[tuple[str, str], str] = field(default_factory=dict)

    def head(self) -> str:
        """The newest commit of the ref; of a remote it is here then. Raises ReconcilerError. May take long."""
        if self.repository.url and self.repository.remote_head(self.ref) != self._here():
            self.repository.fetch()
        return self.repository.resolve(self.ref)

    def _here(self) -> str:
        try:
            return self.repository.resolve(self.ref)
        except ReconcilerError:
            return ""

    def read(self, ledger: Ledger, known: Desired | None = None) -> tuple[Desired, tuple[Document, ...]]:
        """The newest commit that is here as Desired, and its good documents (none when it is the `known` one).

        Raises Invalid, or another ReconcilerError when the repository cannot be read.
        """
        commit = self.repository.resolve(self.ref)
        if known is not None and known.revision == commit and not self.worktree:
            return known, ()
        remembered = {slot: Document.from_json(json.loads(text)) for slot, text in ledger.documents().items()}
        if self.worktree:
            loaded = load_worktree(self.repository, self.parser, remembered)
        else:
            loaded = load(self.repository, commit, self.parser, remembered)
        if loaded.desired is None:
            raise Invalid(loaded.problems)
        return loaded.desired, loaded.documents

    def peek(self) -> str:
        """The fleet's id at the newest commit that is here. Raises Invalid when no Fleet can be read."""
        if self.worktree:
            loaded = load_worktree(self.repository, self.parser, {})
        else:
            loaded = load(self.repository, self.repository.resolve(self.ref), self.parser, {})
        if loaded.desired is None:
            raise Invalid(loaded.problems)
        return loaded.desired.fleet.id

    def tasks(self) -> Mapping[str, str]:
        """Every open or closed task at the newest commit that is here, with the digest of its first step."""
        commit = self.repository.resolve(self.ref)
        if self._declared[0] != commit:
            loaded = load(self.repository, commit, self.parser, {})
            if loaded.desired is None:
                raise Invalid(loaded.problems)
            self._declared = commit, {name: task.steps[0].digest for name, task in loaded.desired.tasks.items()}
        return self._declared[1]

    def watched(self) -> tuple[Path, ...]:
        """The paths whose change may mean a new commit; none for a remote, which is asked instead."""
        return () if self.repository.url else tuple(self.repository.watch_paths())

    def contains(self, old: str, new: str) -> bool | None:
        """Whether `old` is `new` or an ancestor of it; None when git cannot tell (unknown, shallow)."""
        if old == new:
            return True
        if (old, new) not in self._ancestry:
            self._ancestry[old, new] = self.repository.is_ancestor(old, new)
        return self._ancestry[old, new]

    def newer(self, desired: Desired, observed: Mapping[str, Seen | Unseen], own: frozenset[str]) -> dict[str, str]:
        """Host → a revision there that somebody else wrote and that this commit does not contain."""
        return {
            name: sight.revision
            for name, sight in observed.items()
            if isinstance(sight, Seen)
            and sight.revision
            and sight.revision not in own
            and not self.contains(sight.revision, desired.revision)
        }

    def authors(self, desired: Desired, tasks: Mapping[str, str]) -> dict[str, str]:
        """Task → author of the last commit to its file; `tasks` maps names to files."""
        missing = [file for file in tasks.values() if (desired.revision, file) not in self._authors]
        if missing and not self.worktree:
            found = self.repository.authors(desired.revision, sorted(set(missing)))
            for file in missing:
                self._authors[desired.revision, file] = found.get(file, "")
        return {task: self._authors.get((desired.revision, file), "") for task, file in tasks.items()}
