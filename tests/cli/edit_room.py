"""A fleet repository and the edit verbs, run in this process."""

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pytest

from reconciler.cli.failing import guarded
from reconciler.cli.main import cli

FLEET = "apiVersion: reconciler/v1\nkind: Fleet\nmetadata: {name: home}\nspec: {id: 0123456789abcdef}\n"


class Said(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass
class Room:
    """A repository in a folder of its own; `reconciler` is what a person would type in it."""

    path: Path
    capture: pytest.CaptureFixture[str]

    def reconciler(self, *words: str) -> Said:
        self.capture.readouterr()
        code = guarded(cli, ["-C", str(self.path), *words])
        return Said(int(code), *self.capture.readouterr())

    def git(self, *words: str) -> str:
        done = subprocess.run(["git", *words], cwd=self.path, capture_output=True, text=True, check=True)
        return done.stdout

    def write(self, path: str, text: str | bytes) -> None:
        file = self.path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())

    def read(self, path: str) -> str:
        return (self.path / path).read_bytes().decode()

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "as written by hand")

    def changed_lines(self) -> list[str]:
        """The lines that the last commit took away and added, nothing around them."""
        shown = self.git("show", "--format=", "--unified=0", "--no-color", "HEAD")
        return [line for line in shown.splitlines() if line[:1] in "+-" and not line.startswith(("+++", "---"))]

    def touched(self) -> list[str]:
        return self.git("show", "--format=", "--name-only", "HEAD").splitlines()

    def commits(self) -> int:
        return int(self.git("rev-list", "--count", "HEAD"))

    def clean(self) -> bool:
        return not self.git("status", "--porcelain")


MakeRoom = Callable[[], Room]


def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home, a state folder and a git user of the test's own."""
    for name in [name for name in os.environ if name.startswith(("RECONCILER_", "GIT_"))]:
        monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("RECONCILER_STATE_DIR", str(tmp_path / "state"))


def known_user() -> None:
    """Tell git who the user is."""
    for key, value in (("user.name", "Ada"), ("user.email", "ada@example.org")):
        subprocess.run(["git", "config", "--global", key, value], check=True)
