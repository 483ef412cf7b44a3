"""Projects as faults find them: what lies on the host before a run is prepared, and what must be right after all."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.remote.faults.experiment import FaultyHost
from tests.remote.stage import Origin, git

# A worker that was not prepared in full says so by its exit code.
WORKER = """
[[ -s setup-done && $RECONCILER_BASE_BRANCH == main ]] || exit 9
! grep -q @RECONCILER_ "$RECONCILER_PROMPT_FILE" || exit 9
git cat-file -e HEAD:README || exit 9
echo "$RECONCILER_RUN" >work
"""
UNPREPARED = "rc=9;"
LONG_AGO = time.time() - 200_000


@dataclass
class Sources:
    """A repository with a branch `more` and a tag `v1`, and a checkout of it that is copied to hosts."""

    bare: Path
    checkout: Path

    @classmethod
    def make(cls, folder: Path) -> "Sources":
        origin = Origin.make(folder)
        origin.commit("more", "x\n", branch="more")
        git(origin.bare, "tag", "v1", "main")
        made = cls(origin.bare, folder / "checkout")
        git(folder, "clone", "--quiet", "--origin", "upstream", str(made.bare), str(made.checkout))
        git(made.checkout, "remote", "add", "origin", str(made.bare))
        git(made.checkout, "fetch", "--quiet", "origin")
        return made


@dataclass
class Site:
    """Where one run works: the project's place on the host, the worktree that it gets, and where all comes from."""

    place: Path
    tree: str
    sources: Sources

    @property
    def checkout(self) -> Path:
        return self.place / "checkout"

    @property
    def path(self) -> Path:
        return self.place / "worktrees" / self.tree

    def cloned(self) -> None:
        """An earlier run has left a checkout."""
        (self.place / "worktrees").mkdir(parents=True)
        shutil.copytree(self.sources.checkout, self.checkout, symlinks=True)

    def neglected(self) -> None:
        """Gits were killed in it, workers have changed its remotes, and the index is broken."""
        self.cloned()
        inside = self.checkout / ".git"
        (inside / "index").write_bytes(b"no index")
        for lock in (inside / "config.lock", inside / "refs/remotes/upstream/main.lock"):
            lock.touch()
            os.utime(lock, (LONG_AGO, LONG_AGO))
        broken = inside / "objects/pack/tmp_pack_x"
        broken.touch()
        os.utime(broken, (LONG_AGO, LONG_AGO))
        for key, value in (("url", "/nowhere"), ("vcs", "evil"), ("uploadpack", "false")):
            git(self.checkout, "config", "--file", str(inside / "other"), f"remote.upstream.{key}", value)
        with open(inside / "config", "a") as config:  # git itself would be stopped by the lock
            config.write((inside / "other").read_text())
        git(self.checkout, "worktree", "add", "--quiet", "--detach", str(self.place / "worktrees/gone"))
        (inside / "worktrees/gone/locked").write_text("initializing")
        shutil.rmtree(self.place / "worktrees/gone")

    def worked_in(self) -> None:
        """An earlier run has worked in the worktree and committed nothing; its branch has moved on in origin."""
        self.cloned()
        git(self.checkout, "worktree", "add", "--quiet", "-b", self._branch, str(self.path))
        (self.path / "mine").write_text("mine")
        (self.path / "BLOCKED.md").write_text("How was it?")
        (self.checkout / ".git/worktrees" / self.tree / "index.lock").touch()
        self.pushed(clone=False)

    def left(self) -> None:
        """The worktree is gone; its branch has what nobody else has."""
        self.cloned()
        git(self.checkout, "checkout", "--quiet", "-b", self._branch)
        (self.checkout / "mine").write_text("mine")
        git(self.checkout, "add", "mine")
        git(self.checkout, "commit", "--quiet", "--message", "mine")
        git(self.checkout, "checkout", "--quiet", "main")

    def pushed(self, *, clone: bool = True) -> None:
        """Its branch is in origin."""
        if clone:
            self.cloned()
        git(self.sources.bare, "update-ref", f"refs/heads/{self._branch}", "more")

    def half_made(self) -> None:
        """Git was killed while it made this very worktree."""
        self.cloned()
        git(self.checkout, "worktree", "add", "--quiet", "-b", self._branch, str(self.path))
        (self.checkout / ".git/worktrees" / self.tree / "locked").write_text("initializing")

    @property
    def _branch(self) -> str:
        return f"reconciler/{self.tree}"

    def check(self, *, mine: bool) -> None:
        """The checkout is whole, nothing stands in anybody's way, and `mine`, where it was, is in reach."""
        git(self.checkout, "fsck", "--strict")
        assert not list((self.checkout / ".git").rglob("*.lock"))
        left = {path.name for path in self.place.iterdir()}
        assert left <= {"cache", "checkout", "fetched", "lock", "runs", "worktrees"}, left
        subprocess.run(["flock", "-n", str(self.place / "lock"), "true"], check=True)
        if mine:
            assert git(self.checkout, "log", "--all", "--format=%h", "--", "mine"), self


def check_work(host: FaultyHost, sites: Sequence[Site], executed: set[str]) -> None:
    """What workers have written is kept when their worktrees go. `executed`: runs that ended well."""
    for site in sites:
        written = site.path / "work"
        if not written.exists():
            continue
        run = written.read_text().strip()
        executed.discard(run)
        path = f"{site.place.name}/worktrees/{site.tree}"
        end = time.monotonic() + 60
        while host.call("act", [("worktree", path)]).words() not in (["removed"], ["already"]):
            assert time.monotonic() < end, path
        assert not site.path.exists()
        assert git(site.checkout, "show", f"refs/reconciler/wip/{site.tree}:work") == run
    assert not executed, f"what they have written is gone: {executed}"


Prepare = Callable[[Site], None]
