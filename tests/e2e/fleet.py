"""A fleet repository in a temporary folder and the commands a person would type there."""

import json
import os
import subprocess
import sys
import textwrap
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

IDENTITY = {
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
    "GIT_CONFIG_GLOBAL": "/dev/null",
}


@dataclass
class Fleet:
    """One repository, one state folder; `clone` gives the same repository with another state."""

    room: Path
    name: str = "fleet"
    id: str = field(default_factory=lambda: uuid.uuid4().hex[:16])
    state: Path = Path()
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.repo = self.room / self.name
        self.state = self.room / f"{self.name}-state"
        if not self.repo.exists():
            self.repo.mkdir(parents=True)
            self.git("init", "--quiet", "--initial-branch=main")
            self.write("fleet.yaml", self.document("Fleet", self.name, {"id": self.id}))

    def document(self, kind: str, name: str, spec: Mapping[str, Any], labels: Mapping[str, str] | None = None) -> str:
        """A document as JSON, which is YAML."""
        metadata = {"name": name, **({"labels": dict(labels)} if labels else {})}
        return json.dumps({"apiVersion": "reconciler/v1", "kind": kind, "metadata": metadata, "spec": spec}, indent=1)

    def write(self, path: str, text: str) -> None:
        """Write a file of the repository."""
        file = self.repo / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))

    def host(self, name: str, **spec: Any) -> None:
        """Write hosts/NAME.yaml."""
        labels = spec.pop("labels", None)
        self.write(f"hosts/{name}.yaml", self.document("Host", name, spec, labels))

    def local(self, name: str = "here", **spec: Any) -> Path:
        """A host that is this machine, with a workspace of its own; gives the workspace."""
        workspace = self.room / f"workspace-{name}"
        self.host(name, transport="local", workspaceRoot=str(workspace), minFree="1MiB", **spec)
        return workspace

    def task(self, name: str, run: str = "true", **spec: Any) -> None:
        """Write tasks/NAME.yaml."""
        labels = spec.pop("labels", None)
        self.write(f"tasks/{name}.yaml", self.document("Task", name, {"run": textwrap.dedent(run), **spec}, labels))

    def fleet(self, **spec: Any) -> None:
        """Write fleet.yaml anew."""
        self.write("fleet.yaml", self.document("Fleet", self.name, {"id": self.id, **spec}))

    def remove(self, path: str) -> None:
        """Delete a file of the repository."""
        (self.repo / path).unlink()

    def commit(self, message: str = "change") -> str:
        """Commit everything; gives the commit id."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")

    def git(self, *words: str) -> str:
        """Run git in the repository."""
        done = subprocess.run(
            ["git", *words], cwd=self.repo, env={**os.environ, **IDENTITY}, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def other_controller(self, name: str) -> "Fleet":
        """The same repository under a state folder of its own, as on another machine."""
        other = Fleet(self.room, self.name, self.id, environment=dict(self.environment))
        other.state = self.room / f"state-{name}"
        return other

    def env(self) -> dict[str, str]:
        """The environment of the commands."""
        clean = {key: value for key, value in os.environ.items() if not key.startswith("RECONCILER_")}
        config = self.room / "config"
        return {
            **clean,
            **IDENTITY,
            "XDG_CONFIG_HOME": str(config),
            "RECONCILER_STATE_DIR": str(self.state),
            "NO_COLOR": "1",
            **self.environment,
        }

    def run(self, *words: str, timeout: float = 90, check: int | None = None) -> subprocess.CompletedProcess[str]:
        """Run `reconciler WORDS` in the repository."""
        done = subprocess.run(
            [sys.executable, "-m", "reconciler", *words],
            cwd=self.repo,
            env=self.env(),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check is not None:
            assert done.returncode == check, f"{words} exited {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start `reconciler WORDS` and leave it running."""
        return subprocess.Popen(
            [sys.executable, "-m", "reconciler", *words],
            cwd=self.repo,
            env=self.env(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def reconcile(self, *words: str, check: int | None = 0) -> dict[str, Any]:
        """`reconcile --wait -o json WORDS` as parsed JSON."""
        done = self.run("reconcile", "--wait", "--timeout", "60s", "-o", "json", *words, check=check)
        return json.loads(done.stdout)

    def json(self, *words: str, check: int | None = 0) -> dict[str, Any]:
        """Any command with `-o json` as parsed JSON."""
        return json.loads(self.run(*words, "-o", "json", check=check).stdout)

    def phases(self) -> dict[str, str]:
        """Task → phase, as `get tasks` says."""
        return {item["name"]: item["phase"] for item in self.json("get", "tasks")["items"]}
