"""What really happens, told by those who cannot be wrong: workers' own diary, and the kernel's list of processes."""

import itertools
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.machines.machine import Machine

EVERY = 0.25  # seconds between two looks


@dataclass(frozen=True)
class Entry:
    """A worker of `run` began (`+`) or ended by itself (`-`)."""

    sign: str
    at: float
    host: str
    run: str

    @property
    def task(self) -> str:
        return self.run.rsplit("-", 2)[0]


@dataclass(frozen=True)
class Marked:
    """A process of a run; `born` tells it from others that have its pid later."""

    run: str
    host: str
    pid: int
    born: str

    def lives(self) -> bool:
        return born(self.pid) == self.born


@dataclass
class Truth:
    """`violations` are broken promises, in sentences. `wiped` and `amnesia`: when hosts and controllers forgot."""

    diary: Path
    violations: list[str] = field(default_factory=list)
    results: dict[tuple[str, str], tuple[str, float]] = field(default_factory=dict)  # (workspace, run) -> text, seen at
    wiped: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    amnesia: list[float] = field(default_factory=list)
    overlaps: set[str] = field(default_factory=set)  # tasks that ask for another attempt beside an unseen one
    excused: set[str] = field(default_factory=set)

    def entries(self) -> list[Entry]:
        """The diary so far."""
        lines = [line.split() for line in self.diary.read_text().splitlines()]
        return [Entry(sign, float(at), host, run) for sign, at, host, run in lines]

    def violation(self, text: str) -> None:
        """A promise is broken; said once."""
        if text not in self.violations:
            self.violations.append(text)

    def nobody_knew(self, host: str, since: float, until: float) -> bool:
        """Whether the host was wiped in that time, and the one controller that knew better forgot it or was another."""
        return any(since <= at <= until for at in self.wiped[host]) and any(since <= at <= until for at in self.amnesia)


def judge_diary(truth: Truth) -> None:
    """At most once; nothing again that has succeeded; never two of a task by what they said themselves."""
    entries = sorted(truth.entries(), key=lambda entry: entry.at)
    first: dict[str, Entry] = {}
    succeeded = {
        run.rsplit("-", 1)[0]: (seen, run) for (_, run), (text, seen) in truth.results.items() if "=succ" in text
    }
    for entry in entries:
        if entry.sign == "-":
            continue
        before = first.setdefault(entry.run, entry)
        if before is not entry:
            if truth.nobody_knew(before.host, before.at, entry.at):
                truth.excused.add(entry.run)
            else:
                truth.violation(f"{entry.run} began on {before.host} and again on {entry.host} at {entry.at:.1f}")
        seen, run = succeeded.get(entry.run.rsplit("-", 1)[0], (entry.at, ""))
        if run != entry.run and seen < entry.at:
            if truth.nobody_knew(first[run].host if run in first else entry.host, 0, entry.at):
                truth.excused.add(entry.run)
            else:
                truth.violation(f"{entry.run} began on {entry.host} at {entry.at:.1f} although {run} had succeeded")
    for task, executions in _executions(entries).items():
        for (one, end), (other, _) in itertools.pairwise(executions):
            if task not in truth.overlaps and end > other.at:
                truth.violation(f"{other.run} began on {other.host} while {one.run} lived on {one.host}")


def _executions(entries: list[Entry]) -> dict[str, list[tuple[Entry, float]]]:
    """Task -> the beginnings in the diary, each with when that execution said it ends (0 for one that could not)."""
    found: dict[str, list[tuple[Entry, float]]] = defaultdict(list)
    for entry in entries:
        of_task = found[entry.task]
        if entry.sign == "+":
            of_task.append((entry, 0.0))
        else:
            last = next(n for n in reversed(range(len(of_task))) if of_task[n][0].run == entry.run)
            of_task[last] = of_task[last][0], entry.at
    return found


class Witness(threading.Thread):
    """Looks at all processes of all machines again and again."""

    def __init__(self, truth: Truth, machines: Callable[[], list[Machine]]) -> None:
        super().__init__(daemon=True)
        self._truth = truth
        self._machines = machines
        self._over = threading.Event()
        self.looks = 0

    def run(self) -> None:
        try:
            while not self._over.wait(EVERY):
                self.look()
        except Exception as failure:
            self._truth.violation(f"the witness saw nothing more: {failure!r}")
            raise

    def end(self) -> None:
        """Stop looking."""
        self._over.set()
        self.join()

    def look(self) -> list[Marked]:
        """Look once: what has a result is gone, results stay as they are, no two runs of a task live at one time."""
        before = {key: text for machine in self._machines() for key, text in recorded(machine).items()}
        now = time.time()
        for key, text in before.items():
            if self._truth.results.setdefault(key, (text, now))[0] != text:
                self._truth.violation(f"the result of {key[1]} was {self._truth.results[key][0]} and became {text}")
        over = {(key[0].partition("/")[0], key[1]) for key in before}
        processes = [process for machine in self._machines() for process in marked(machine)]
        living = [process for process in processes if process.lives()]
        tasks: dict[str, Marked] = {}
        for process in living:
            if (process.host, process.run) in over:
                self._truth.violation(f"{process.run} has ended on {process.host}, and pid {process.pid} of it lives")
            task = process.run.rsplit("-", 2)[0]
            other = tasks.setdefault(task, process)
            two = (other.run, other.host) != (process.run, process.host) and task not in self._truth.overlaps
            if two and other.lives() and process.lives():
                self._truth.violation(
                    f"{other.run} on {other.host} and {process.run} on {process.host} live at one time"
                )
        self.looks += 1
        return living


def recorded(machine: Machine) -> dict[tuple[str, str], str]:
    """(host/workspace, run) -> the text of each result that lies on a machine."""
    found = {}
    root = machine.home / ".reconciler"
    with suppress(OSError):
        workspace = f"{machine.name}/{(root / '_/id').readlink()}"
        for run, text in records(root, "result").items():
            found[workspace, run.name] = text
    return found


def records(root: Path, record: str) -> dict[Path, str]:
    """Run directory of a workspace -> the text of that record. A pattern alone finds no symlink to nothing."""
    found = {}
    for run in root.glob("*/runs/*"):
        with suppress(OSError):
            found[run] = str((run / record).readlink())
    return found


def marked(machine: Machine) -> list[Marked]:
    """Every process of a run on a machine."""
    found: list[Marked] = []
    try:
        processes = machine.processes()
    except OSError:  # it is switched off
        return found
    for process in processes:
        with suppress(OSError):
            since = born(process.outside)
            words = Path(f"/proc/{process.outside}/environ").read_bytes().split(b"\0")
            mark = next((word for word in words if word.startswith(b"RECONCILER_MARK=")), b"")
            run = mark.decode(errors="replace").partition("=")[2].partition(";")[0]
            if run.count("-") > 1 and since:
                found.append(Marked(run, machine.name, process.outside, since))
    return found


def born(pid: int) -> str:
    """When a process started, in ticks; empty when it is no more."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]
