"""Prepares worktrees as the supervisor's stage does, with real git, on repositories made by the test."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.remote import scripts
from tests.remote.harness import SCRIPTS

# What the supervisor has done when it comes to the project: settings read, environment exported, output to its log.
STAGE = """
. "$1/process.sh"
RECONCILER_RUN_DIR=$2 RECONCILER_RUN=${2##*/}
read_settings "$2"
enter_phase() { printf '%s\\n' "$1" >>"$RECONCILER_RUN_DIR/phases"; }
reconciler_fail() {
  printf 'PrepareFailed: %s\\n' "$1" >>"$RECONCILER_RUN_DIR/supervisor.log"
  exit 126
}
. "$2/project.sh"
cd "$2" || exit
exec 6>/dev/null
project_prepare >>"$2/supervisor.log" 2>&1 || exit
printf '%s\\0' "$WORKTREE_PATH"
exec env -0
"""


def git(place: Path, *words: str) -> str:
    """What git says there; fails with its complaint."""
    command = ["git", "-c", "user.name=T", "-c", "user.email=t@example.org", "-C", str(place), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, (words, done.stderr)
    return done.stdout.strip()


@dataclass
class Origin:
    """A bare repository, and a clone in which its content is made."""

    bare: Path
    work: Path

    @classmethod
    def make(cls, folder: Path, branch: str = "main") -> "Origin":
        """One with a commit on its only branch."""
        made = cls(folder / "app.git", folder / "work")
        folder.mkdir(parents=True, exist_ok=True)
        git(folder, "init", "--quiet", "--bare", f"--initial-branch={branch}", str(made.bare))
        git(folder, "init", "--quiet", f"--initial-branch={branch}", str(made.work))
        git(made.work, "remote", "add", "origin", str(made.bare))
        made.commit("README", "hello\n")
        return made

    def commit(self, name: str, text: str, *, branch: str = "main", force: bool = False) -> str:
        """Push a commit that writes one file; returns its id."""
        if branch not in ("", git(self.work, "branch", "--show-current")):
            exists = git(self.work, "branch", "--list", branch)
            git(self.work, "checkout", "--quiet", *(() if exists else ("-b",)), branch)
        (self.work / name).write_text(text)
        git(self.work, "add", "--all")
        git(self.work, "commit", "--quiet", "--message", f"write {name}")
        words = ("--force",) if force else ()
        git(self.work, "push", "--quiet", *words, "origin", branch)
        return git(self.work, "rev-parse", "HEAD")


@dataclass
class Prepared:
    """How a preparation ended: the worktree and what the worker gets to see, or the sentence."""

    tree: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    failure: str = ""
    phases: Sequence[str] = ()
    log: str = ""
    prompt: str = ""


@dataclass
class Workspace:
    """A workspace root with one project in it."""

    root: Path
    project: str = "app"
    env: dict[str, str] = field(default_factory=dict)

    @property
    def checkout(self) -> Path:
        """The project's clone."""
        return self.root / self.project / "checkout"

    def tree(self, name: str) -> Path:
        """Where a worktree lies."""
        return self.root / self.project / "worktrees" / name

    def registry(self) -> dict[str, str]:
        """What is written down about the project."""
        text = (self.root / "_/projects" / self.project).read_text()
        return dict(line.split("=", 1) for line in text.splitlines())

    def claim(self, run: str, url: str | Path, prompt: str = "", **settings: str) -> Path:
        """The run directory, as a launch makes it."""
        place = self.root / self.project / "runs" / run
        place.mkdir(parents=True)
        (self.root / "_").mkdir(exist_ok=True)
        given = {"project": self.project, "worktree": run, "tree_mode": "fresh", "branch": f"reconciler/{run}"}
        given |= {"git_url": str(url), "repo_url": "", "fork": "never", "base": "", "start": "", "issue": ""} | settings
        (place / "settings").write_text("".join(f"{key}={value}\n" for key, value in given.items()))
        (place / "project.sh").write_text(scripts.project())
        (place / "prompt.md").write_text(prompt)
        return place

    def begin(self, place: Path) -> "subprocess.Popen[bytes]":
        """Starts the stage of a claimed run, in a session of its own."""
        command = ["bash", "--noprofile", "--norc", "-p", "-c", STAGE, "stage", str(SCRIPTS), str(place)]
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **self.env},
            start_new_session=True,
        )

    def end(self, place: Path, stage: "subprocess.Popen[bytes]") -> Prepared:
        """Waits for it."""
        output, errors = stage.communicate(timeout=120)
        log = (place / "supervisor.log").read_text() if (place / "supervisor.log").exists() else ""
        phases = (place / "phases").read_text().split() if (place / "phases").exists() else []
        if stage.returncode:
            failure = next((line for line in log.splitlines()[::-1] if line.startswith("PrepareFailed: ")), "")
            assert (stage.returncode, bool(failure)) == (126, True), (log, errors)
            return Prepared(Path(), {}, failure.removeprefix("PrepareFailed: "), phases, log)
        tree, *entries = output.decode().removesuffix("\0").split("\0")
        environment = dict(entry.split("=", 1) for entry in entries)
        return Prepared(Path(tree), environment, "", phases, log, (place / "prompt.md").read_text())

    def prepare(self, run: str, url: str | Path, prompt: str = "", **settings: str) -> Prepared:
        """Claims a run and prepares it."""
        place = self.claim(run, url, prompt, **settings)
        return self.end(place, self.begin(place))
