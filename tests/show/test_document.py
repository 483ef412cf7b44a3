"""The envelope, and YAML that says what the JSON says."""

import json
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from reconciler.errors import Exit
from reconciler.show.document import INVALID, Ending, ending, envelope, line, text

KEYS = st.text(st.characters(codec="utf-8"), max_size=12)
LEAVES = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(codec="utf-8"), max_size=20)
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4))


def test_the_envelope_comes_first_and_is_always_whole() -> None:
    assert envelope({"items": []}) == {
        "formatVersion": "1",
        "exit": {"code": 0, "name": "ok"},
        "revision": None,
        "items": [],
    }
    assert envelope({}, INVALID, "abc")["exit"] == {"code": 1, "name": "invalid"}


@pytest.mark.parametrize("code", list(Exit))
def test_every_exit_code_has_a_name(code: Exit) -> None:
    assert ending(code) == Ending(code.value, code.name.lower().replace("_", "-"))


def test_yaml_reads_like_yaml() -> None:
    document = {
        "name": "build",
        "why": "new task: yes",
        "count": 1,
        "none": None,
        "no": "no",
        "list": [{"a": 1, "b": []}],
    }
    assert text(document, "yaml") == (
        'name: build\nwhy: "new task: yes"\ncount: 1\nnone: null\n"no": "no"\nlist:\n  - a: 1\n    b: []\n'
    )


@given(st.dictionaries(KEYS, VALUES, min_size=1, max_size=4))
def test_yaml_and_json_say_the_same(document: dict[str, object]) -> None:
    assert json.loads(text(document, "json")) == document
    assert json.loads(line(document)) == document
    assert "\n" not in line(document)
    assert YAML(typ="safe", pure=True).load(StringIO(text(document, "yaml"))) == document
