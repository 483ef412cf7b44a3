"""Which commit is acted on: the newest one that those may have made who were allowed to by the commit before it."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reconciler.load.git import Repository
from reconciler.load.git_command import RepositoryError
from reconciler.model.trust import Refusal, Signer
from reconciler.remote.scarcity import CannotStart
from reconciler.verify.history import commit, way
from reconciler.verify.programs import Checker
from reconciler.verify.signature import Commit, Odd, read

UNSIGNED = (
    "sign it (`git commit --amend -S`) and push it again, or `reconciler reconcile --trust {commit}` once it was read"
)
REWRITTEN = "push a branch that contains it, or `reconciler reconcile --trust {commit}` once it was read"
TOGETHER = 100  # commits read in one call
SHALLOW = "clone with full history (`fetch-depth: 0`)"

Allowed = tuple[Signer, ...]
Declared = Callable[[str], Allowed | None]  # whom the Fleet of a commit allows; None when no Fleet can be read in it


@dataclass(frozen=True, slots=True)
class Record:
    """The last verified commit, and whom its Fleet allows to make the next."""

    commit: str
    signers: Allowed

    def text(self) -> str:
        """Return it as the ledger keeps it."""
        return json.dumps([self.commit, [[signer.name, signer.key] for signer in self.signers]])

    @classmethod
    def of(cls, text: str) -> "Record | None":
        """Take what `text` returned, or nothing, and return the record."""
        if not text:
            return None
        commit_id, signers = json.loads(text)
        return cls(commit_id, tuple(Signer(name, key) for name, key in signers))


def meet(repository: Repository, head: str, allowed: Allowed) -> Refusal | None:
    """First contact: return why the head is not signed by somebody allowed; None when it is."""
    with Checker() as checker:
        return _refusal(head, repository.read([head])[head], allowed, checker, "")


def follow(
    repository: Repository, head: str, record: Record, pinned: Allowed, declared: Declared
) -> tuple[Record, Refusal | None]:
    """Go from the last verified commit towards the head, as far as the commits are right.

    Each is judged by whom the one before it allows, or by the pinned keys alone where there are some. Takes whom the
    Fleet of a commit allows as `declared`. Returns the new record, which ends at a commit that turns verification off,
    and why the next commit is not acted on.
    """
    path = [] if head == record.commit else way(repository, record.commit, head)
    if path is None:
        return record, _rewritten(repository, head, record.commit)
    with Checker() as checker:
        for index, each in enumerate(path):
            allowed = pinned or record.signers
            if not allowed:
                return record, None
            if index % TOGETHER == 0:
                contents = repository.read(path[index : index + TOGETHER])
            refusal = _refusal(each, contents[each], allowed, checker, record.commit)
            if refusal:
                return record, refusal
            told = declared(each)
            record = Record(each, record.signers if told is None else told)
    return record, None


def who(repository: Repository, commit_id: str, allowed: Sequence[Signer]) -> tuple[str, str]:
    """Return who of those allowed has signed a commit, or else (a second text) why nobody has."""
    try:
        with Checker() as checker:
            return checker.signer(commit(repository, commit_id), allowed), ""
    except (Odd, CannotStart) as problem:
        return "", str(problem)


def proposed(repository: Repository, commit_id: str, own: Allowed, declared: Declared) -> str:
    """Return why a commit would not be acted on if it came next, by whom its first parent allows; empty when it would.

    Where its parent allows nobody in particular, or is not here, by its `own` list."""
    try:
        parents = commit(repository, commit_id).parents
        before = declared(parents[0]) if parents else None
    except (Odd, RepositoryError):
        before = None
    allowed = before or own
    return who(repository, commit_id, allowed)[1] if allowed else ""


def _refusal(commit_id: str, content: bytes, allowed: Allowed, checker: Checker, stands: str) -> Refusal | None:
    """Why a commit is not acted on; None when it is right and follows the one that `stands`."""
    found = Commit(commit_id, (), "", b"", "")
    hint = UNSIGNED.format(commit=commit_id[:12])
    try:
        found = read(commit_id, content)
        if stands and stands not in found.parents:
            raise Odd("git says that it follows a commit which it does not name")
        checker.signer(found, allowed)
    except Odd as problem:
        return Refusal(commit_id, found.author, str(problem), hint, stands)
    except CannotStart as problem:
        return Refusal(commit_id, found.author, "it cannot be verified on this machine", str(problem), stands, True)
    return None


def _rewritten(repository: Repository, head: str, last: str) -> Refusal:
    try:
        author = commit(repository, head).author
    except Odd:
        author = ""
    contained = repository.is_ancestor(head, last)
    if contained:
        why, hint = f"it is older than the last verified commit {last[:12]}", REWRITTEN
    elif repository.shallow():
        why, hint = f"history is cut off before the last verified commit {last[:12]}", SHALLOW
    else:
        why, hint = f"history was rewritten: it does not contain the last verified commit {last[:12]}", REWRITTEN
    return Refusal(head, author, why, hint.format(commit=head[:12]), last)
