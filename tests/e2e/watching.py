"""A `reconciler watch` that a test can read along with."""

import json
import signal
import subprocess
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.e2e.fleet import Fleet
from tests.waiting import until


class Watch:
    """A daemon of a fleet, as a context manager; its log lines as they come, as JSON or text."""

    def __init__(self, fleet: Fleet, *words: str) -> None:
        self.fleet = fleet
        self.words = words
        self.lines: list[str] = []

    def __enter__(self) -> "Watch":
        self.process: subprocess.Popen[str] = self.fleet.start("watch", *self.words)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        until(lambda: self._listens() or self.process.poll() is not None, every=0.02)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def _listens(self) -> bool:
        """It holds the fleet, and takes requests and signals."""
        for lock in self.fleet.state.glob("fleets/*/controller.lock"):
            door = lock.with_name("control.sock")
            if f"pid={self.process.pid}\n" in lock.read_text() and door.exists():
                return door.stat().st_mtime >= lock.stat().st_mtime
        return False

    def _read(self) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            self.lines.append(line.rstrip())

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def log(self) -> str:
        """Everything it said so far."""
        return "\n".join(self.lines)

    def entries(self) -> list[dict[str, Any]]:
        """Its lines, of `--log-format json`."""
        return [json.loads(line) for line in list(self.lines)]

    def says(self, text: str, timeout: float = 20) -> None:
        """Wait until it has said that."""
        end = time.monotonic() + timeout
        while text not in self.log:
            assert self.process.poll() is None, f"it has ended:\n{self.log}"
            assert time.monotonic() < end, f"it did not say {text!r} within {timeout} s:\n{self.log}"
            time.sleep(0.02)

    def end(self, number: signal.Signals = signal.SIGTERM, timeout: float = 5) -> int:
        """Ask it to end, within that time; its exit code."""
        self.process.send_signal(number)
        return self.ended(timeout)

    def ended(self, timeout: float = 20) -> int:
        """Its exit code, when it ends by itself."""
        code = self.process.wait(timeout)
        self._reader.join(5)
        return code


def ssh_of(pid: int, fleet: Fleet) -> dict[int, str]:
    """ssh processes of a daemon, with their command lines: its calls, channels and masters."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if "ssh" in words.partition(" ")[0] and (str(fleet.state) in words or f".{pid} " in words):
            found[int(entry.name)] = words
    return found
