"""The tools that there are, and that a module is all it takes to add one."""

import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.agents import tools
from reconciler.agents.registry import adapter, names

NEW = """
from dataclasses import replace
from reconciler.agents.tools import command
ADAPTER = replace(command.ADAPTER, name="new")
"""


def test_the_tools_of_the_contract() -> None:
    assert names() == ("claude", "coderabbit", "codex", "command", "gemini", "local", "opencode")


@pytest.mark.parametrize("name", names())
def test_an_adapter_is_named_as_its_module(name: str) -> None:
    assert adapter(name).name == name


def test_an_unknown_tool_is_told_with_those_that_there_are() -> None:
    with pytest.raises(LookupError, match="there is no tool 'gpt': use one of claude, "):
        adapter("gpt")


@pytest.mark.parametrize("name", ["", "os", "..registry", "claude.ADAPTER", "__init__"])
def test_nothing_else_is_imported(name: str) -> None:
    with pytest.raises(LookupError):
        adapter(name)


def test_a_module_is_all_it_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "new.py").write_text(NEW)
    monkeypatch.setattr(tools, "__path__", [*tools.__path__, str(tmp_path)])
    names.cache_clear()
    try:
        assert "new" in names()
        assert adapter("new").name == "new"
    finally:
        names.cache_clear()
        adapter.cache_clear()


def test_nothing_heavy_is_imported() -> None:
    check = "import sys; from reconciler.agents.registry import *; [adapter(name) for name in names()]; "
    heavy = "print([name for name in ('jsonschema', 'jinja2', 'asyncio', 'sqlite3', 'ruamel') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", check + heavy], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
