"""A fake fleet repository: commits of whole Desired values, and clones that may be behind."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from reconciler.engine.desired import Wanted
from reconciler.errors import ReconcilerError
from reconciler.load.documents import Document
from reconciler.model.desired import Desired
from reconciler.record.ledger import Ledger


@dataclass(frozen=True)
class Commit:
    """One commit; its id is that of `desired`."""

    parent: str
    desired: Desired


class Origin:
    """The repository that everybody pushes to; `head` moves, commits stay."""

    def __init__(self, first: Desired) -> None:
        self.commits: dict[str, Commit] = {}
        self.head = ""
        self._names = 0
        self.push(first)

    @property
    def desired(self) -> Desired:
        """What the newest commit says."""
        return self.commits[self.head].desired

    def push(self, desired: Desired, parent: str | None = None) -> None:
        """Commit on `parent` (the head when None) and move the head there: another parent rewrites history."""
        self._names += 1
        name = f"{self._names:040x}"
        self.commits[name] = Commit(self.head if parent is None else parent, replace(desired, revision=name))
        self.head = name

    def contains(self, old: str, new: str) -> bool:
        """Whether `old` is `new` or an ancestor of it."""
        while new and new != old:
            new = self.commits[new].parent
        return new == old


class _Repository:
    url = ""

    def shallow(self) -> bool:
        """Never."""
        return False


class Clone(Wanted):
    """What one controller sees of it: it stays at `at` until it fetches, or cannot be read at all."""

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.repository = _Repository()  # type: ignore[assignment]
        self.worktree = False
        self.at = origin.head
        self.known = set(origin.commits)
        self.readable = True
        self.following = True

    def follow(self) -> None:
        """Fetch, unless it stays behind."""
        if self.following:
            self.at = self.origin.head
            self.known |= set(self.origin.commits)

    def read(self, ledger: Ledger, known: Desired | None = None) -> tuple[Desired, tuple[Document, ...]]:
        """As in Wanted."""
        if not self.readable:
            raise ReconcilerError("the repository cannot be read: simulated")
        return self.origin.commits[self.at].desired, ()

    def contains(self, old: str, new: str) -> bool | None:
        """As in Wanted: None for a commit that this clone does not have."""
        if old != new and not {old, new} <= self.known:
            return None
        return self.origin.contains(old, new)

    def authors(self, desired: Desired, tasks: Mapping[str, str]) -> dict[str, str]:
        """As in Wanted."""
        return dict.fromkeys(tasks, "somebody")
