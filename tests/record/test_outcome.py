"""What the worker says of itself counts for more than an exit code, but cannot turn bad into good."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.run import Result, State
from reconciler.record.outcome import LONGEST, Told, interpret

OK = Result(State.SUCCEEDED, exit_code=0)
BAD = Result(State.FAILED, "ExitCode", 3)
NEVER_RAN = Result(State.FAILED, "PrepareFailed", 1)
TIMEOUT = Result(State.FAILED, "Timeout", last=True)
CANCELED = Result(State.CANCELED)
INVALID = Result(State.FAILED, "InvalidResult", 0)
BLOCKED = Result(State.BLOCKED, exit_code=0)


@pytest.mark.parametrize(
    "result, answer, blocked, told",
    [
        (OK, None, None, Told()),
        (OK, b"", None, Told()),
        (OK, b" \n", None, Told()),
        (OK, b"{}", None, Told()),
        (OK, b'{"summary": "done", "notes": "see wiki", "more": [1]}', None, Told("done", None, "see wiki")),
        (OK, b'\xef\xbb\xbf{"status": "succeeded", "summary": "done"}', None, Told("done")),
        (OK, b'{"status": "failed", "summary": "tests red"}', None, Told("tests red", INVALID)),
        (OK, b'{"status": "blocked", "summary": "which branch?"}', None, Told("which branch?", BLOCKED)),
        (OK, None, b"Which\n\nbranch?", Told("Which branch?", BLOCKED)),
        (OK, b'{"status": "succeeded", "summary": "done"}', b"Which branch?", Told("Which branch?", BLOCKED)),
        (OK, b'{"status": "blocked", "summary": "mine"}', b"file", Told("mine", BLOCKED)),
        (OK, b'{"status": "blocked"}', b"file", Told("file", BLOCKED)),
        (BLOCKED, None, b"Which branch?", Told("Which branch?")),
        (BAD, b'{"status": "succeeded", "summary": "fine, really"}', None, Told("fine, really")),
        (BAD, b'{"status": "failed", "summary": "no"}', None, Told("no")),
        (BAD, b'{"status": "blocked"}', None, Told("", Result(State.BLOCKED, "", 3))),
        (BAD, b"{", None, Told("{")),
        (TIMEOUT, b'{"status": "blocked"}', None, Told("", Result(State.BLOCKED, last=True))),
        (NEVER_RAN, None, b"old file", Told("old file")),
        (CANCELED, b'{"status": "blocked", "summary": "x"}', None, Told("x")),
        (Result(State.LOST, "Rebooted"), b'{"status": "succeeded", "summary": "x"}', None, Told("x")),
        (None, b'{"status": "failed", "summary": "x"}', None, Told("x")),
        (OK, b"all good", None, Told("all good", INVALID)),
        (OK, b"[1]", None, Told("[1]", INVALID)),
        (OK, b'{"status": "great"}', None, Told('{"status": "great"}', INVALID)),
        (OK, b'{"status": []}', None, Told('{"status": []}', INVALID)),
        (OK, b'{"summary": 7}', None, Told('{"summary": 7}', INVALID)),
        (OK, b"\xff\xfe", None, Told("��", INVALID)),
        (OK, b"nonsense", b"Which branch?", Told("Which branch?", BLOCKED)),
    ],
)
def test_told(result: Result | None, answer: bytes | None, blocked: bytes | None, told: Told) -> None:
    assert interpret(result, answer, blocked) == told


@pytest.mark.parametrize(
    "answer", [b"[" * 100_000, b'{"a":' * 100_000, b'{"summary": ' + b"9" * 100_000 + b"}"], ids=["[", "{", "9"]
)
def test_bombs_are_unreadable(answer: bytes) -> None:
    told = interpret(OK, answer, None)
    assert told.result == INVALID
    assert len(told.summary) == LONGEST


def test_nothing_in_a_summary_moves_the_cursor() -> None:
    told = interpret(OK, b'{"summary": "red \\u001b[31m\\ttab \\u202e \\ud800 \\u0000"}', None)
    assert told.summary == "red \\x1b[31m tab \\u202e \\ud800 \\x00"


@given(st.binary(max_size=200), st.binary(max_size=50))
def test_any_bytes(answer: bytes, blocked: bytes) -> None:
    told = interpret(OK, answer, blocked)
    assert len(told.summary) <= LONGEST
    assert not any(unicodedata.category(character) in ("Cc", "Cs") for character in told.summary)
