"""Starts a program without a copy of this process: with the threads for 100 hosts, a copy costs `sh` some 20 ms.

And nothing of ours runs in the child, where other threads may have held locks when it was copied.
"""

import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO

OPEN_FILES = Path("/dev/fd")


class Spawned:
    """A program in a session of its own; `pid` is its process group, too."""

    def __init__(
        self,
        path: str,
        arguments: Sequence[str],
        streams: Sequence[IO[bytes]],
        environment: Mapping[str, str] | None,
    ) -> None:
        """`streams`: its standard input, output and errors; it gets no other file. Raises OSError."""
        _keep_what_was_open()
        self.exit_code = 0
        self.pid = os.posix_spawn(
            path,
            [path, *arguments],
            os.environ if environment is None else environment,
            file_actions=[(os.POSIX_SPAWN_DUP2, stream.fileno(), number) for number, stream in enumerate(streams)],
            setsid=True,
            setsigmask=(),
            setsigdef=(signal.SIGPIPE, signal.SIGXFSZ),  # Python ignores them
        )

    def wait(self) -> int:
        """Wait for its end; its exit code, negative for a signal. One thread calls it, once."""
        _, status = os.waitpid(self.pid, 0)
        self.exit_code = os.waitstatus_to_exitcode(status)
        return self.exit_code


@cache
def _keep_what_was_open() -> None:
    """Whoever started us may have left files open, a lock for example: no ssh that stays is to hold them.

    What Python opens itself is never handed on.
    """
    for name in os.listdir(OPEN_FILES):  # noqa: PTH208 (names, for numbers)
        with suppress(OSError):  # the folder itself
            if int(name) > 2:
                os.set_inheritable(int(name), False)
