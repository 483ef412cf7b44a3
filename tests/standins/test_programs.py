"""The stand-ins take the command lines of the adapters and refuse what the real programs refuse."""

from pathlib import Path

import pytest

from reconciler.agents.adapter import Order
from reconciler.agents.registry import adapter
from reconciler.prompts.builtin import result_schema
from tests.e2e.agents import PROGRAMS
from tests.standins.bench import run

ORDERS = {
    "plain": Order(schema=result_schema()),
    "model": Order(schema=result_schema(), model="provider/large"),
    "variant": Order(schema=result_schema(), variant="provider/small"),
    "budget": Order(schema=result_schema(), budget_usd=1.5),
}
TOOLS = (*PROGRAMS, "local")  # which is codex, too
# coderabbit has neither models nor budgets.
CASES = [(tool, order) for tool in TOOLS for order in ORDERS if tool != "coderabbit" or order == "plain"]


@pytest.mark.parametrize(("tool", "order"), CASES)
def test_the_command_lines_of_the_adapters_are_taken(tmp_path: Path, tool: str, order: str) -> None:
    output = run(tool, ORDERS[order], tmp_path, "stand-in: success")
    assert output.exit_code == 0, output.stderr
    assert adapter(tool).read(output).finished


@pytest.mark.parametrize("tool", TOOLS)
def test_a_flag_that_nobody_knows_is_refused(tmp_path: Path, tool: str) -> None:
    output = run(tool, Order(schema=result_schema(), args=("--no-such-flag",)), tmp_path, "stand-in: success")
    assert output.exit_code == 2
    assert b"--no-such-flag" in output.stderr
    assert not adapter(tool).read(output).finished


def test_a_word_that_means_nothing_is_no_success(tmp_path: Path) -> None:
    assert run("codex", ORDERS["plain"], tmp_path, "stand-in: sucess").exit_code == 2
