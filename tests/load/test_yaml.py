"""The YAML door: a strict subset, YAML 1.2 values, and nothing that can crash it."""

from io import BytesIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from reconciler.load.documents import parse_file
from reconciler.load.yaml import locate, read

VALUES = {
    "no": "no",
    "yes": "yes",
    "on": "on",
    "true": True,
    "False": False,
    "~": None,
    "null": None,
    "Null": None,
    "10": 10,
    "-7": -7,
    "+7": 7,
    "010": 10,
    "0o17": 15,
    "0xff": 255,
    "1_000": "1_000",
    "1.5": 1.5,
    "1e3": 1000.0,
    ".5": 0.5,
    "1:30": "1:30",
    "2026-01-01": "2026-01-01",
    "2026-01-01T10:00:00Z": "2026-01-01T10:00:00Z",
    "9007199254740991": 9007199254740991,
    '"10"': "10",
    "'true'": "true",
    '""': "",
    "=": "=",
}


@pytest.mark.parametrize("text, value", VALUES.items())
def test_a_plain_value_means_what_yaml_1_2_says(text: str, value: Any) -> None:
    reading = read(f"a: {text}\n".encode())
    assert not reading.faults
    assert reading.contents[0].value == {"a": value}
    assert type(reading.contents[0].value["a"]) is type(value)


@pytest.mark.parametrize(
    "text, value",
    [
        ("a: {url: https://example.org/a:b, n: 1}", {"url": "https://example.org/a:b", "n": 1}),
        ("a: [x:y, {b: claude:opus}]", ["x:y", {"b": "claude:opus"}]),
        ("a: {t: 10:30, b: 'c', d: true}", {"t": "10:30", "b": "c", "d": True}),
    ],
)
def test_a_colon_between_braces_is_text_as_yaml_1_2_says(text: str, value: Any) -> None:
    before, after = "x: |\n  one\n---\n", "\n---\nz: {b: [c]}\n"
    data = f"{before}{text}{after}".encode()
    reading = read(data)
    assert not reading.faults
    assert reading.whole
    assert [content.value for content in reading.contents] == [{"x": "one\n"}, {"a": value}, {"z": {"b": ["c"]}}]
    assert [tuple(places[()]) for places in locate(data)] == [(1, 1), (4, 1), (6, 1)]


def test_what_is_wrong_behind_such_a_colon_is_found_where_it_is() -> None:
    reading = read(b"a: {u: https://x}\nb: &c d\ne: [\n")
    assert [(fault.mark.line, fault.message) for fault in reading.faults] == [
        (2, "anchors are refused"),
        (4, "this is no YAML: expected the node content, but found '<stream end>'"),
    ]


def test_documents_know_their_lines_and_empty_ones_are_left_out() -> None:
    reading = read(b"# first\n---\na: 1\n---\n---\n\nb: 2\n---\n")
    assert [(content.value, content.mark.line) for content in reading.contents] == [({"a": 1}, 3), ({"b": 2}, 7)]
    assert reading.whole


def test_places_are_those_of_keys_and_items() -> None:
    (places,) = locate("a:\n  - x\n  - {b: 1, ü: 2}\nc: [d]\n".encode())
    assert {path: tuple(mark) for path, mark in places.items()} == {
        (): (1, 1),
        ("a",): (1, 1),
        ("a", 0): (2, 5),
        ("a", 1): (3, 5),
        ("a", 1, "b"): (3, 6),
        ("a", 1, "ü"): (3, 12),
        ("c",): (4, 1),
        ("c", 0): (4, 5),
    }


def test_windows_line_ends_give_the_same_script() -> None:
    text = b"run: |\n  a\n  b\n"
    assert read(text.replace(b"\n", b"\r\n")).contents[0].value == read(text).contents[0].value


@given(st.binary(max_size=2000))
@settings(max_examples=300)
def test_no_bytes_can_crash_it(data: bytes) -> None:
    parsed = parse_file("f.yaml", "0" * 40, data)
    assert parsed.documents or parsed.problems


SIGNS = [*"[]{}:,-?&*!|>'\"%@`#\n\t \\~<=\r", "- ", ": ", "? ", "\n  ", "\n\n", "---\n", "...\n", "&a", "*a", "!!str"]
WORDS = ["a", "1", "é", "name", "env:", "spec:\n", "  run: x\n", "metadata: {name: a}\n", "kind: Task\n"]
PIECES = st.sampled_from([*SIGNS, *WORDS, "apiVersion: reconciler/v1\n"])


@given(st.lists(PIECES, max_size=120).map("".join))
@settings(max_examples=1500)
def test_no_yaml_can_crash_it_and_every_problem_has_a_place(text: str) -> None:
    parsed = parse_file("f.yaml", "0" * 40, text.encode())
    assert parsed.documents or parsed.problems
    lines = text.count("\n") + 1
    assert all(1 <= problem.line <= lines and problem.column >= 1 for problem in parsed.problems)


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(st.characters(codec="ascii"), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcdefgh", min_size=1), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text("abcdefgh", min_size=1), PLAIN, min_size=1, max_size=5))
@settings(max_examples=200)
def test_what_another_writer_writes_is_read_back(value: dict[str, Any]) -> None:
    stream = BytesIO()
    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style = False
    writer.dump(value, stream)
    reading = read(stream.getvalue())
    if not reading.faults:  # it may use what is refused, such as anchors
        assert reading.contents[0].value == value
