"""Reading what a git repository holds, by commit and blob id."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from reconciler.load.git_command import NO_HOOKS, OWN_CLONE, READING, UNATTENDED, Output, RepositoryError, call, reason

HEX = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")
HISTORY = 200  # commits looked at, at most, for a last good version
AUTHORS = 5000  # commits looked at, at most, for the authors of files


class Entry(NamedTuple):
    """A file of a commit: its path in the repository, blob id, git mode and size in bytes."""

    path: str
    blob: str
    mode: str
    size: int


@dataclass(frozen=True, slots=True)
class Objects:
    """A repository that is opened anew for every question; nothing of git stays alive between two calls."""

    location: str  # as the user wrote it, without credentials
    git_dir: Path
    common_dir: Path
    work_tree: Path | None = None
    prefix: str = ""  # the fleet's folder inside the repository, `fleets/web/` or nothing
    url: str = ""  # of our own clone's remote; empty for a local repository

    def files(self, commit: str) -> tuple[Entry, ...]:
        """Return every file below the fleet's folder at a commit, symlinks and submodules too, in path order."""
        folder = [self.prefix.rstrip("/")] if self.prefix else []
        output = self._read("ls-tree", "-r", "-z", "-l", "--full-tree", object_id(commit), "--", *folder)
        entries = []
        for line in output.stdout.decode("utf-8", "surrogateescape").split("\0")[:-1]:
            head, path = line.split("\t", 1)
            mode, _kind, blob, size = head.split()
            if size == "BAD":
                raise RepositoryError(f"{self.location} lacks the object {blob}: check it with `git fsck`")
            entries.append(Entry(path, blob, mode, int(size) if size != "-" else 0))
        return tuple(entries)

    def read(self, blobs: Sequence[str]) -> Mapping[str, bytes]:
        """Return the bytes of blobs by id, read in one call; raise RepositoryError when one is not there."""
        if not blobs:
            return MappingProxyType({})
        wanted = "".join(f"{object_id(blob)}\n" for blob in blobs).encode()
        answer = memoryview(self._read("cat-file", "--batch", stdin=wanted).stdout)
        found: dict[str, bytes] = {}
        for blob in blobs:
            end = bytes(answer[:200]).find(b"\n")
            head = bytes(answer[: max(end, 0)]).decode("ascii", "replace").split(" ")
            if end < 0 or len(head) != 3 or head[0] != blob:
                raise RepositoryError(f"{self.location} lacks the object {blob}: check it with `git fsck`")
            size = int(head[2])
            found[blob] = bytes(answer[end + 1 : end + 1 + size])
            answer = answer[end + 2 + size :]
        return found

    def is_ancestor(self, old: str, new: str) -> bool | None:
        """Return whether `new` contains `old`; None when that cannot be told: unknown here, or a shallow clone."""
        code = self._git("merge-base", "--is-ancestor", object_id(old), object_id(new)).code
        if code == 0:
            return True
        return False if code == 1 and not self.shallow() else None

    def shallow(self) -> bool:
        """Return whether history was cut off when this repository was cloned."""
        return self._git("rev-parse", "--is-shallow-repository").text == "true"

    def history(self, paths: Sequence[str], commit: str) -> Iterator[tuple[str, Mapping[str, str]]]:
        """Yield the commits that touched one of the paths, newest first, each with the blob of every path it had.

        Those of the branch itself: what a merged branch held on its way was never what the fleet asked for."""
        output = self._read("rev-list", "--first-parent", f"--max-count={HISTORY}", object_id(commit), "--", *paths)
        for found in output.text.split():
            listed = self._read("ls-tree", "-r", "-z", "--full-tree", found, "--", *paths)
            blobs = {}
            for line in listed.stdout.decode("utf-8", "surrogateescape").split("\0")[:-1]:
                head, path = line.split("\t", 1)
                mode, _kind, blob = head.split()
                if mode.startswith("100") and path in paths:
                    blobs[path] = blob
            yield found, blobs

    def authors(self, commit: str, paths: Sequence[str]) -> Mapping[str, str]:
        """Return who last changed each path, found in one walk; what is older than the walk is absent."""
        walk = ["log", "-z", "--name-only", "--no-renames", "--no-color", "--diff-merges=first-parent"]
        scope = [self.prefix.rstrip("/")] if self.prefix else []
        output = self._read(*walk, "--format=%x01%an", f"--max-count={AUTHORS}", object_id(commit), "--", *scope)
        wanted, found, author = set(paths), dict[str, str](), ""
        for field in output.stdout.decode("utf-8", "surrogateescape").split("\0"):
            text = field.lstrip("\n")
            if text.startswith("\x01"):
                author, _, text = text[1:].partition("\n")
            if text in wanted and text not in found:
                found[text] = re.sub(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]", "�", author)
        return found

    def git(self, *arguments: str, stdin: bytes = b"", environment: Mapping[str, str] = READING) -> Output:
        """Run a git command that is made of constants, literal paths after `--`, and ids; return what it answered."""
        return self._git(*arguments, stdin=stdin, environment=environment)

    def _git(self, *arguments: str, stdin: bytes = b"", environment: Mapping[str, str] = READING) -> Output:
        places = [f"--git-dir={self.git_dir}"]
        if self.work_tree:
            places.append(f"--work-tree={self.work_tree}")
        environment = OWN_CLONE if self.url else environment
        hooks = () if environment is UNATTENDED else NO_HOOKS  # hooks are for commits and pushes, which are the user's
        return call(self.work_tree or self.git_dir, [*hooks, *places, *arguments], stdin=stdin, environment=environment)

    def _read(self, *arguments: str, stdin: bytes = b"") -> Output:
        output = self._git(*arguments, stdin=stdin)
        if output.code:
            raise RepositoryError(f"cannot read {self.location}: {reason(output)}")
        return output


def object_id(commit: str) -> str:
    """Return an id as it is; raise RepositoryError when it is anything else, so that it may go into a command line."""
    if not HEX.match(commit):
        raise RepositoryError(f"{commit!r} is not a commit id")
    return commit
