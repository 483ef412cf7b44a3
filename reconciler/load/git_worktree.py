"""What only a working copy has: files that are not committed yet, and the user's own commits."""

import hashlib
import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from reconciler.load.files import is_prompt
from reconciler.load.git_command import UNATTENDED, RepositoryError, reason
from reconciler.load.git_objects import Entry, Objects

YAML = (".yaml", ".yml")
LARGEST = 1 << 20  # bytes read of a file that is not committed; more is refused later by its size alone


def worktree_files(repository: Objects) -> tuple[tuple[Entry, ...], Mapping[str, bytes]]:
    """Return the files of the work tree as a commit would hold them, and the bytes of those to read by blob id."""
    tree = _tree(repository)
    scope = [repository.prefix.rstrip("/")] if repository.prefix else []
    output = repository.git("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *scope)
    if output.code:
        raise RepositoryError(f"cannot read {repository.location}: {reason(output)}")
    entries: list[Entry] = []
    contents: dict[str, bytes] = {}
    for path in sorted(set(output.stdout.decode("utf-8", "surrogateescape").split("\0")[:-1])):
        entry = _entry(tree, path, contents, is_read(path[len(repository.prefix) :]))
        if entry:
            entries.append(entry)
    return tuple(entries), contents


def uncommitted(repository: Objects) -> list[str]:
    """Return the YAML files and prompt templates below the fleet's folder that were changed, added or removed but not
    committed."""
    if repository.work_tree is None:
        return []
    scope = [repository.prefix.rstrip("/")] if repository.prefix else []
    output = repository.git(
        "status",
        "--porcelain=v1",
        "-z",
        "--untracked-files=all",
        "--no-renames",
        "--ignore-submodules=all",
        "--",
        *scope,
    )
    if output.code:
        raise RepositoryError(f"cannot read {repository.location}: {reason(output)}")
    paths = [line[3:] for line in output.stdout.decode("utf-8", "surrogateescape").split("\0") if line]
    inside = [(path, path[len(repository.prefix) :]) for path in paths]
    read = [(path, name) for path, name in inside if name.endswith(YAML) or is_prompt(name)]
    return sorted(path for path, name in read if not any(part.startswith(".") for part in name.split("/")))


def commit(repository: Objects, paths: Sequence[str], message: str) -> None:
    """Commit exactly these paths (relative to the repository), whatever else is staged, as the user.

    Raises RepositoryError when git does not know who the user is, or refuses."""
    _tree(repository)
    if repository.git("var", "GIT_AUTHOR_IDENT").code or repository.git("var", "GIT_COMMITTER_IDENT").code:
        raise RepositoryError(
            "git does not know who you are: run `git config --global user.name …` and the same for user.email"
        )
    known = repository.git("ls-files", "-z", "--", *paths).stdout.decode("utf-8", "surrogateescape").split("\0")
    added = [path for path in paths if path not in known]
    for arguments in ([["add", "--", *added]] if added else []) + [
        ["commit", "--quiet", "--only", "-F", "-", "--", *paths]
    ]:
        output = repository.git(*arguments, stdin=message.encode(), environment=UNATTENDED)
        if output.code:
            if added:
                repository.git("reset", "--quiet", "--", *added)
            raise RepositoryError(f"git refused to commit {', '.join(paths)}: {reason(output)}")


def push(repository: Objects) -> None:
    """Push the branch that is checked out to its upstream, or to the only remote there is."""
    _tree(repository)
    arguments = ["push", "--quiet"]
    if repository.git("rev-parse", "--verify", "--quiet", "@{upstream}").code:
        remotes = repository.git("remote").text.split()
        if len(remotes) != 1:
            raise RepositoryError("this branch has no upstream: push it once with `git push -u REMOTE BRANCH`")
        arguments += ["--set-upstream", "--", remotes[0], "HEAD"]
    output = repository.git(*arguments, environment=UNATTENDED)
    if output.code:
        raise RepositoryError(f"the commit was made, but not pushed: {reason(output)}")


def _tree(repository: Objects) -> Path:
    if repository.work_tree is None:
        raise RepositoryError(f"{repository.location} has no working copy: clone it, and name the clone with -C")
    return repository.work_tree


def is_read(inside: str) -> bool:
    """Take a path below the fleet's folder and return whether what is in it may matter to the fleet."""
    return inside.endswith(YAML) or inside.rpartition("/")[2] == ".reconcilerignore" or is_prompt(inside)


def _entry(tree: Path, path: str, contents: dict[str, bytes], read: bool) -> Entry | None:
    if path.endswith("/"):
        return None  # a repository inside this one
    try:
        status = (tree / path).lstat()
        if stat.S_ISLNK(status.st_mode):
            return Entry(path, "", "120000", 0)
        if stat.S_ISDIR(status.st_mode):
            return Entry(path, "", "160000", 0)
        if not stat.S_ISREG(status.st_mode):
            return None
        if not read:
            return Entry(path, "", "100644", status.st_size)
        if status.st_size > LARGEST:
            return Entry(path, "", "100644", status.st_size)
        data = (tree / path).read_bytes()
    except FileNotFoundError:
        return None  # removed, but the index still has it
    except OSError as error:
        raise RepositoryError(f"cannot read {path}: {os.strerror(error.errno or 0)}") from None
    blob = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
    contents[blob] = data
    return Entry(path, blob, "100755" if status.st_mode & stat.S_IXUSR else "100644", len(data))
