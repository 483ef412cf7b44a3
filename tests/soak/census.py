"""What a daemon and its hosts hold at one moment, counted from outside."""

import json
import os
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.watching import Watch
from tests.machines.machine import Machine

# What is kept of each run whose mark lies on a host, and of each task that was in git in the last 30 days.
REMEMBERED = ("RunName", "Result", "RunReport", "RunRecord", "RunMemory", "TaskRecord", "TaskMemory")
RUN_KIB = 10  # of the daemon's memory for each run on record: 2 of them objects, the rest what reading them needs
TABLES = ("runs", "tasks", "hosts", "documents", "revisions", "events")

Counts = dict[str, int]


@dataclass(frozen=True)
class Places:
    """Where the daemon may leave something."""

    temporary: Path
    census: Path


def count(watch: Watch, machines: Sequence[Machine], places: Places) -> tuple[Counts, dict[str, Any]]:
    """Everything as numbers by name, and what the daemon says of its own memory."""
    inside = _inside(watch, places)
    objects = inside["objects"] - sum(inside["kinds"].get(kind, 0) for kind in REMEMBERED)
    found = {**_process(watch.pid), "objects": objects, "gc_off": int(not inside["gc"])}
    found |= _folders(watch, places) | _ledger(next(watch.fleet.state.glob("fleets/*/ledger.db")))
    for machine in machines:
        for name, value in _host(machine).items():
            found[name] = found.get(name, 0) + value
    found["rss_but_runs"] = found["rss"] - RUN_KIB * found["runs"]
    return found, inside


def _inside(watch: Watch, places: Places) -> dict[str, Any]:
    places.census.unlink(missing_ok=True)
    os.kill(watch.pid, signal.SIGUSR2)
    until = time.monotonic() + 60
    while not places.census.exists():
        assert watch.process.poll() is None, watch.log[-2000:]
        assert time.monotonic() < until, "the daemon does not say what it holds"
        time.sleep(0.02)
    return json.loads(places.census.read_text())


def _process(pid: int) -> Counts:
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    children = [state for parent, state, _ in _processes() if parent == pid]
    masters = [words for _, _, words in _processes() if words.endswith(f".{pid} [mux]")]
    return {
        "rss": int(status["RssAnon"].split()[0]),  # KiB; what is read from files comes and goes
        "fds": len(list(Path(f"/proc/{pid}/fd").iterdir())),
        "threads": int(status["Threads"]),
        "children": len(children),
        "zombies": children.count("Z"),
        "masters": len(masters),
    }


def _processes() -> Iterable[tuple[int, str, str]]:
    """Parent, state and command line of every process."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            yield (
                int(parent),
                state,
                (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip(),
            )
        except OSError:
            continue


def _folders(watch: Watch, places: Places) -> Counts:
    sockets = Path(f"/tmp/reconciler-{os.getuid()}").glob(f"*/*.{watch.pid}")
    state = [path for path in watch.fleet.state.rglob("*") if path.is_file()]
    archived = [path for path in state if "/runs/" in str(path)]
    return {
        "sockets": len(list(sockets)),
        "temporary": len(list(places.temporary.rglob("*"))),
        "shm": sum(1 for path in Path("/dev/shm").iterdir() if path.name.startswith("reconciler")),
        "archived": len(archived),
        "state_files": len(state) - len(archived),
        "ssh_bytes": sum(path.stat().st_size for path in state if "/ssh/" in str(path)),
    }


def _ledger(path: Path) -> Counts:
    wal = path.with_name(path.name + "-wal")
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as ledger:
        rows = {f"{table}": ledger.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES}
    return {**rows, "ledger": path.stat().st_size, "wal": wal.stat().st_size if wal.exists() else 0}


def _host(machine: Machine) -> Counts:
    root = machine.home / ".reconciler"
    kinds: Counter[str] = Counter()
    marks = sum(1 for _ in (root / "_/done").glob("*"))
    for folder, _, files in os.walk(root):
        where = Path(folder).relative_to(root).parts
        kinds["host_files"] += len(files)
        if where[:2] == ("_", "trash"):
            kinds["trash"] += len(files)
    bell = root / "_/bell"
    ours = [process for process in machine.processes() if not process.command.startswith(("sshd", "/usr/sbin/sshd"))]
    return {
        "host_processes": len(ours),
        "host_sshds": len(machine.processes()) - len(ours),
        "host_files": kinds["host_files"] - marks,
        "marks": marks,
        "trash": kinds["trash"],
        "bell": bell.stat().st_size if bell.exists() else 0,
    }
