"""The way from one commit to a later one, as the commits themselves tell it."""

from reconciler.load.git import Repository
from reconciler.load.git_objects import object_id
from reconciler.verify.signature import Commit, read


def commit(repository: Repository, commit_id: str) -> Commit:
    """Return one commit. Raises Odd when it is no sound one, RepositoryError when it is not there."""
    return read(commit_id, repository.read([commit_id])[commit_id])


def way(repository: Repository, old: str, new: str) -> list[str] | None:
    """Return the commits that lead from `old` (left out) to `new`, oldest first; None when `new` does not contain it.

    Where a merge leads back to `old` by more than one parent, the first of them counts: a branch's own line."""
    output = repository.git("rev-list", "--parents", "--ancestry-path", object_id(new), f"^{object_id(old)}")
    between = {words[0]: words[1:] for words in (line.split() for line in output.text.splitlines())}
    found: list[str] = []
    here: str | None = new
    while here is not None and here != old:
        if here not in between:
            return None
        found.append(here)
        here = next((parent for parent in between[here] if parent == old or parent in between), None)
    return found[::-1] if here == old else None
