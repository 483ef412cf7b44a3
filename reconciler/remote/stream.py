"""Programs that run for long: one whose output is read as it comes, and one that has the user's own terminal."""

import os
import select
import signal
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO

from reconciler.remote.process import Ended, Running, find, piped_input
from reconciler.remote.scarcity import scarcity

READ = 8192  # bytes at once


class Stream:
    """A program that runs until its input ends, and whose output is read as it comes."""

    def __init__(
        self,
        argv: Sequence[str],
        head: bytes,
        *,
        environment: Mapping[str, str] | None = None,
        directory: Path | None = None,
    ) -> None:
        """Start it, and write `head` to its input, which then stays open. Raises CannotStart."""
        self._guard = threading.Lock()
        self._stdin: IO[bytes] | None = None
        self._closed = False
        # Kept, for a block as large as all that could come, asked for each time and then cut to what came, leaves holes
        # that nothing fits in: a daemon with 20 hosts lost 20 MiB to them in 1,000 cycles.
        self._buffer = memoryview(bytearray(READ))
        with ExitStack() as failing, scarcity(argv[0]):
            self._out, writing = os.pipe()
            failing.callback(os.close, self._out)
            with open(writing, "wb", buffering=0) as out, piped_input(head, keep=self._keep) as source:  # noqa: PTH123
                failing.callback(self._hang_up)
                self._running = Running(argv, source, out, environment=environment, directory=directory)
            failing.pop_all()

    def _keep(self, end: IO[bytes]) -> None:
        with self._guard:
            self._stdin = end
            if self._closed:
                end.close()

    def read(self, seconds: float) -> bytes | None:
        """What has come within that time: None for nothing yet, empty at the end."""
        waiting = select.poll()  # `select` takes no descriptor above 1023
        waiting.register(self._out, select.POLLIN)
        if not waiting.poll(seconds * 1000):
            return None
        return bytes(self._buffer[: os.readv(self._out, [self._buffer])])

    def send(self, data: bytes) -> None:
        """Write a little to its input, from whatever thread. Raises OSError when that is closed, or not open yet."""
        with self._guard:
            if self._stdin is None or self._closed:
                raise OSError("its input is not open")
            self._stdin.write(data)

    @property
    def noisy(self) -> bool:
        """Whether it has written more errors than it may."""
        return self._running.noisy

    def kill(self) -> None:
        """Stop it now, from whatever thread; `close` is still to be called."""
        self._running.kill()

    def close(self, grace: float = 0.5) -> Ended:
        """End its input, wait a little, kill its group; tell how it went. The last thing to call."""
        self._hang_up()
        stopped = not self._running.ended.wait(grace)
        try:
            self._running.kill()
            return Ended(self._running.code, b"", self._running.errors(), stopped)
        finally:
            self._running.close()
            os.close(self._out)

    def _hang_up(self) -> None:
        with self._guard:
            self._closed = True
            if self._stdin:
                self._stdin.close()


def interactive(argv: Sequence[str], *, environment: Mapping[str, str] | None = None) -> int:
    """Run a program on the user's own terminal; its exit code, 128 + n for a signal. Raises CannotStart."""
    find(argv[0])
    handler = None
    with suppress(ValueError):  # not the main thread
        handler = signal.signal(signal.SIGINT, lambda *_: None)  # the program decides what ctrl-c means
    try:
        code = os.spawnvpe(os.P_WAIT, argv[0], list(argv), dict(environment or os.environ))  # noqa: S606
    finally:
        if handler is not None:
            signal.signal(signal.SIGINT, handler)
    return 128 - code if code < 0 else code
