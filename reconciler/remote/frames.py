"""What goes over the wire (docs/protocol.md): fields on the way out, frames on the way back. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from reconciler.remote.why import clean

LONGEST_LINE = 1024  # a header line is a nonce, a name and a number
LARGEST_FRAME = 1 << 30
LONGEST_SENTENCE = 400  # characters of what a host says to people

_KEY = re.compile(r"[A-Za-z0-9._-]+\Z")
_FRAME = re.compile(rb"frame ([A-Za-z0-9._/@-]+) ([0-9]{1,10})\Z")
_END = re.compile(rb"end ([0-9]{1,3})\Z")

Frame = tuple[str, bytes]
Fields = Sequence[tuple[str, bytes | str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer: its frames in order, and the exit code of its last line."""

    frames: tuple[Frame, ...]
    code: int

    def first(self, name: str) -> bytes | None:
        """The data of the first frame called `name`, or None."""
        return next((data for label, data in self.frames if label == name), None)

    def text(self, name: str) -> str:
        """The same as text; empty without such a frame, `\\ufffd` for what is no UTF-8."""
        return (self.first(name) or b"").decode(errors="replace")

    def sentence(self, name: str) -> str:
        """The same for people: one line, without control characters, and short whatever was sent."""
        return clean((self.first(name) or b"")[: 4 * LONGEST_SENTENCE].decode(errors="replace"), LONGEST_SENTENCE)


def encode(fields: Fields, nonce: str) -> bytes:
    """The payload of a call: a head line with the nonce, then each field with its size.

    Raises ValueError for a key that no script could read and for a value with a NUL byte.
    """
    parts = []
    for key, value in fields:
        data = value.encode(errors="surrogatepass") if isinstance(value, str) else value
        if not _KEY.match(key) or b"\0" in data:
            raise ValueError(f"the field {key!r} cannot travel")
        parts.append(b"%s %d\n%s\n" % (key.encode(), len(data), data))
    body = b"".join(parts)
    return b"%s %d\n%s" % (nonce.encode(), len(body), body)


def decode(output: bytes, nonce: str) -> Answer | None:
    """The answer in everything a call wrote to its standard output; None when it has no valid end: unknown.

    No script writes two frames of one name: of an answer that has some, nobody knows which one is meant.
    """
    reader = Reader(nonce)
    frames = reader.feed(output)
    if reader.code is None or len(dict(frames)) < len(frames):
        return None
    return Answer(tuple(frames), reader.code)


class Reader:
    """Takes an answer apart as it arrives. `code` is set by its last line; what is `broken` stays without one."""

    def __init__(self, nonce: str, largest: int = LARGEST_FRAME) -> None:
        self._nonce = nonce.encode()
        self._largest = largest
        self._buffer = bytearray(b"\n")  # the begin line may be the very first
        self._at = 0
        self.begun = False
        self.broken = False
        self.code: int | None = None

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that `data` completes."""
        if self.broken or self.code is not None:
            return []
        self._buffer += data
        if not self.begun and not self._begin():
            return []
        frames = []
        while not self.broken and self.code is None and (frame := self._next()):
            frames.append(frame)
        del self._buffer[: self._at]
        self._at = 0
        return frames

    def _begin(self) -> bool:
        line = b"\n%s begin\n" % self._nonce
        at = self._buffer.find(line)
        if at < 0:  # noise; the line may have arrived in part
            del self._buffer[: -len(line)]
            return False
        self.begun = True
        self._at = at + len(line)
        return True

    def _next(self) -> Frame | None:
        """The next whole frame, or None: more is needed, or it was the end, or nonsense."""
        end = self._buffer.find(b"\n", self._at, self._at + LONGEST_LINE)
        if end < 0:
            self.broken = len(self._buffer) - self._at >= LONGEST_LINE
            return None
        nonce, _, rest = bytes(self._buffer[self._at : end]).partition(b" ")
        if nonce == self._nonce and (found := _END.match(rest)) and int(found[1]) <= 255:
            self.code = int(found[1])
            return None
        found = _FRAME.match(rest)
        if nonce != self._nonce or not found or int(found[2]) > self._largest:
            self.broken = True
            return None
        start, size = end + 1, int(found[2])
        stop = start + size
        if len(self._buffer) <= stop:  # the line feed after the data is needed too
            return None
        if self._buffer[stop] != 10:
            self.broken = True
            return None
        self._at = stop + 1
        return found[1].decode(), bytes(self._buffer[start:stop])
