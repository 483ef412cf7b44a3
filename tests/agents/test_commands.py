"""How each tool is started: every word of it, where it takes its prompt from, and what it needs around it."""

import json

import pytest

from reconciler.agents.adapter import Order, Word, WordKind
from reconciler.agents.registry import adapter, names
from reconciler.agents.tools.codex import REVIEW
from reconciler.agents.words import RESULT, SCHEMA, WORKTREE

BYPASS = "--dangerously-bypass-approvals-and-sandbox"
CODEX = ("--cd", WORKTREE, "--json", "--output-schema", SCHEMA, "--output-last-message", RESULT)
REVIEWING = ("--sandbox", "read-only", "-c", f"developer_instructions={json.dumps(REVIEW)}")
CLAUDE = ("claude", "--print", "--dangerously-skip-permissions", "--add-dir", WORKTREE)
STREAM = ("--output-format", "stream-json", "--verbose")
GEMINI = ("gemini", "--yolo", "--skip-trust", "--output-format", "stream-json")
OPENCODE = ("opencode", "run", "--format", "json", "--auto", "--dir", WORKTREE)
OSS = ("--oss", "--local-provider", "ollama")

CASES = {
    "codex": ("codex", Order(), ("codex", "exec", BYPASS, *CODEX, "-")),
    "codex with a model": ("codex", Order(model="gpt-5"), ("codex", "exec", BYPASS, *CODEX, "--model", "gpt-5", "-")),
    "codex:o4": ("codex", Order("gpt-5", "o4"), ("codex", "exec", BYPASS, *CODEX, "--model", "o4", "-")),
    "codex, flags in front of the prompt": (
        *("codex", Order(args=("-c", "x=1"))),
        ("codex", "exec", BYPASS, *CODEX, "-c", "x=1", "-"),
    ),
    "codex with web search": (
        *("codex", Order(args=("--search", "--ephemeral"))),
        ("codex", "--search", "exec", BYPASS, *CODEX, "--ephemeral", "-"),
    ),
    "codex:review may write nothing": (
        "codex",
        Order("m", "review"),
        ("codex", "exec", *REVIEWING, *CODEX, "--model", "m", "-"),
    ),
    "claude": ("claude", Order(), (*CLAUDE, *STREAM)),
    "claude:haiku": ("claude", Order("opus", "haiku"), (*CLAUDE, *STREAM, "--model", "haiku")),
    "claude does not know draft 2020-12": (
        *("claude", Order(schema='{"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object"}')),
        (*CLAUDE, *STREAM, "--json-schema", '{"type": "object"}'),
    ),
    "claude with a budget": ("claude", Order(budget_usd=2.5), (*CLAUDE, *STREAM, "--max-budget-usd", "2.5000")),
    "claude with flags": ("claude", Order(args=("--effort", "low")), (*CLAUDE, *STREAM, "--effort", "low")),
    "gemini": ("gemini", Order(), GEMINI),
    "gemini:flash": ("gemini", Order(variant="flash"), (*GEMINI, "--model", "gemini-2.5-flash")),
    "gemini:gemini-3-pro": ("gemini", Order(variant="gemini-3-pro"), (*GEMINI, "--model", "gemini-3-pro")),
    "gemini with a model": ("gemini", Order(model="gemma-3"), (*GEMINI, "--model", "gemma-3")),
    "opencode": ("opencode", Order(args=("--pure",)), (*OPENCODE, "--pure")),
    "opencode with a model": ("opencode", Order(model="openai/gpt-5"), (*OPENCODE, "--model", "openai/gpt-5")),
    "coderabbit": ("coderabbit", Order(), ("coderabbit", "review", "--plain")),
    "coderabbit:committed": (
        *("coderabbit", Order(variant="committed", base="main")),
        ("coderabbit", "review", "--plain", "--base", "main", "--type", "committed"),
    ),
    "local": ("local", Order(), ("codex", "exec", BYPASS, *CODEX, *OSS, "--model", "devstral-24b", "-")),
    "local:qwen3": ("local", Order("x", "qwen3"), ("codex", "exec", BYPASS, *CODEX, *OSS, "--model", "qwen3", "-")),
    "command": ("command", Order(command=("./agent", "--go"), args=("now",)), ("./agent", "--go", "now")),
}


@pytest.mark.parametrize(("tool", "order", "expected"), CASES.values(), ids=CASES.keys())
def test_command_line(tool: str, order: Order, expected: tuple[str | Word, ...]) -> None:
    words = adapter(tool).command(order).words
    assert [word.text if word.kind is WordKind.TEXT else word for word in words] == list(expected)


@pytest.mark.parametrize("tool", ["codex", "claude", "gemini", "opencode", "local"])
def test_prompt_is_read_from_standard_input_and_events_are_kept(tool: str) -> None:
    command = adapter(tool).command(Order())
    assert command.stdin == "prompt.md"
    assert command.events


@pytest.mark.parametrize("tool", ["coderabbit", "command"])
def test_nothing_is_said_to_what_takes_no_prompt(tool: str) -> None:
    command = adapter(tool).command(Order(command=("x",)))
    assert not command.stdin
    assert not command.events


@pytest.mark.parametrize(
    ("tool", "name", "value"),
    [
        ("claude", "IS_SANDBOX", "1"),
        ("claude", "DISABLE_AUTOUPDATER", "1"),
        ("gemini", "GEMINI_CLI_NO_RELAUNCH", "true"),
        ("opencode", "OPENCODE_DISABLE_AUTOUPDATE", "1"),
        ("codex", "TZ", "UTC"),
    ],
)
def test_what_a_tool_needs_around_it(tool: str, name: str, value: str) -> None:
    assert adapter(tool).command(Order()).environment[name] == value


@pytest.mark.parametrize("tool", names())
def test_every_flag_that_is_used_is_checked_on_the_host(tool: str) -> None:
    """`host check` looks for these; values of flags and what stands for them apart."""
    found = adapter(tool)
    order = Order("m", "v", (), ("x",), 1.0, '{"type": "object"}', "main")
    used = {word.text for word in found.command(order).words if word.text.startswith("--")}
    assert used <= set(found.flags)
