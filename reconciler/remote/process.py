"""The one door to other programs, with real files for all three streams, a deadline and a size limit: spawn.py, and
`sh` for what needs a folder of its own.

What goes in and comes out may hold secrets, so nothing here logs a command line or an output, and what goes in, errors,
and little that comes out are kept in memory where the system has files there; more is a file without a name.
"""

import gc
import logging
import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any

from reconciler.remote.reclaim import reclaim
from reconciler.remote.scarcity import CannotStart, room, scarcity
from reconciler.remote.spawn import Spawned

LITTLE = 1 << 20  # bytes of output for which there is room in memory
CAP = 256 << 20  # bytes of output, above which a program is stopped and nothing is read
ERRORS_CAP = 64 << 10  # of them that anybody reads
NOISY = 8 << 20  # bytes of errors, above which a program is stopped: they are kept in memory
CHECK_SIZE = 0.25  # seconds between two looks at the size of the output

logging.getLogger("sh").setLevel(logging.CRITICAL)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended; `code` is negative for a signal. `expired`: we stopped it; `cut`: its output was too big."""

    code: int
    output: bytes
    errors: str
    expired: bool = False
    cut: bool = False


class Running:
    """A program that was started; `ended` is set when it is over, and `on_end` called."""

    def __init__(
        self,
        argv: Sequence[str],
        stdin: IO[bytes],
        stdout: IO[bytes],
        *,
        environment: Mapping[str, str] | None = None,
        directory: Path | None = None,
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        """Start `argv` in a session of its own. Raises CannotStart."""
        self.ended = threading.Event()
        self.code = 0
        self._on_end = on_end
        with ExitStack() as failing, scarcity(argv[0]):
            self.errors_file = failing.enter_context(_in_memory())
            self._process = _start(argv, stdin, stdout, self.errors_file, environment, directory)
            failing.callback(self._give_up)
            threading.Thread(target=self._wait, daemon=True, name=f"wait-{self._process.pid}").start()
            failing.pop_all()

    def _give_up(self) -> None:
        """It was started, and there is no thread to wait for it."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _wait(self) -> None:
        with suppress(RuntimeError):  # it has ended, and `sh` finds no thread to clean up behind it
            self._process.wait()
        self.code = int(self._process.exit_code)
        self.ended.set()
        self._on_end()

    def kill(self) -> None:
        """End it and all of its process group, and wait for that."""
        if not self.ended.is_set():
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self.ended.wait(5)

    def errors(self) -> str:
        """What it wrote to standard error so far, as much as anybody reads."""
        return os.pread(self.errors_file.fileno(), ERRORS_CAP, 0).decode(errors="replace")

    @property
    def noisy(self) -> bool:
        """Whether it has written more errors than it may."""
        return os.fstat(self.errors_file.fileno()).st_size > NOISY

    def close(self) -> None:
        """Kill what is left, and let go of its files."""
        self.kill()
        self.errors_file.close()


class Call:
    """A program that is given all of its input, and whose output is read once it has ended."""

    def __init__(
        self,
        argv: Sequence[str],
        stdin: bytes = b"",
        *,
        piped: bool = False,
        environment: Mapping[str, str] | None = None,
        directory: Path | None = None,
        cap: int = CAP,
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        """Start it. `piped`: it wants a pipe, because it shares its input with a child. Raises CannotStart."""
        self._cap = cap
        with ExitStack() as failing, scarcity(argv[0]):
            self._out = failing.enter_context(_in_memory() if cap <= LITTLE else _on_disk())
            with piped_input(stdin) if piped else _file_input(stdin) as source:
                self._running = Running(
                    argv, source, self._out, environment=environment, directory=directory, on_end=on_end
                )
            failing.pop_all()

    def wait(self, seconds: float) -> bool:
        """True when it has ended, or has written more than it may, within that time."""
        until = time.monotonic() + seconds
        while not self._running.ended.wait(max(0.0, min(CHECK_SIZE, until - time.monotonic()))):
            if self._too_big() or time.monotonic() >= until:
                return self._too_big()
        return True

    @property
    def over(self) -> bool:
        """It has ended by itself."""
        return self._running.ended.is_set()

    def kill(self) -> None:
        """Stop it now, from whatever thread; `end` is still to be called."""
        self._running.kill()

    def end(self) -> Ended:
        """Stop it if it runs, and tell how it went. The last thing to call."""
        stopped = not self._running.ended.is_set()
        try:
            self._running.kill()
            cut = self._too_big()
            output = b"" if cut else os.pread(self._out.fileno(), os.fstat(self._out.fileno()).st_size, 0)
            return Ended(self._running.code, output, self._running.errors(), stopped and not cut, cut)
        finally:
            self._running.close()
            self._out.close()

    def _too_big(self) -> bool:
        return os.fstat(self._out.fileno()).st_size > self._cap or self._running.noisy


def run(
    argv: Sequence[str],
    stdin: bytes = b"",
    *,
    deadline: float,
    piped: bool = False,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    cap: int = CAP,
) -> Ended:
    """Run a program for at most `deadline` seconds; its whole group is killed then. Raises CannotStart."""
    call = Call(argv, stdin, piped=piped, environment=environment, directory=directory, cap=cap)
    try:
        call.wait(deadline)
    finally:
        ended = call.end()
    return ended


def _file_input(data: bytes) -> IO[bytes]:
    with ExitStack() as failing:
        source = failing.enter_context(_in_memory())
        source.write(data)
        source.flush()
        source.seek(0)
        failing.pop_all()
    return source


def _on_disk() -> IO[bytes]:
    return tempfile.TemporaryFile()


def _in_memory() -> IO[bytes]:
    """A file that no disk ever sees, where the system has such."""
    if not hasattr(os, "memfd_create"):
        return _on_disk()
    return open(os.memfd_create("reconciler"), "w+b")  # noqa: PTH123 (the caller closes it)


def piped_input(data: bytes, *, keep: Callable[[IO[bytes]], None] = lambda end: end.close()) -> IO[bytes]:
    """The reading end of a pipe into which a thread writes `data`; `keep` then gets the writing end."""
    reading, writing = os.pipe()
    end = open(writing, "wb", buffering=0)  # noqa: SIM115, PTH123 (handed to `keep`)
    source = open(reading, "rb", buffering=0)  # noqa: SIM115, PTH123 (the caller closes it)

    def write() -> None:
        with suppress(BrokenPipeError, ValueError):
            view = memoryview(data)
            while view:
                view = view[end.write(view) :]
        keep(end)

    try:
        threading.Thread(target=write, daemon=True, name="stdin").start()
    except RuntimeError:
        end.close()
        source.close()
        raise
    return source


def find(program: str) -> str:
    """The path of a program. Raises CannotStart, each time anew: it may be installed, or removed, meanwhile."""
    if not os.access(_found(program), os.X_OK):
        _found.cache_clear()
    return _found(program)


@cache
def _found(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        raise CannotStart(f"{program} is not installed on this machine: install it and try again")
    return found


def _start(
    argv: Sequence[str],
    stdin: IO[bytes],
    stdout: IO[bytes],
    stderr: IO[bytes],
    environment: Mapping[str, str] | None,
    directory: Path | None,
) -> Any:
    path = find(argv[0])
    room()
    if directory is None:
        return Spawned(path, argv[1:], (stdin, stdout, stderr), environment)
    import sh  # a fifth of what a command that only talks to ssh would import

    options: dict[str, Any] = {"_env": dict(environment)} if environment is not None else {}
    try:
        return sh.Command(path)(
            *argv[1:],
            _in=stdin,
            _out=stdout,
            _err=stderr,
            _cwd=str(directory),
            _tty_in=False,
            _tty_out=False,
            _new_session=True,
            _bg=True,
            _bg_exc=False,
            _return_cmd=True,
            _ok_code=list(range(-64, 256)),
            _log_msg=lambda *_: argv[0],
            **options,
        ).process
    except (OSError, RuntimeError, sh.ForkException) as error:
        reclaim(error)
        if isinstance(error, sh.ForkException):
            raise CannotStart(f"{argv[0]} cannot be started: its start failed") from None
        raise
    finally:
        gc.enable()  # sh switches it off around the fork, and forgets to switch it on again when that fails
