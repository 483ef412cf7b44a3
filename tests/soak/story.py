"""What happens to a fleet in a long run, decided by a seed: work that comes and goes, and faults."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random

from tests.e2e.fleet import Fleet
from tests.e2e.watching import Watch
from tests.machines.machine import Machine

TASKS = 12  # in git at once
BAD = ("kind: [", "apiVersion: reconciler/v1\nkind: Task\nmetadata: {name: broken}\nspec: {runs: x}\n", "\0\n")


class Story:
    """Does one thing before each cycle, often nothing; `calm` undoes what hurts."""

    def __init__(self, fleet: Fleet, machines: Sequence[Machine], watch: Watch, seed: int) -> None:
        self.random = Random(seed)
        self.done: dict[str, int] = {}
        self._fleet, self._machines, self._watch = fleet, machines, watch
        self._tasks: list[str] = []
        self._number = 0
        self._reader: subprocess.Popen[bytes] | None = None
        self._cures: list[tuple[int, Callable[[], None]]] = []
        self._chapters: tuple[tuple[int, Callable[[], None]], ...] = (
            (120, self.add_task),
            (60, self.edit_task),
            (30, self.close_task),
            (12, self.bad_commit),
            (20, self.new_secret),
            (10, self.host_again),
            (25, self.hang_up),
            (20, self.kill_master),
            (8, self.kill_channel),
            (25, self.client_that_goes_away),
            (4, self.watching_client),
            (3, self.cut),
            (3, self.freeze),
            (2, self.reboot),
            (2000, self.nothing),
        )

    def next(self, cycle: int) -> None:
        """The next event, and the end of faults that have lasted."""
        for due, cure in [each for each in self._cures if each[0] <= cycle]:
            cure()
            self._cures.remove((due, cure))
        if cycle <= len(self._chapters):
            chosen = self._chapters[cycle - 1][1]  # each of them once, so that nothing happens for the first time later
        else:
            (chosen,) = self.random.choices([each[1] for each in self._chapters], [each[0] for each in self._chapters])
        if chosen.__name__ in ("cut", "freeze", "reboot") and self._cures and cycle > len(self._chapters):
            return
        self._cycle = cycle
        chosen()
        self.done[chosen.__name__] = self.done.get(chosen.__name__, 0) + 1

    def calm(self) -> None:
        """Everything heals, what is long ends, and git is tidy."""
        for _, cure in self._cures:
            cure()
        self._cures.clear()
        (self._fleet.repo / "tasks/broken.yaml").unlink(missing_ok=True)
        for name in self._tasks:
            self._fleet.task(name, "echo calm $SOAK_TOKEN", secrets=["SOAK_TOKEN"])
        self._commit()

    def close(self) -> None:
        if self._reader:
            self._reader.kill()
            self._reader.wait()

    # --- work -----------------------------------------------------------------------------------------------------

    def nothing(self) -> None: ...

    def add_task(self) -> None:
        self._number += 1
        name = f"work-{self._number}"
        self._tasks.append(name)
        self._write(name)
        while len(self._tasks) > TASKS:
            self._fleet.remove(f"tasks/{self._tasks.pop(0)}.yaml")
        self._commit()

    def edit_task(self) -> None:
        if self._tasks:
            self._write(self.random.choice(self._tasks))
            self._commit()

    def close_task(self) -> None:
        if self._tasks:
            self._fleet.task(self.random.choice(self._tasks), "echo closed", closed=True)
            self._commit()

    def _write(self, name: str) -> None:
        runs = ("echo $SOAK_TOKEN", "sleep 0.3; exit 3", "seq 2000", "sleep 600", "echo '{}' >answer.json")
        run = self.random.choices(runs, (6, 2, 2, 2, 1))[0]
        self._fleet.task(
            name, f"{run} # {self.random.random()}", secrets=["SOAK_TOKEN"], retries={"limit": 1, "backoff": "1s"}
        )

    def bad_commit(self) -> None:
        self._fleet.write("tasks/broken.yaml", self.random.choice(BAD))
        self._commit()
        self._cures.append((self._cycle + 3, self._mend))

    def _mend(self) -> None:
        (self._fleet.repo / "tasks/broken.yaml").unlink(missing_ok=True)
        self._commit()

    def new_secret(self) -> None:
        """A token that changes, as those of some hours do, in a file that secrets.yaml names."""
        give_token(self._fleet, f"token-{self.random.getrandbits(256):064x}")

    def host_again(self) -> None:
        """A Host document changes, as slots do."""
        machine = self.random.choice(self._machines)
        self._fleet.write(f"hosts/{machine.name}.yaml", host_yaml(machine, slots=self.random.randint(3, 6)))
        self._commit()

    def _commit(self) -> None:
        self._fleet.commit()

    # --- people and signals ---------------------------------------------------------------------------------------

    def hang_up(self) -> None:
        os.kill(self._watch.pid, signal.SIGHUP)

    def client_that_goes_away(self) -> None:
        """Somebody asks and leaves, or says nonsense, or nothing."""
        request = json.dumps({"allowPrune": False, "wait": True, "timeout": 1, "selector": {}}).encode() + b"\n"
        folder = os.open(next(self._watch.fleet.state.glob("fleets/*")), os.O_RDONLY)
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(f"/proc/self/fd/{folder}/control.sock")
            peer.sendall(self.random.choice((request, b"{]\n", b"")))
        os.close(folder)

    def watching_client(self) -> None:
        """`get -w`, until the next one comes."""
        self.close()
        words = ["-m", "reconciler", "get", "tasks", "-w"]
        self._reader = subprocess.Popen(
            [sys.executable, *words], cwd=self._fleet.repo, env=self._fleet.env(), stdout=subprocess.DEVNULL
        )

    # --- faults ---------------------------------------------------------------------------------------------------

    def kill_master(self) -> None:
        self._kill(lambda words: words.endswith(f".{self._watch.pid} [mux]"))

    def kill_channel(self) -> None:
        self._kill(lambda words: words.startswith("ssh -F") and str(self._fleet.state) in words)

    def _kill(self, wanted: Callable[[str], bool]) -> None:
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            except OSError:
                continue
            if wanted(words):
                found.append(int(entry.name))
        if found:
            with suppress(ProcessLookupError):
                os.kill(self.random.choice(sorted(found)), signal.SIGKILL)

    def cut(self) -> None:
        machine = self.random.choice(self._machines)
        machine.cut()
        self._cures.append((self._cycle + 2, machine.heal))

    def freeze(self) -> None:
        machine = self.random.choice(self._machines)
        machine.freeze()
        self._cures.append((self._cycle + 2, machine.thaw))

    def reboot(self) -> None:
        self.random.choice(self._machines).reboot()


def host_yaml(machine: Machine, slots: int = 4) -> str:
    return machine.host_yaml(minFree="1MiB", deadline="3s", slots=slots)


def give_token(fleet: Fleet, value: str) -> None:
    """Where the daemon gets SOAK_TOKEN from."""
    folder = fleet.room / "config/reconciler"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "token").write_text(f"{value}\n")
    (folder / "secrets.yaml").write_text("SOAK_TOKEN: {file: token}\n")
