"""What the real programs did, and what has to be read from it. `expected.json` is the specification."""

import json
from pathlib import Path

import pytest

from reconciler.agents.adapter import Reading
from reconciler.agents.answer import fits
from reconciler.agents.registry import adapter
from tests.agents.recorded import FOLDER, NAMES, expected, output

SCHEMA = Path(__file__).parents[2] / "reconciler/prompts/task-result.schema.json"
SUCCESSES = [
    name for name in NAMES if name.split("/")[1] in ("success", "fenced", "json-success", "no-structured-output")
]


def test_there_are_recordings_of_every_tool_that_npm_has() -> None:
    assert {name.split("/")[0] for name in NAMES} == {"codex", "claude", "gemini", "opencode"}
    assert {"success", "429", "401", "quota", "cancel"} <= {
        name.split("/")[1] for name in NAMES if name.startswith("codex")
    }
    assert {"success", "429", "401", "quota", "cancel"} <= {
        name.split("/")[1] for name in NAMES if name.startswith("claude")
    }


@pytest.mark.parametrize("name", NAMES)
def test_read(name: str) -> None:
    reading = adapter(name.split("/")[0]).read(output(name))
    told = expected(name)
    assert reading == Reading(**{key: value for key, value in told.items() if key != "lines"})


@pytest.mark.parametrize("name", [name for name in NAMES if "lines" in expected(name)])
def test_lines(name: str) -> None:
    line = adapter(name.split("/")[0]).line
    shown = [line(event) for event in output(name).events.decode().splitlines()]
    assert [text for text in shown if text] == expected(name)["lines"]


@pytest.mark.parametrize("name", SUCCESSES)
def test_a_good_answer_fits_the_schema_of_tasks(name: str) -> None:
    answer = adapter(name.split("/")[0]).read(output(name)).answer
    assert answer is not None
    assert fits(answer, json.loads(SCHEMA.read_text())) == ""


@pytest.mark.parametrize("name", NAMES)
def test_recordings_are_small_and_of_nobody(name: str) -> None:
    text = "".join(file.read_text() for file in (FOLDER / name).iterdir())
    assert len(text) < 20_000
    assert not any(word in text for word in ("/tmp/", "/root", "sk-ant", "reconciler-"))


def test_every_recording_says_how_it_was_made() -> None:
    listed = (FOLDER / "README.md").read_text()
    assert [name for name in NAMES if f"- `{name}`: " not in listed] == []
