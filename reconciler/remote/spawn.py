"""Starts a program without a copy of this process: with the threads for 100 hosts, a copy costs `sh` some 20 ms."""

import os
import signal
from collections.abc import Mapping, Sequence
from typing import IO


class Spawned:
    """A program in a session of its own; `pid` is its process group, too."""

    def __init__(
        self,
        path: str,
        argv: Sequence[str],
        streams: Sequence[IO[bytes]],
        environment: Mapping[str, str] | None,
    ) -> None:
        """`streams`: its standard input, output and errors. Raises OSError."""
        self.exit_code = 0
        self.pid = os.posix_spawn(
            path,
            [path, *argv[1:]],
            dict(os.environ if environment is None else environment),
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
