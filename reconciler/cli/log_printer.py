"""Log bytes on their way to a terminal or a pipe."""

import sys
from collections.abc import Callable, Sequence
from io import BytesIO

Scrub = Callable[[bytes], bytes]
Line = Callable[[str], str]


class Printer:
    """Writes log bytes on; on a terminal their control characters are spelled out.

    `line`, once it is known, makes readable text of each line of an agent's events; what it has no word for is left
    out. Without it events are printed as they are.
    """

    def __init__(self, streams: Sequence[str], tail: int | None) -> None:
        """`tail`: of what is there at first, print only so many lines."""
        self.offsets = dict.fromkeys(streams, 0)
        self.wrote = False
        self.line: Line | None = None
        self._tail = tail
        self._held = dict.fromkeys(streams, b"")  # a line that has not ended, or all of it while only a tail is wanted
        self._alone = len(streams) == 1

    def take(self, portions: dict[str, bytes]) -> bool:
        """Take bytes that follow what came before; says whether there were any."""
        for stream, data in portions.items():
            self.offsets[stream] += len(data)
            self._held[stream] += data
            self.wrote = self.wrote or bool(data)
        return any(portions.values())

    def show(self, scrub: Scrub, whole: Callable[[bytes], int] = lambda data: data.rfind(b"\n") + 1) -> None:
        """Print the whole lines that came; the first time only the last of them when a tail is wanted.

        `whole`: how many of some bytes are lines that can be shown now.
        """
        for stream, data in self._held.items():
            end = whole(data)
            shown = self._worded(stream, data[:end], scrub)
            self._held[stream] = data[end:]
            if self._tail is not None:
                # The line that has not ended is one of the last, too.
                shown = last(shown, max(0, self._tail - bool(data[end:])))
                self._held[stream] = data[end:] if self._tail else b""
            self._write(stream, shown)
        self._tail = None

    def finish(self, scrub: Scrub) -> None:
        """Print what is left of lines that never ended."""
        for stream, data in self._held.items():
            self._write(stream, self._worded(stream, data, scrub))
            self._held[stream] = b""

    def _worded(self, stream: str, data: bytes, scrub: Scrub) -> bytes:
        data = scrub(data)
        if stream != "events" or self.line is None:
            return data
        return scrub(readable(data, self.line))  # again: JSON can spell a value in many ways

    def _write(self, stream: str, data: bytes) -> None:
        write(data, error=stream == "stderr" and not self._alone)


def readable(data: bytes, line: Line) -> bytes:
    """Take lines of events and what words one of them; return what they say, made safe, nothing for the others."""
    from reconciler.show.escape import safe_lines

    said = (line(text) for text in data.decode(errors="replace").split("\n") if text.strip())
    return "".join(f"{safe_lines(text).rstrip()}\n" for text in said if text.strip()).encode()


def write(data: bytes, *, error: bool = False) -> None:
    """Write bytes to standard output or standard error."""
    target = sys.stderr if error else sys.stdout
    if not data:
        return
    if target.isatty():
        from reconciler.show.escape import safe_lines

        data = safe_lines(data.decode(errors="replace")).encode()
    target.buffer.write(data)
    target.flush()


def last(data: bytes, count: int) -> bytes:
    """The last lines of it."""
    lines = BytesIO(data).readlines()
    return b"".join(lines[max(0, len(lines) - count) :])
