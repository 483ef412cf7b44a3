"""Events of agents on their way to a terminal: readable, harmless, and complete lines only."""

import json

import pytest

from reconciler.cli.log_printer import Printer, last, readable
from reconciler.cli.log_sources import tool_of


def said(text: str) -> str:
    """A tool whose events are texts in quotes, and objects that say nothing."""
    value = json.loads(text)
    return value if isinstance(value, str) else ""


def events(*values: object) -> bytes:
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


@pytest.mark.parametrize(
    ("lines", "shown"),
    [
        (events("reads a file", {"type": "step"}, "edits it"), "reads a file\nedits it\n"),
        (events("clears\x1b[2J the\rscreen"), "clears\\x1b[2J the\\rscreen\n"),
        (events("two\nlines\n"), "two\nlines\n"),
        (events({}, [], ""), ""),
        (b"\n\n", ""),
    ],
)
def test_events_become_readable_lines(lines: bytes, shown: str) -> None:
    assert readable(lines, said).decode() == shown


def same(data: bytes) -> bytes:
    return data


def test_an_event_is_shown_once_its_line_is_whole(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    printer = Printer(("events", "stdout", "stderr"), None)
    printer.line = said
    whole = events("one", "two")
    for portion, shown in ((whole[:8], b"one\n"), (whole[8:-1], b""), (whole[-1:], b"two\n")):
        printer.take({"events": portion, "stdout": b"", "stderr": b""})
        printer.show(same)
        assert capsysbinary.readouterr().out == shown
    assert printer.offsets == {"events": len(whole), "stdout": 0, "stderr": 0}


def test_what_a_worker_says_beside_its_events_stays_as_it_is(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    printer = Printer(("events", "stdout", "stderr"), None)
    printer.line = said
    printer.take({"events": events("one"), "stdout": b'"plain"\n', "stderr": b'"oops"\n'})
    printer.show(same)
    printer.finish(same)
    assert capsysbinary.readouterr() == (b'one\n"plain"\n', b'"oops"\n')


def test_the_tail_counts_the_lines_that_are_shown(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    printer = Printer(("events", "stdout"), 2)
    printer.line = said
    printer.take({"events": events("one", "two", "three", {}, {}, {}), "stdout": b"a\nb\nc\nd"})
    printer.show(same)
    printer.take({"events": events("four"), "stdout": b""})
    printer.show(same)
    printer.finish(same)
    assert capsysbinary.readouterr().out == b"two\nthree\nc\nfour\nd"


def test_events_are_raw_when_asked_for_and_when_nobody_knows_the_tool(
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    printer = Printer(("events",), None)
    printer.take({"events": events("one", {"a": 1})})
    printer.show(same)
    assert capsysbinary.readouterr().out == b'"one"\n{"a": 1}\n'


def test_a_secret_is_masked_before_and_after_it_is_made_readable(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    printer = Printer(("events", "stdout"), None)
    printer.line = said
    printer.take({"events": events("key hunter2222") + b'"\\u0068unter2222"\n', "stdout": b"hunter2222\n"})
    printer.show(lambda data: data.replace(b"hunter2222", b"*" * 10))
    stars = b"*" * 10
    assert capsysbinary.readouterr().out == b"key %b\n%b\n%b\n" % (stars, stars, stars)


@pytest.mark.parametrize(
    ("asked", "tool"),
    [
        (None, ""),
        (b"", ""),
        (b"{", ""),
        (b"[]", ""),
        (b'{"tool": 1}', ""),
        (b"{}", ""),
        (b'{"tool": "codex"}', "codex"),
    ],
)
def test_the_tool_comes_from_what_was_asked(asked: bytes | None, tool: str) -> None:
    assert tool_of(asked) == tool


@pytest.mark.parametrize(("count", "end"), [(0, b""), (1, b"c"), (2, b"b\nc"), (9, b"a\nb\nc")])
def test_the_last_lines(count: int, end: bytes) -> None:
    assert last(b"a\nb\nc", count) == end
