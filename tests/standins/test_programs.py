"""The stand-ins take the command lines of the adapters and refuse what the real programs refuse."""

import os
import subprocess
from pathlib import Path

import pytest

from reconciler.agents.adapter import Order, Output, WordKind
from reconciler.agents.registry import adapter
from reconciler.prompts.library import result_schema
from tests.e2e.agents import PROGRAMS, STANDINS, git
from tests.e2e.fleet import IDENTITY

ORDERS = {
    "plain": Order(schema=result_schema()),
    "model": Order(schema=result_schema(), model="provider/large"),
    "variant": Order(schema=result_schema(), variant="provider/small"),
    "budget": Order(schema=result_schema(), budget_usd=1.5),
}


def run(tool: str, order: Order, folder: Path, prompt: str) -> tuple[int, Output]:
    """Run a stand-in as its adapter says."""
    command = adapter(tool).command(order)
    (folder / "prompt.md").write_text(prompt)
    (folder / "result-schema.json").write_text(order.schema)
    tree = folder / "tree"
    if not tree.exists():
        tree.mkdir()
        git(tree, "init", "--quiet", "--initial-branch=main")
        git(tree, "commit", "--quiet", "--allow-empty", "--message", "begin")
        git(tree, "commit", "--quiet", "--allow-empty", "--message", "go on")
    places = {WordKind.FILE: lambda word: str(folder / word.text), WordKind.WORKTREE: lambda _: str(tree)}
    words = [places.get(word.kind, lambda word: word.text)(word) for word in command.words]
    environment = {**os.environ, **IDENTITY, **command.environment, "PATH": f"{STANDINS}:{os.environ['PATH']}"}
    environment["RECONCILER_PROMPT_FILE"] = str(folder / "prompt.md")
    environment["RECONCILER_RESULT_FILE"] = str(folder / "answer.json")
    stdin = (folder / command.stdin).read_bytes() if command.stdin else b""
    done = subprocess.run(words, input=stdin, cwd=tree, env=environment, capture_output=True, timeout=20)
    answer = folder / "answer.json"
    output = Output(
        exit_code=done.returncode,
        stdout=b"" if command.events else done.stdout,
        stderr=done.stderr,
        events=done.stdout if command.events else b"",
        answer=answer.read_bytes() if answer.exists() else None,
    )
    return done.returncode, output


@pytest.mark.parametrize("tool", PROGRAMS)
@pytest.mark.parametrize("order", ORDERS)
def test_the_command_lines_of_the_adapters_are_taken(tmp_path: Path, tool: str, order: str) -> None:
    if tool == "coderabbit" and order != "plain":
        pytest.skip("it has neither models nor budgets; its variants are kinds of changes")
    code, output = run(tool, ORDERS[order], tmp_path, "stand-in: success")
    assert code == 0, output.stderr
    assert adapter(tool).read(output).finished


@pytest.mark.parametrize("tool", PROGRAMS)
def test_a_flag_that_nobody_knows_is_refused(tmp_path: Path, tool: str) -> None:
    code, output = run(tool, Order(schema=result_schema(), args=("--no-such-flag",)), tmp_path, "stand-in: success")
    assert code == 2
    assert b"--no-such-flag" in output.stderr
    assert not adapter(tool).read(output).finished


def test_a_word_that_means_nothing_is_no_success(tmp_path: Path) -> None:
    assert run("codex", ORDERS["plain"], tmp_path, "stand-in: sucess")[0] == 2
