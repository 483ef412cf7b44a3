"""No control character of a host or worker reaches a terminal."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.show.escape import first_line, safe, safe_json, safe_lines

ANYTHING = st.text(st.characters(codec=None, categories=None, exclude_categories=()))


@pytest.mark.parametrize(
    ("given_text", "shown"),
    [
        ("plain ünïcode 漢字 👍", "plain ünïcode 漢字 👍"),
        ("red \x1b[31mtext", "red \\x1b[31mtext"),
        ("title \x1b]0;pwned\x07", "title \\x1b]0;pwned\\x07"),
        ("two\nlines\tand\rmore", "two\\nlines\\tand\\rmore"),
        ("c1 \x9b31m", "c1 \\x9b31m"),
        ("turned \u202eround", "turned \\u202eround"),
        ("half \ud800 pair", "half \\ud800 pair"),
        ("\x00\x7f", "\\x00\\x7f"),
    ],
)
def test_control_characters_are_spelled_out(given_text: str, shown: str) -> None:
    assert safe(given_text) == shown


def test_lines_keep_newlines_and_tabs_alone() -> None:
    assert safe_lines("a\tb\r\nc\x1b[0m\rd\n") == "a\tb\nc\\x1b[0m\\rd\n"


@pytest.mark.parametrize(
    ("text", "first"), [("", ""), ("\n \n", ""), ("\n one \n", "one"), ("one\ntwo", "one …"), ("\x1b[1mx", "\\x1b[1mx")]
)
def test_the_first_line_that_says_something(text: str, first: str) -> None:
    assert first_line(text) == first


@given(ANYTHING)
def test_nothing_unsafe_is_left(text: str) -> None:
    for shown in (safe(text), safe_lines(text).replace("\n", "").replace("\t", "")):
        assert not [c for c in shown if unicodedata.category(c) in ("Cc", "Cs")]
        shown.encode()


@given(ANYTHING)
def test_json_says_the_same_and_is_safe(text: str) -> None:
    written = safe_json(json.dumps({"k": text}, ensure_ascii=False))
    assert json.loads(written) == {"k": text}
    assert "\x1b" not in written
    written.encode()
