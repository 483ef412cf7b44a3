"""Questions over an open channel: its host reports at once, without another ssh and another bash there."""

import threading
from collections.abc import Callable

from reconciler.remote.frames import Answer, Frame

PREFIX, LAST = "look/", "looked"  # how the frames of a report are called, and what follows them: number and exit code
MOST = 16  # frames of a report


class Line:
    """One open channel, for those who ask. A host that does not answer is not asked again until it says something."""

    def __init__(self, send: Callable[[bytes], None], largest: int) -> None:
        """`send` writes to the channel and raises OSError when that is over; `largest`: bytes of an answer."""
        self._send = send
        self._largest = largest
        self._news = threading.Condition()
        self._number = 0
        self._frames: list[Frame] = []
        self._size = 0
        self._answer: Answer | None = None
        self._waiting = False
        self._usable = True

    def ask(self, seconds: float) -> Answer | None:
        """The host's report, made after the question; None when none comes within `seconds`, or somebody else asks."""
        with self._news:
            if self._waiting or not self._usable:
                return None
            self._number += 1
            self._answer, self._waiting = None, True
        try:
            self._send(b"%d\n" % self._number)
        except OSError:
            seconds = 0.0
        with self._news:
            self._news.wait_for(lambda: self._answer is not None or not self._usable, seconds)
            self._waiting = False
            self._usable = self._usable and self._answer is not None
            return self._answer

    def heard(self, name: str, value: bytes) -> bool:
        """Takes a frame as it comes; returns whether it belongs to a report."""
        with self._news:
            self._usable = True
            if name == LAST:
                self._complete(value)
            elif name.startswith(PREFIX):
                self._size += len(value)
                if self._size <= self._largest and len(self._frames) < MOST:
                    self._frames.append((name.removeprefix(PREFIX), value))
            else:
                return False
        return True

    def close(self) -> None:
        """The channel is over."""
        with self._news:
            self._usable = False
            self._send = _closed
            self._news.notify_all()

    def _complete(self, value: bytes) -> None:
        """The frames so far are a report: of the question under way, or else of one for which nobody waits any more."""
        frames, whole = self._frames, self._size <= self._largest
        self._frames, self._size = [], 0
        number, _, code = value.partition(b" ")
        asked = self._waiting and number == b"%d" % self._number and code.isdigit()
        if asked and whole and len(dict(frames)) == len(frames):
            self._answer = Answer(tuple(frames), int(code))
            self._news.notify_all()


def _closed(_: bytes) -> None:
    raise OSError("the channel is over")
