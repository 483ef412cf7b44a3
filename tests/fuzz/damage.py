"""Valid inputs, damaged: a list of edits is data, so that a failure shrinks to the fewest that matter. Pure."""

from collections.abc import Callable, Sequence
from random import Random
from typing import NamedTuple

# What no reader expects: numbers that fit nowhere, characters that terminals obey, names that lead elsewhere.
ODD = (
    *(b"", b"\0", b"\n", b"\r", b"\t", b" ", b"\x1b[2J\x1b]0;owned\x07", b"\xc2\x9b31m", b"\xff\xfe", b"\xed\xa0\x80"),
    *("\u202e\u2066\u2028\u0085\ufeff".encode(), "e\u0301\U0001f600".encode(), b"\\ud800", b'"', b"'", b"\\", b"%s{0}"),
    *(
        b"0",
        b"-1",
        b"1e999",
        b"-inf",
        b"nan",
        b"1" + b"0" * 30,
        b"9" * 5000,
        b"253402300800",
        b"-62135596801",
        b"\xc2\xb2",
    ),
    *(
        b"99999999999999999999",
        b"1e15",
        b"0x7fffffffffffffff",
        b"..",
        b"../../etc",
        b"/",
        b"-rf",
        b"=",
        b";",
        b":",
        b"~",
    ),
    *(
        b"{",
        b"}",
        b"[",
        b"]",
        b"[" * 3000,
        b"{" * 3000,
        b'{"a":' * 2000,
        b"- " * 500,
        b"? " * 200,
        b"&a",
        b"*a",
        b"!!x",
    ),
    *(b"true", b"null", b"---\n", b"...\n", b"%YAML 1.1\n---\n", b"<<: ", b"# ", b"| \n", b">-\n", b"x" * 70_000),
)


class Edit(NamedTuple):
    """One damage: where it begins (of 65,536), how much it takes, what it is, and a number for the rest."""

    kind: int
    place: int
    length: int
    chosen: int


def _cut(data: bytes, start: int, stop: int, edit: Edit, pool: Sequence[bytes]) -> bytes:
    return data[:start] + data[stop:]


def _end(data: bytes, start: int, stop: int, edit: Edit, pool: Sequence[bytes]) -> bytes:
    return data[:start]


def _put(data: bytes, start: int, stop: int, edit: Edit, pool: Sequence[bytes]) -> bytes:
    return data[:start] + pool[edit.chosen % len(pool)] + data[start:]


def _replace(data: bytes, start: int, stop: int, edit: Edit, pool: Sequence[bytes]) -> bytes:
    return data[:start] + pool[edit.chosen % len(pool)] + data[stop:]


def _flip(data: bytes, start: int, stop: int, edit: Edit, pool: Sequence[bytes]) -> bytes:
    return data[:start] + bytes(byte ^ (1 << edit.chosen % 8) for byte in data[start : start + 1]) + data[start + 1 :]


def _again(data: bytes, start: int, stop: int, edit: Edit, pool: Sequence[bytes]) -> bytes:
    return data[:start] + data[start:stop] * (2 + edit.chosen % 30) + data[stop:]


def _word(data: bytes, start: int, stop: int, edit: Edit, pool: Sequence[bytes]) -> bytes:
    """The word at that place becomes another: a number, a key, a name."""
    first = last = start
    while first and data[first - 1 : first].isalnum():
        first -= 1
    while data[last : last + 1].isalnum():
        last += 1
    return data[:first] + pool[edit.chosen % len(pool)] + data[last:]


def _swap(data: bytes, start: int, stop: int, edit: Edit, pool: Sequence[bytes]) -> bytes:
    lines = data.split(b"\n")
    one, other = edit.place % len(lines), edit.chosen % len(lines)
    lines[one], lines[other] = lines[other], lines[one]
    return b"\n".join(lines)


KINDS: tuple[Callable[[bytes, int, int, Edit, Sequence[bytes]], bytes], ...] = (
    *(_cut, _put, _word, _flip, _replace, _again, _swap, _end),
)
LARGEST = 300_000  # bytes; damage that multiplies stops there


def damaged(data: bytes, edits: Sequence[Edit], words: Sequence[bytes] = ()) -> bytes:
    """Takes an input, edits, and words of its language; returns it after the edits."""
    pool = (*words, *ODD)
    for edit in edits:
        start = edit.place * (len(data) + 1) >> 16
        stop = min(len(data), start + edit.length)
        data = KINDS[edit.kind % len(KINDS)](data, start, stop, edit, pool)[:LARGEST]
    return data


def any_edits(random: Random) -> list[Edit]:
    """A few edits, for the runs without Hypothesis."""
    return [
        Edit(random.randrange(8), random.randrange(1 << 16), random.choice((1, 3, 20, 400)), random.randrange(1 << 16))
        for _ in range(random.randrange(1, 6))
    ]
