"""A file's bytes become text, or it is said why they are none. Pure."""

import re
from typing import NamedTuple

LARGEST = 256 * 1024  # bytes
TOO_LARGE = "split it, or keep data elsewhere"

# What YAML refuses, and line breaks that YAML and editors count differently.
FORBIDDEN = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]|\r(?!\n)"
)
POINTER = b"version https://git-lfs.github.com/spec/"
CONFLICT = re.compile(r"^<{7} ", re.MULTILINE)


class Mark(NamedTuple):
    """A place in a file, from 1."""

    line: int
    column: int


class Unread(Exception):
    """The rest of the file cannot be read."""

    def __init__(self, mark: Mark, message: str, hint: str = "") -> None:
        self.mark, self.message, self.hint = mark, message, hint


def text(data: bytes) -> str:
    """Take the bytes of a file and return what they say, without a byte order mark. Raises Unread."""
    if len(data) > LARGEST:
        raise Unread(Mark(1, 1), f"the file has {len(data)} bytes, more than {LARGEST}", TOO_LARGE)
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in data[:2]:
        raise Unread(Mark(1, 1), "the file is not UTF-8", "save it as UTF-8")
    data = data.removeprefix(b"\xef\xbb\xbf")
    if data.startswith(POINTER):
        raise Unread(Mark(1, 1), "the file is in Git LFS, only a pointer to it is here", "keep it in git itself")
    try:
        said = data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        raise Unread(place_after(before), "the file is not UTF-8", "save it as UTF-8") from None
    found = FORBIDDEN.search(said)
    if found:
        code = f"{ord(found[0]):04X}"
        hint = "end lines with a line feed" if found[0] == "\r" else f'write it as "\\u{code}" in quotes, or remove it'
        raise Unread(place_after(said[: found.start()]), f"the character U+{code} is not allowed in a file", hint)
    return said


def place_after(before: str) -> Mark:
    """Take what stands before a character and return where that is."""
    return Mark(before.count("\n") + 1, len(before) - before.rfind("\n"))


def conflict(said: str) -> Unread | None:
    """Take a text that is no YAML and return where git left a merge conflict in it, if it did."""
    found = CONFLICT.search(said)
    if not found:
        return None
    return Unread(place_after(said[: found.start()]), "a merge conflict is left in the file", "resolve it")
