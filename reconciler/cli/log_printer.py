"""Log bytes on their way to a terminal or a pipe."""

import sys
from collections.abc import Callable, Sequence
from io import BytesIO


class Printer:
    """Writes log bytes on; on a terminal their control characters are spelled out."""

    def __init__(self, streams: Sequence[str], tail: int | None) -> None:
        """`tail`: of what is there at first, print only so many lines."""
        self.offsets = dict.fromkeys(streams, 0)
        self.wrote = False
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

    def show(self, scrub: Callable[[bytes], bytes]) -> None:
        """Print the whole lines that came; the first time only the last of them when a tail is wanted."""
        for stream, data in self._held.items():
            shown = data if self._tail is None else _last(data, self._tail)
            end = shown.rfind(b"\n") + 1
            self._write(stream, scrub(shown[:end]))
            self._held[stream] = shown[end:]
        self._tail = None

    def finish(self, scrub: Callable[[bytes], bytes]) -> None:
        """Print what is left of lines that never ended."""
        for stream, data in self._held.items():
            self._write(stream, scrub(data))
            self._held[stream] = b""

    def _write(self, stream: str, data: bytes) -> None:
        target = sys.stderr if stream == "stderr" and not self._alone else sys.stdout
        if not data:
            return
        if target.isatty():
            from reconciler.show.escape import safe_lines

            data = safe_lines(data.decode(errors="replace")).encode()
        target.buffer.write(data)
        target.flush()


def _last(data: bytes, count: int) -> bytes:
    lines = BytesIO(data).readlines()
    return b"".join(lines[max(0, len(lines) - count) :])
