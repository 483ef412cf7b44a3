"""The fleet repository: a local one, or our own clone of a remote one."""

import configparser
import fcntl
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import git
import git.exc

from reconciler.home import expanded
from reconciler.load import git_worktree
from reconciler.load.git_command import (
    FETCH_DEADLINE,
    NETWORK_DEADLINE,
    NO_HOOKS,
    OWN_CLONE,
    READING,
    Damaged,
    Output,
    RepositoryError,
    call,
    reason,
    redacted,
    ssh_environment,
)
from reconciler.load.git_objects import HEX, Entry, Objects

SCP_LIKE = re.compile(r"(?:\w[\w.-]*@)?\w[\w.-]*:(?![:/]/)")  # git@host:path


@dataclass(frozen=True, slots=True)
class Repository(Objects):
    """The repository that declares the fleet."""

    def fetch(self) -> None:
        """Bring our own clone up to date; nothing for a local repository. Raise RepositoryError when it fails."""
        if not self.url:
            return
        with (self.git_dir / "reconciler.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # two controllers of one person may share the cache
            refs = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
            arguments = ["fetch", "--quiet", "--prune", "--no-tags", "--no-write-fetch-head", "--", self.url, *refs]
            output = self._remote(arguments, FETCH_DEADLINE)
        if output.code:
            raise RepositoryError(f"cannot fetch {self.location}: {reason(output)}")

    def branch(self) -> str | None:
        """Return the branch that is checked out (of a URL: the remote's default); None when HEAD is detached."""
        if self.url:
            output = self._remote(["ls-remote", "--symref", "--", self.url, "HEAD"], NETWORK_DEADLINE)
            if output.code:
                raise RepositoryError(f"cannot ask {self.location} for its branch: {reason(output)}")
            found = re.search(r"^ref: refs/heads/([^\t\n]+)\tHEAD$", output.text, re.MULTILINE)
            if found:
                self._git("symbolic-ref", "HEAD", f"refs/heads/{found[1]}")
            return found[1] if found else None
        output = self._git("symbolic-ref", "--quiet", "HEAD")
        return output.text.removeprefix("refs/heads/") if output.code == 0 else None

    def resolve(self, ref: str | None = None) -> str:
        """Return the commit id of a branch, tag or commit (None: what is checked out); a branch wins over a tag.

        Raise RepositoryError for an empty repository and for what is not there."""
        if ref is not None and (not ref or re.search(r"[\x00-\x20\x7f]", ref)):
            raise RepositoryError(f"{ref!r} is not the name of a branch: give --ref a branch, a tag or a commit")
        names = ["HEAD"] if ref is None else [f"refs/heads/{ref}", ref]
        for name in names:
            output = self._git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
            if output.code == 0 and HEX.match(output.text):
                return output.text
        if output.code > 1 and "not a git repository" in output.stderr:
            raise RepositoryError(f"{self.location} is no git repository any more: {reason(output)}")
        listed = self._git("rev-list", "--all", "--max-count=1")
        if listed.code or "ignoring broken ref" in listed.stderr:
            raise Damaged(f"{self.location} cannot be read: {reason(listed)}: check it with `git fsck`")
        if listed.stdout.strip():
            branch = self.branch() if ref is None else None
            shown = ref or (f"the branch {branch}" if branch else "HEAD")
            raise RepositoryError(f"{self.location} has no commit at {shown}: name another one with --ref")
        raise RepositoryError(f"{self.location} has no commit yet: commit the fleet's files first")

    def remote_head(self, ref: str | None = None) -> str:
        """Return the commit id that a branch or tag has at the remote now, without fetching it."""
        if not self.url or (ref and HEX.match(ref)):
            return self.resolve(ref)
        wanted = ["HEAD"] if ref is None else [f"refs/heads/{ref}", f"refs/tags/{ref}^{{}}", f"refs/tags/{ref}"]
        output = self._remote(["ls-remote", "--", self.url, *wanted], NETWORK_DEADLINE)
        if output.code:
            raise RepositoryError(f"cannot ask {self.location} for its newest commit: {reason(output)}")
        ids = {name: found for found, _, name in (line.partition("\t") for line in output.text.splitlines())}
        for name in wanted:
            if name in ids:
                return ids[name]
        raise RepositoryError(f"{self.location} has no {ref or 'HEAD'}: name another branch with --ref")

    def watch_paths(self) -> tuple[Path, ...]:
        """Return the paths whose change may mean a new commit; not all of them exist at all times."""
        names = ("refs", "reftable", "packed-refs", "HEAD")
        paths = [self.common_dir / name for name in names]
        return (*paths, self.git_dir / "HEAD") if self.git_dir != self.common_dir else tuple(paths)

    def worktree_files(self) -> tuple[tuple[Entry, ...], Mapping[str, bytes]]:
        """Return the files of the work tree as a commit would hold them, and the bytes of those to read by blob id."""
        return git_worktree.worktree_files(self)

    def uncommitted(self) -> list[str]:
        """Return the files to read below the fleet's folder that were changed, added or removed but not committed."""
        return git_worktree.uncommitted(self)

    def commit(self, paths: Sequence[str], message: str) -> str:
        """Commit exactly these paths (relative to the repository), whatever else is staged; return the commit id."""
        git_worktree.commit(self, paths, message)
        return self.resolve()

    def push(self) -> None:
        """Push the branch that is checked out to its upstream, or to the only remote there is."""
        git_worktree.push(self)

    def _remote(self, arguments: Sequence[str], deadline: float) -> Output:
        environment = {**READING, **ssh_environment(self.git_dir)}  # the user's own configuration has the credentials
        return call(
            self.git_dir,
            [*NO_HOOKS, f"--git-dir={self.git_dir}", *arguments],
            environment=environment,
            deadline=deadline,
        )


def open_repository(location: str, cache: Path, folder: str = "") -> Repository:
    """Open a local repository (a work tree, any folder inside one, a bare one) or our own clone of a URL.

    Takes the location as typed, the folder where own clones live, and the fleet's folder inside a URL's repository;
    returns a Repository (a new clone is empty until `fetch`); raises RepositoryError when there is none."""
    path = expanded(location)
    if not _exists(path):
        if re.match(r"[A-Za-z0-9+.-]+::", location):
            raise RepositoryError(f"{redacted(location)}: remote helpers are refused, use https, ssh or a path")
        if re.match(r"(?:https|ssh|file)://[^-]", location) or SCP_LIKE.match(location):
            return _own_clone(location, cache, folder)
        if "://" in location:
            raise RepositoryError(f"{redacted(location)}: this kind of URL is refused, use https, ssh or file")
        raise RepositoryError(f"{location}: no such folder; name the fleet repository with -C")
    try:
        with git.Repo(path, search_parent_directories=True, expand_vars=False) as found:
            git_dir, common = Path(found.git_dir), Path(found.common_dir)
            tree = None if found.bare or found.working_tree_dir is None else Path(found.working_tree_dir).resolve()
    except (git.exc.InvalidGitRepositoryError, git.exc.NoSuchPathError):
        raise RepositoryError(
            f"{path.absolute()} is not in a git repository: `reconciler init` starts a fleet, -C names one"
        ) from None
    except (configparser.Error, OSError, ValueError) as error:
        raise RepositoryError(f"{path.absolute()} cannot be opened: {str(error).splitlines()[0]}") from None
    inside = PurePosixPath(path.resolve().relative_to(tree)) if tree else PurePosixPath()
    return Repository(str(path.absolute()), git_dir.resolve(), common.resolve(), tree, _prefix(str(inside / folder)))


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False  # its name is too long


def _own_clone(url: str, cache: Path, folder: str) -> Repository:
    name = hashlib.sha256(url.encode()).hexdigest()[:16]
    directory = (cache / f"{name}.git").resolve()
    if not (directory / "HEAD").exists():
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        output = call(directory, ["init", "--quiet", "--bare", "--template=", "."], environment=OWN_CLONE)
        if output.code:
            raise RepositoryError(f"cannot make a clone in {cache}: {reason(output)}")
    return Repository(redacted(url), directory, directory, None, _prefix(folder), url)


def _prefix(folder: str) -> str:
    parts = [part for part in PurePosixPath(folder).parts if part != "."]
    if ".." in parts or folder.startswith("/"):
        raise RepositoryError(f"{folder}: the fleet's folder has to be inside its repository")
    return "".join(f"{part}/" for part in parts)
