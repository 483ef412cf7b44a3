"""What `sh` leaves behind when a start fails: descriptors, and a child that nobody waits for.

It is found in the frame of its constructor, which the exception has kept; nothing else knows of it any more.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any

CHILD = ("_stdin_child_fd", "_stdout_child_fd", "_stderr_child_fd")
ERROR_PIPE = ("exc_pipe_read", "exc_pipe_write")
SESSION_PIPE = ("session_pipe_read", "session_pipe_write")


def reclaim(error: BaseException) -> None:
    """Close and reap what the failed start that raised `error` left; a second call would close what is another's."""
    for frame in _frames(error.__traceback__):
        process = frame.f_locals.get("self")
        if frame.f_code.co_name == "__init__" and type(process).__name__ == "OProc":
            for descriptor in _open(process, frame.f_locals, error):
                with suppress(OSError):
                    os.close(descriptor)
            _reap(getattr(process, "pid", None))


def _open(process: Any, names: dict[str, Any], error: BaseException) -> Iterator[int]:
    """Those that are surely still open: a number that was closed may be somebody else's by now."""
    child = getattr(process, "pid", None)
    if child is None:
        kept = [getattr(process, name, None) for name in CHILD] + [names.get(name) for name in ERROR_PIPE]
    elif type(error).__name__ == "ForkException":
        kept = []
    else:
        return  # the child was started, and with it everything was closed
    yield from (number for number in (*kept, *(names.get(name) for name in SESSION_PIPE)) if isinstance(number, int))


def _reap(child: int | None) -> None:
    """Of a child that failed to become the program, or that no thread could be had for."""
    if not child:
        return
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)
    with suppress(ProcessLookupError, PermissionError):
        os.kill(child, signal.SIGKILL)
    with suppress(ChildProcessError):
        os.waitpid(child, 0)


def _frames(trace: TracebackType | None) -> Iterator[FrameType]:
    while trace is not None:
        yield trace.tb_frame
        trace = trace.tb_next
