"""Real git repositories for the tests of loading."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

FLEET = """\
apiVersion: reconciler/v1
kind: Fleet
metadata: {name: home}
spec: {id: 4f9d2c7e81b3}
"""
HOST = """\
apiVersion: reconciler/v1
kind: Host
metadata: {name: box1}
spec: {address: box1.example.org}
"""


def task(name: str, *lines: str, run: str = "make") -> str:
    """Return a Task document with more lines in its spec."""
    more = "".join(f"  {line}\n" for line in lines)
    return f"apiVersion: reconciler/v1\nkind: Task\nmetadata: {{name: {name}}}\nspec:\n  run: {run}\n{more}"


def host(name: str, *lines: str) -> str:
    """Return a Host document with more lines in its spec."""
    more = "".join(f"  {line}\n" for line in lines)
    return f"apiVersion: reconciler/v1\nkind: Host\nmetadata: {{name: {name}}}\nspec:\n{more}"


class Work:
    """A git repository with a work tree."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("config", "user.name", "Ada")
        self.git("config", "user.email", "ada@example.org")

    def git(self, *arguments: str, code: int = 0) -> str:
        """Run git here and return what it says."""
        environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        done = subprocess.run(
            ["git", "-c", "protocol.file.allow=always", *arguments],
            cwd=self.path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stderr
        return done.stdout.strip()

    def write(self, files: Mapping[str, str | bytes | None]) -> None:
        """Write files; None removes one."""
        for name, content in files.items():
            file = self.path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                file.unlink()
            else:
                file.write_bytes(content if isinstance(content, bytes) else content.encode())

    def commit(self, files: Mapping[str, str | bytes | None], message: str = "change") -> str:
        """Write and commit files, and return the commit id."""
        self.write(files)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")


def project(name: str, *lines: str) -> str:
    """Return a Project document with more lines in its spec."""
    return document("Project", name, *(lines or ("repoUrl: https://github.com/example/web",)))


def agent(name: str, *lines: str) -> str:
    """Return an Agent document with the lines of its spec."""
    return document("Agent", name, *lines)


def work_of(name: str, *lines: str, agent: str = "claude", project: str = "web", prompt: str = "Do it.") -> str:
    """Return a Task document for an agent (of the Fleet's defaults when it is empty) with more lines in its spec."""
    who = [f"agent: {agent}"] if agent else []
    return document("Task", name, f"project: {project}", *who, f"prompt: {prompt}", *lines)


def document(kind: str, name: str, *lines: str) -> str:
    """Return a document with the lines of its spec."""
    spec = "".join(f"  {line}\n" for line in lines)
    return f"apiVersion: reconciler/v1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec:\n{spec}"
