"""Controllers as processes that live, are killed, lose what they remember, and are started again."""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from reconciler.record.ledger import Ledger
from tests.e2e.fleet import Fleet
from tests.e2e.watching import ssh_of


class Controller:
    """`reconciler watch` with a state of its own. `log` has all that its processes wrote."""

    def __init__(self, fleet: Fleet, log: Path) -> None:
        self.fleet = fleet
        self.log = log
        self.killed = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def folder(self) -> Path:
        """Where its ledger and what it collected are."""
        return self.fleet.state / "fleets" / self.fleet.id

    @property
    def pid(self) -> int:
        """Of its process; 0 when there is none."""
        return self._process.pid if self._process else 0

    def start(self, *words: str) -> None:
        """Start it, unless it runs."""
        if self._process is None:
            self.tell(f"watch {' '.join(words)}")
            with self.log.open("ab") as log:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "reconciler", "watch", *words],
                    cwd=self.fleet.repo,
                    env=self.fleet.env(),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )

    def tell(self, command: str, said: str = "") -> None:
        """Keep in the log what another process of it did."""
        with self.log.open("a") as log:
            log.write(f"--- {time.time():.1f} {command}\n{said}")

    def listens(self) -> bool:
        """It has opened its ledger and takes requests."""
        door, lock = self.folder / "control.sock", self.folder / "controller.lock"
        return door.exists() and f"pid={self.pid}\n" in lock.read_text()

    def ended(self) -> int | None:
        """Its exit code when it has ended by itself since the last question."""
        code = self._process.poll() if self._process else None
        if code is not None:
            self._process = None
        return code

    def kill(self) -> None:
        """As the kernel does when memory is short: nothing is tidied up, its ssh processes may live on."""
        self.killed += self._process is not None
        self._end(signal.SIGKILL)

    def stop(self, seconds: float = 15) -> None:
        """Ask it to end; raises TimeoutExpired when it does not."""
        self._end(signal.SIGTERM, seconds)

    def _end(self, number: signal.Signals, seconds: float = 15) -> None:
        if self._process:
            self._process.send_signal(number)
            try:
                self._process.wait(seconds)
            finally:
                self._process.kill()
                self._process.wait()
                self._process = None

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it lives."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(number)

    def masters(self) -> list[int]:
        """Its shared ssh connections."""
        return [pid for pid, words in ssh_of(self.pid, self.fleet).items() if "[mux]" in words] if self.pid else []

    def forget(self) -> None:
        """Lose everything that it knew."""
        shutil.rmtree(self.fleet.state, ignore_errors=True)

    def save(self, copy: Path) -> None:
        """Keep a copy of everything that it knows; only while it does not run."""
        shutil.rmtree(copy, ignore_errors=True)
        if self.fleet.state.exists():
            shutil.copytree(self.fleet.state, copy, symlinks=True, ignore=shutil.ignore_patterns("*.sock"))

    def restore(self, copy: Path) -> None:
        """Go back to a copy."""
        if copy.exists():
            self.forget()
            shutil.copytree(copy, self.fleet.state, symlinks=True)

    def results(self) -> dict[str, str]:
        """Run → state of every ended run that its ledger knows."""
        with Ledger.open(self.folder / "ledger.db", readonly=True) as ledger:
            rows = ledger.run_rows(include_cleaned=True)
        return {row.name: row.state.value.lower() for row in rows}

    def new_to_the_fleet(self) -> bool:
        """It has not taken every host since it last met a foreign ledger: before that it starts nothing."""
        with Ledger.open(self.folder / "ledger.db", readonly=True) as ledger:
            return not ledger.memory().whole

    def collected(self, run: str, file: str) -> bytes:
        """What it brought home of a run."""
        with suppress(FileNotFoundError):
            return (self.folder / "runs" / run / file).read_bytes()
        return b""


def signal_all(pids: list[int], number: signal.Signals) -> None:
    """Send a signal to what still lives of them."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
