"""What the fleet repository asks for now: the newest commit, loaded once, and what git says of older ones."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from reconciler.engine.verified import Verified
from reconciler.errors import ReconcilerError
from reconciler.load.documents import Document, Parser
from reconciler.load.fleet import load, load_worktree
from reconciler.load.git import Repository
from reconciler.model.desired import Desired
from reconciler.model.observed import Seen, Unseen
from reconciler.model.problem import Problem
from reconciler.model.trust import Signer
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
    pinned: tuple[Signer, ...] = ()  # keys from outside the repository, which count instead of its own
    _read: tuple[str, str] = ("", "")  # the head and the ledger's record that `_known` was made with
    _known: Desired | None = None
    # What was asked about one commit, until another one is asked about.
    _ancestry: tuple[str, dict[str, bool | None]] = field(default_factory=lambda: ("", {}))
    _authors: tuple[str, dict[str, str]] = field(default_factory=lambda: ("", {}))

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

        Where commits have to be signed, the newest of those that are; the ledger learns which one that is. Raises
        Invalid or Refused, or another ReconcilerError when the repository cannot be read.
        """
        head = self.repository.resolve(self.ref)
        if known is not None and self._read == (head, ledger.verified()) and not self.worktree:
            return known, ()
        remembered = ledger.documents()
        self._read, refusal = ("", ""), None
        if self.worktree:
            loaded = load_worktree(self.repository, self.parser, remembered)
        else:
            loaded, refusal = self.verified.load(ledger, head, remembered)
        if loaded.desired is None:
            raise Invalid(loaded.problems)
        if refusal is None or not refusal.passing:
            self._read = head, ledger.verified()
        self._known = replace(loaded.desired, refused=refusal)
        return self._known, loaded.documents

    def peek(self) -> str:
        """The fleet's id at the newest commit that is here. Raises Invalid when no Fleet can be read."""
        if self.worktree:
            loaded = load_worktree(self.repository, self.parser, {})
        else:
            loaded = load(self.repository, self.repository.resolve(self.ref), self.parser, {})
        if loaded.desired is None:
            raise Invalid(loaded.problems)
        return loaded.desired.fleet.id

    def newest(self, ledger: Ledger) -> Desired:
        """The newest commit that is here and may be acted on, read once. Raises as `read` does."""
        return self.read(ledger, self._known)[0]

    def tasks(self, ledger: Ledger) -> Mapping[str, str]:
        """Every open or closed task of `newest`, with the digest of its first step."""
        return {name: task.steps[0].digest for name, task in self.newest(ledger).tasks.items()}

    def trust(self, ledger: Ledger, commit: str) -> str:
        """A person vouches for a commit of the ref. Gives its whole id. Raises ReconcilerError."""
        return self.verified.trust(ledger, commit, self.repository.resolve(self.ref))

    @cached_property
    def verified(self) -> Verified:
        """What follows the commits as far as they are signed."""
        return Verified(self.repository, self.parser, self.pinned)

    def watched(self) -> tuple[Path, ...]:
        """The paths whose change may mean a new commit; none for a remote, which is asked instead."""
        return () if self.repository.url else tuple(self.repository.watch_paths())

    def contains(self, old: str, new: str) -> bool | None:
        """Whether `old` is `new` or an ancestor of it; None when git cannot tell (unknown, shallow)."""
        if old == new:
            return True
        if self._ancestry[0] != new:
            self._ancestry = new, {}
        known = self._ancestry[1]
        if old not in known:
            known[old] = self.repository.is_ancestor(old, new)
        return known[old]

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
        if self._authors[0] != desired.revision:
            self._authors = desired.revision, {}
        known = self._authors[1]
        missing = sorted({file for file in tasks.values() if file not in known})
        if missing and not self.worktree:
            known.update({**dict.fromkeys(missing, ""), **self.repository.authors(desired.revision, missing)})
        return {task: known.get(file, "") for task, file in tasks.items()}
