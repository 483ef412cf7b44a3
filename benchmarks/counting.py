"""What can be counted instead of timed: processes, bytes, and calls of Python functions."""

import cProfile
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from itertools import chain
from pathlib import Path

from benchmarks.busy import NOW, busy
from benchmarks.reading import opened
from benchmarks.room import finish_tasks, fleet_of, folder
from benchmarks.written import path, repository_of, task
from reconciler.decide import decide
from reconciler.model.change import Options
from reconciler.record.ledger import Ledger
from tests.remote.harness import BASH, HostUnderTest

HOSTS = 3
FILES = 100
RUN = "build-00c0ffee-1"
# GitPython asks for git's version when it is imported, how often is its own affair.
SHIM = '#!/bin/sh\n[ "$1" = version ] || echo {name} >>"{log}"\nexec "{program}" "$@"\n'
STRACE = ("-f", "-qq", "-e", "trace=clone,clone3,fork,vfork")


def processes() -> dict[str, int]:
    """The ssh and git processes of a cycle over hosts behind sshd on which nothing is to be done."""
    with fleet_of(HOSTS) as (fleet, _):
        finish_tasks(fleet, HOSTS)
        shims, log = fleet.room / "shims", fleet.room / "started"
        shims.mkdir()
        for name in ("ssh", "git"):
            shim = shims / name
            shim.write_text(SHIM.format(name=name, log=log, program=shutil.which(name)))
            shim.chmod(0o755)
        fleet.environment["PATH"] = f"{shims}{os.pathsep}{os.environ['PATH']}"
        fleet.run("reconcile", check=0)
        started = Counter(log.read_text().split())
    where = f"in a cycle with nothing to do, {HOSTS} hosts"
    return {f"{name} processes {where}": started[name] for name in ("ssh", "git")}


def bytes_sent() -> dict[str, int]:
    """What goes to a host: to look at it, and to start a task, alone and beside nine others."""
    host = HostUnderTest(Path("/workspace"))  # only named
    host.marks = {f"build-00c0ffee-{number}": "0" * 16 for number in range(1, 11)}
    launches = [host.launch_fields(run, "true\n") for run in host.marks]
    one, ten = len(host.stdin("act", launches[0])), len(host.stdin("act", chain.from_iterable(launches)))
    return {
        "bytes to look at a host": len(host.stdin("observe")),
        "bytes to start a task": one,
        "bytes for one task more": (ten - one) // 9,
    }


def forks() -> dict[str, int]:
    """Processes on a host, for a look at one that has a run; nothing where strace is not installed or not allowed."""
    strace = shutil.which("strace")
    if not strace:
        return {}
    with folder() as room:
        host = HostUnderTest(room / "workspace")
        host.take()
        host.run(RUN, "true\n")
        log = room / "strace"
        done = subprocess.run(
            [strace, *STRACE, "-o", str(log), *BASH], input=host.stdin("observe"), capture_output=True, check=False
        )
        if done.returncode:
            return {}
        lines = [line for line in log.read_text().splitlines() if "resumed" not in line]
        return {"processes on a host that is looked at": 1 + len(lines)}


def function_calls() -> dict[str, int]:
    """Calls of Python functions, which are the same for one version of Python and of the libraries."""
    fleet = busy(10)
    plan = lambda: decide(fleet.desired, fleet.observed, fleet.memory, NOW, Options())  # noqa: E731
    plan()  # what is imported late is here from now on
    found = {"calls to plan 100 tasks on 10 hosts": calls(plan)}
    with repository_of(FILES) as work, Ledger.open(work.path.parent / "ledger.db") as ledger:
        opened(work).read(ledger)
        wanted = opened(work)
        found[f"calls to read {FILES} files"] = calls(lambda: wanted.read(ledger))
        work.commit({path(1): task(1) + "  rerun: again\n"})
        found[f"calls to read a change of one of {FILES} files"] = calls(lambda: wanted.read(ledger))
    return found


def calls(action: Callable[[], object]) -> int:
    """How many functions are called, built-in ones too."""
    profile = cProfile.Profile()
    profile.runcall(action)
    return sum(entry.callcount for entry in profile.getstats())
