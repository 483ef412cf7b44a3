"""The schemas are the documentation: every key is described, limited and shown; nothing slips past them."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from reconciler.load.schema import KINDS, check, schema, schema_text
from reconciler.load.units import seconds, size


def keys(part: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for name, rules in part.get("properties", {}).items():
        yield f"{path}.{name}", rules
        yield from keys(rules, f"{path}.{name}")
    for inner in ("items", "additionalProperties"):
        if isinstance(part.get(inner), dict):
            yield from keys(part[inner], f"{path}[]")


def parts(part: Any) -> Iterator[dict[str, Any]]:
    if isinstance(part, dict):
        if "type" in part and not isinstance(part["type"], dict):
            yield part
        for name, inner in part.items():
            if name not in ("examples", "default"):
                yield from parts(inner)


KEYS = [(f"{kind}{path}", rules) for kind in KINDS for path, rules in keys(dict(schema(kind)))]


@pytest.mark.parametrize("rules", [rules for _, rules in KEYS], ids=[path for path, _ in KEYS])
def test_every_key_is_described_and_its_examples_and_default_are_valid(rules: dict[str, Any]) -> None:
    assert rules["description"].endswith(".")
    assert rules["examples"]
    validator = Draft202012Validator(rules)
    for value in [*rules["examples"], *([rules["default"]] if "default" in rules else [])]:
        validator.validate(value)


@pytest.mark.parametrize("kind", KINDS)
def test_a_schema_is_one_and_limits_everything(kind: str) -> None:
    Draft202012Validator.check_schema(json.loads(schema_text(kind)))
    for part in parts(dict(schema(kind))):
        types = part["type"] if isinstance(part["type"], list) else [part["type"]]
        if "string" in types and "enum" not in part and "const" not in part:
            assert "maxLength" in part
        if "array" in types:
            assert "maxItems" in part
        if "object" in types:
            assert part.get("additionalProperties") is False or "maxProperties" in part
        if "integer" in types:
            assert "minimum" in part
            assert "maximum" in part
        if "pattern" in part:
            assert part["pattern"].startswith("^")
            assert part["pattern"].endswith("$")
            assert part["x-expects"]
            assert "enum" not in part  # one of them is enough, and the short cut for plain text relies on it
            assert "const" not in part


def task(**spec: Any) -> dict[str, Any]:
    base = {"apiVersion": "reconciler/v1", "kind": "Task", "metadata": {"name": "a"}}
    return {**base, "spec": {"run": "make", **spec}}


@pytest.mark.parametrize(
    "spec",
    [
        {"timeout": "1h\n"},
        {"timeout": ""},
        {"host": "a\n"},
        {"host": "-a"},
        {"host": "a-"},
        {"host": "ä"},
        {"timeout": "١h"},
        {"env": {"A\n": "x"}},
        {"env": {"PPID": "x"}},
        {"env": {"A": "x\r"}},
        {"env": {"A": "\x85"}},
        {"secrets": ["A\n"]},
        {"secrets": [{"name": "RECONCILER_X"}]},
        {"secrets": [{"name": "A", "from": "a b"}]},
        {"retries": {"limit": 1.0}},
        {"retries": {"limit": True}},
        {"hostSelector": {"matchLabels": {"a,b": "c"}}},
        {"hostSelector": {"matchLabels": {"a": "c="}}},
        {"title": "a\u2028b"},
        {"suspend": {}},
    ],
)
def test_what_slips_past_a_careless_pattern_is_refused(spec: dict[str, Any]) -> None:
    assert check("Task", task(**spec))


@pytest.mark.parametrize(
    "spec",
    [
        {"timeout": "1d2h3m4s"},
        {"idleTimeout": "never"},
        {"env": {"UIDX": "a\n\tb", "_": ""}},
        {"secrets": ["A", {"name": "A_B", "from": "web.token-1", "x-why": 1}]},
        {"x-anything": {"deep": [1, None]}},
        {"rerun": {"any": ["value", 1, None, True]}},
        {"rerun": None},
        {"hostSelector": {}},
        {"hostSelector": {"matchLabels": {"example.org/zone": "", "gpu": "a100"}}},
        {"suspend": {"cancel": True}},
        {"run": "#!/usr/bin/env python3\nprint('é\\x1b')\n"},
        {"title": "größer → 🚀"},
    ],
)
def test_what_is_right_is_accepted(spec: dict[str, Any]) -> None:
    assert check("Task", task(**spec)) == ()


@given(st.text(alphabet="0123456789dhms\n ", max_size=12))
def test_every_duration_that_passes_can_be_counted(text: str) -> None:
    passes = not check("Task", task(retries={"backoff": text}))
    assert passes == bool(re.fullmatch(r"(?=.)(\d{1,8}d)?(\d{1,8}h)?(\d{1,8}m)?(\d{1,8}s)?", text))
    if passes:
        assert seconds(text) >= 0


@pytest.mark.parametrize(
    "text, expected", [("90s", 90), ("1h30m", 5400), ("30d", 2_592_000), ("1d1h1m1s", 90_061), ("0s", 0)]
)
def test_durations(text: str, expected: int) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "90", "1h 30m", "30m1h", "1.5h", "-1s", "never"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        seconds(text)


@pytest.mark.parametrize("text, expected", [("2GiB", 2 << 30), ("500MiB", 500 << 20), ("1024", 1024), (7, 7)])
def test_sizes(text: str | int, expected: int) -> None:
    assert size(text) == expected


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
TASK_KEYS = st.sampled_from([*schema("Task")["properties"]["spec"]["properties"], "nonsense", "x-note"])


@given(st.dictionaries(TASK_KEYS, VALUES, max_size=5))
def test_any_value_gives_complaints_and_never_an_exception(spec: dict[str, Any]) -> None:
    for complaint in check("Task", task(**spec)):
        assert complaint.message
        assert "\n" not in complaint.message + complaint.hint
