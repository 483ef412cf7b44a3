"""Text as it reads once escapes are undone, and where each byte of it stands in what was written. Pure."""

import re
from bisect import bisect_right
from collections.abc import Callable
from typing import NamedTuple

# What JSON, C, Python and shells write for a byte or a character; a backslash before what needs none stands for that.
# JSON takes two for what is above U+FFFF.
ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|u\{[0-9a-fA-F]{1,6}\}"
    rb"|U[0-9a-fA-F]{8}|x[0-9a-fA-F]{2}|[0-7]{3}|[bfnrt]|[^A-Za-z0-9])",
    re.DOTALL,
)
PERCENT = re.compile(rb"%[0-9a-fA-F]{2}")
BREAK = re.compile(rb"\s+")
LETTERS = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t"}
DEEP = 6  # escapes within escapes: JSON that a tool printed, quoted in an answer, within an event …


class View(NamedTuple):
    """`text` as read. `pieces`: place in it, place in what it was read from, width there (0: the same bytes)."""

    text: bytes
    pieces: tuple[tuple[int, int, int], ...] = ((0, 0, 0),)
    below: "View | None" = None  # what it was read from, when that is a view itself

    def written(self, start: int, end: int) -> tuple[int, int]:
        """Takes a part of `text`, not an empty one; returns where it stands in what was written."""
        first, last = self._at(start)[0], self._at(end - 1)[1]
        return self.below.written(first, last) if self.below else (first, last)

    def _at(self, place: int) -> tuple[int, int]:
        here, there, width = self.pieces[bisect_right(self.pieces, (place, 1 << 62)) - 1]
        return (there, there + width) if width else (there + place - here, there + place - here + 1)


def unescaped(data: bytes) -> list[View]:
    """Takes text; returns it with escapes undone, once and as often as there are more, deepest last."""
    views: list[View] = []
    below = View(data)
    while b"\\" in below.text and len(views) < DEEP:
        below = _read(below, ESCAPE, _character)
        views.append(below)
    return views


def unquoted(view: View) -> View | None:
    """Takes text; returns it with `%2F` and the like undone, None when there is nothing to undo."""
    return _read(view, PERCENT, lambda found: bytes([int(found[0][1:], 16)])) if b"%" in view.text else None


def unbroken(view: View) -> View:
    """Takes text; returns it without blanks and line breaks."""
    return _read(view, BREAK, lambda found: b"")


def _read(below: View, pattern: re.Pattern[bytes], new: Callable[[re.Match[bytes]], bytes]) -> View:
    parts: list[bytes] = []
    pieces: list[tuple[int, int, int]] = []
    here = there = 0
    for found in pattern.finditer(below.text):
        if found.start() > there:
            pieces.append((here, there, 0))
            parts.append(below.text[there : found.start()])
            here += found.start() - there
        if part := new(found):
            pieces.append((here, found.start(), found.end() - found.start()))
            parts.append(part)
            here += len(part)
        there = found.end()
    pieces.append((here, there, 0))
    parts.append(below.text[there:])
    return View(b"".join(parts), tuple(pieces), below)


def _character(found: re.Match[bytes]) -> bytes:
    said = found[0][1:]
    if said[:1] in (b"u", b"U"):
        return _code(said)
    if said[:1] == b"x":
        return bytes([int(said[1:], 16)])
    if len(said) == 3:
        return bytes([int(said, 8) & 0xFF])
    return LETTERS.get(said, said)


def _code(said: bytes) -> bytes:
    """`u0041`, `u{41}`, `U00000041`, or a pair `ud83d\\udc26`; what is no character is left as it is written."""
    if len(said) == 11:
        high, low = int(said[1:5], 16), int(said[7:], 16)
        number = 0x10000 + ((high & 0x3FF) << 10) + (low & 0x3FF)
    else:
        number = int(said[1:].strip(b"{}"), 16)
    return chr(number).encode("utf-8", "surrogatepass") if number <= 0x10FFFF else b"\\" + said
