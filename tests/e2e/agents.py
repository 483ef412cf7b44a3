"""Agents' work in fleets for tests: bare git remotes, stand-in programs on hosts, documents, and what lies on a host."""

import os
import shutil
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.fleet import IDENTITY, Fleet
from tests.machines.machine import Machine

STANDINS = Path(__file__).parents[1] / "standins"
PROGRAMS = ("codex", "claude", "gemini", "opencode", "coderabbit")
GITCONFIG = "[user]\n  name = Agent\n  email = agent@example.org\n"
ENDED = {"Succeeded", "Failed", "Blocked", "Lost", "Canceled"}


def git(folder: Path, *words: str) -> str:
    """What git says in a folder; it has to succeed."""
    environment = {**os.environ, **IDENTITY, "GIT_CONFIG_COUNT": "1"}
    environment |= {"GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
    done = subprocess.run(["git", "-C", str(folder), *words], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"git {words}: {done.stderr}"
    return done.stdout.strip()


@dataclass(frozen=True)
class Remote:
    """A bare repository with one commit on `main`; `path` as seen from here."""

    path: Path

    def branches(self) -> dict[str, str]:
        """Branch → commit."""
        lines = git(self.path, "for-each-ref", "--format=%(refname:short) %(objectname)", "refs/heads").splitlines()
        return dict(line.split() for line in lines)

    def log(self, branch: str) -> list[str]:
        """Subjects, newest first."""
        return git(self.path, "log", "--format=%s", branch).splitlines()

    def show(self, branch: str, file: str) -> str:
        """A file as it is on a branch."""
        return git(self.path, "show", f"{branch}:{file}")

    def push(self, file: str, text: str, *, branch: str = "main") -> str:
        """Somebody else pushes a change of a file; the commit."""
        clone = self.path.with_suffix(".clone")
        shutil.rmtree(clone, ignore_errors=True)
        git(self.path.parent, "clone", "--quiet", str(self.path), str(clone))
        git(clone, "checkout", "--quiet", "-B", branch)
        (clone / file).write_text(text)
        git(clone, "add", file)
        git(clone, "commit", "--quiet", "--message", f"{file} changes")
        git(clone, "push", "--quiet", "origin", branch)
        return git(clone, "rev-parse", "HEAD")


def make_remote(folder: Path, name: str = "app") -> Remote:
    """`folder/NAME.git`."""
    path = folder / f"{name}.git"
    path.mkdir(parents=True)
    git(path, "init", "--quiet", "--bare", "--initial-branch=main")
    remote = Remote(path)
    seed = folder / f"{name}.seed"
    git(folder, "init", "--quiet", "--initial-branch=main", str(seed))
    (seed / "README.md").write_text("# The application\n")
    git(seed, "add", "README.md")
    git(seed, "commit", "--quiet", "--message", "chore: begin")
    git(seed, "push", "--quiet", str(path), "main")
    shutil.rmtree(seed)
    return remote


def home(machine: Machine) -> Path:
    """A machine's home as a folder of this one: git is led astray by the path through /proc."""
    return machine.folder / "home"


def install(machine: Machine, *programs: str) -> None:
    """The stand-ins in a machine's ~/.local/bin, a git identity, and a key with which it may log in to itself."""
    folder = home(machine) / ".local/bin"
    folder.mkdir(parents=True, exist_ok=True)
    for program in programs or PROGRAMS:
        (folder / program).symlink_to(STANDINS / program)
    (home(machine) / ".gitconfig").write_text(GITCONFIG)
    keys = home(machine) / ".ssh"
    keys.mkdir(mode=0o700, exist_ok=True)
    shutil.copy(machine.login_key, keys / "id_ed25519")


def by_ssh(machine: Machine, remote: Remote) -> str:
    """The URL of a remote in a machine's home, over its own sshd."""
    return f"ssh://root@{machine.address}{inside(machine, remote)}"


def inside(machine: Machine, remote: Remote) -> str:
    """The path of a remote in a machine's home, as seen there."""
    return f"/root/{remote.path.relative_to(home(machine))}"


def local_host(fleet: Fleet, name: str = "here", *, programs: Path = STANDINS, **spec: Any) -> "Site":
    """This machine as a host with the stand-ins on its PATH; home and workspace are in the test's folder."""
    place = fleet.room / f"home-{name}"
    place.mkdir(exist_ok=True)
    (place / ".gitconfig").write_text(GITCONFIG)
    prelude = f'PATH="{programs}:$PATH"; export HOME="{place}"'
    return Site(fleet.local(name, shellPrelude=prelude, **{"slots": 8, **spec}))


def project(fleet: Fleet, git_url: str, name: str = "app", **spec: Any) -> None:
    """Write projects/NAME.yaml."""
    fleet.write(f"projects/{name}.yaml", fleet.document("Project", name, {"gitUrl": git_url, **spec}))


def agent(fleet: Fleet, name: str, tool: str = "", **spec: Any) -> None:
    """Write agents/NAME.yaml."""
    fleet.write(f"agents/{name}.yaml", fleet.document("Agent", name, {"tool": tool or name, **spec}))


def says(script: str) -> str:
    """A prompt that tells a stand-in what to do."""
    return f"Do the work.\n\nstand-in: {script}\n"


def task(fleet: Fleet, name: str, script: str, agent: str = "codex", project: str = "app", **spec: Any) -> None:
    """Write tasks/NAME.yaml: work of an agent in a project; `script` as in tests/standins/script.py."""
    work = {"project": project, "agent": agent, "prompt": says(script), **spec}
    fleet.write(f"tasks/{name}.yaml", fleet.document("Task", name, work))


def rows(fleet: Fleet) -> dict[str, dict[str, Any]]:
    """Task → its row."""
    return {item["name"]: item for item in fleet.json("get", "tasks")["items"]}


def runs(fleet: Fleet) -> dict[str, dict[str, Any]]:
    """Run → its row."""
    return {item["name"]: item for item in fleet.json("get", "runs")["items"]}


def ended(fleet: Fleet) -> bool:
    """The first attempt of every task has ended; a cycle looks first."""
    fleet.run("reconcile")
    seen = {name.rsplit("-", 2)[0]: run["phase"] for name, run in runs(fleet).items() if name.endswith("-1")}
    return seen.keys() == rows(fleet).keys() and ENDED.issuperset(seen.values())


@dataclass(frozen=True)
class Site:
    """A workspace on a host, as seen from here."""

    root: Path

    def names(self, folder: str) -> set[str]:
        """What is in a folder of the workspace; nothing when there is none."""
        path = self.root / folder
        return {entry.name for entry in path.iterdir()} if path.is_dir() else set()

    def runs(self, project: str = "app") -> set[str]:
        """Run directories."""
        return self.names(f"{project}/runs")

    def worktrees(self, project: str = "app") -> set[str]:
        """Worktrees."""
        return self.names(f"{project}/worktrees")

    def registry(self, project: str = "app") -> dict[str, str]:
        """The project's lines in the registry, `updated` apart; nothing when it is not there."""
        file = self.root / "_/projects" / project
        lines = file.read_text().splitlines() if file.exists() else []
        return {key: value for key, _, value in (line.partition("=") for line in lines) if key != "updated"}

    def git(self, *words: str, project: str = "app") -> str:
        """What git says in the project's checkout."""
        return git(self.root / project / "checkout", *words)

    def refs(self, below: str = "refs/heads", project: str = "app") -> set[str]:
        """Names of refs of the checkout below that."""
        names = self.git("for-each-ref", "--format=%(refname)", below, project=project).splitlines()
        return {name.removeprefix(f"{below}/") for name in names}

    def marks(self) -> set[str]:
        """Completion marks."""
        return self.names("_/done")


def site(machine: Machine) -> Site:
    """The workspace of a machine."""
    return Site(home(machine) / ".reconciler")


def tools(machine: Machine) -> list[str]:
    """What lives on a machine of stand-ins and of what they left."""
    words = ("tests/standins/", ".local/bin/", "sleep 765")
    return [process.command for process in machine.processes() if any(word in process.command for word in words)]


def alive(folder: Path) -> list[str]:
    """`pid command` of what runs on this machine of workspaces in that folder, in whatever session it is."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            environment = path.read_bytes()
            command = (path.parent / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if b"RECONCILER_MARK=" in environment and f"RECONCILER_RUN_DIR={folder}/".encode() in environment:
            found.append(f"{path.parent.name} {command}")
    return found


def end(folder: Path) -> None:
    """End what a test that failed left running of workspaces in that folder."""
    for process in alive(folder):
        with suppress(ProcessLookupError):
            os.kill(int(process.split()[0]), signal.SIGKILL)
