"""Runs an agent program, stand-in or real, with the command line of its adapter, and keeps what it left."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from reconciler.agents.adapter import Order, Output, WordKind
from reconciler.agents.registry import adapter
from tests.e2e.agents import STANDINS, git
from tests.e2e.fleet import IDENTITY


def run(
    tool: str,
    order: Order,
    folder: Path,
    prompt: str,
    *,
    programs: Path = STANDINS,
    environment: Mapping[str, str] | None = None,
) -> Output:
    """Run the program of that name in the folder `programs`, in a new repository in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    command = adapter(tool).command(order)
    (folder / "prompt.md").write_text(prompt)
    (folder / "result-schema.json").write_text(order.schema)
    tree = folder / "tree"
    tree.mkdir()
    git(tree, "init", "--quiet", "--initial-branch=main")
    for message in ("begin", "go on"):
        git(tree, "commit", "--quiet", "--allow-empty", "--message", message)
    places = {WordKind.FILE: lambda word: str(folder / word.text), WordKind.WORKTREE: lambda _: str(tree)}
    words = [places.get(word.kind, lambda word: word.text)(word) for word in command.words]
    answer = folder / "answer.json"
    given = {**os.environ, **IDENTITY, **command.environment, **(environment or {})}
    given |= {"PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(folder)}
    given |= {"RECONCILER_PROMPT_FILE": str(folder / "prompt.md"), "RECONCILER_RESULT_FILE": str(answer)}
    stdin = (folder / command.stdin).read_bytes() if command.stdin else b""
    done = subprocess.run(words, input=stdin, cwd=tree, env=given, capture_output=True, timeout=60)
    return Output(
        exit_code=done.returncode,
        stdout=b"" if command.events else done.stdout,
        stderr=done.stderr,
        events=done.stdout if command.events else b"",
        answer=answer.read_bytes() if answer.exists() else None,
    )
