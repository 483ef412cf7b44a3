"""Programs are started where descriptors, processes, threads or disk run out: that is said, and nothing stays behind.

Each case is a process of its own, whose limits are nobody else's.
"""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

PRELUDE = """
import gc, os, resource, sys, tempfile, threading, time
from pathlib import Path
from reconciler.load.git_command import RepositoryError, call
from reconciler.remote import process
from reconciler.remote.process import run
from reconciler.remote.scarcity import CannotStart
from reconciler.remote.stream import Stream

def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))

def children():
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()

def everybody():
    "Start each kind of program; gives how many could be, and fails for any other end than CannotStart."
    started = 0
    for piped in (False, True):
        try:
            started += run(["cat"], b"x", deadline=20, piped=piped).output == b"x"
        except CannotStart as problem:
            said.add(str(problem))
    try:
        stream = Stream(["cat"], b"x")
    except CannotStart as problem:
        said.add(str(problem))
    else:
        started += stream.close(grace=20).code == 0
    try:
        started += call(Path("/"), ["version"]).code == 0
    except RepositoryError as problem:
        said.add(str(problem))
    return started

def settled(before):
    for _ in range(100):
        gc.collect()
        if (descriptors(), threading.active_count(), len(children())) == before:
            return
        time.sleep(0.05)
    raise SystemExit(f"left: {descriptors()}, {threading.enumerate()}, {children()}; was {before}")

said = set()
assert everybody() == 4, said
time.sleep(0.3)
before = descriptors(), threading.active_count(), len(children())
"""

CASES = {
    "descriptors, from none to enough": """
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        for free in range(40):
            taken = [os.open("/dev/null", os.O_RDONLY) for _ in range(64 - descriptors() + 1 - free)]
            everybody()
            for number in taken:
                os.close(number)
        assert any("too many files are open" in text for text in said), said
    """,
    "descriptors, while others take and give them": """
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        stop = time.monotonic() + 3
        def busy():
            while time.monotonic() < stop:
                everybody()
        threads = [threading.Thread(target=busy) for _ in range(16)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        assert said
    """,
    "a program that goes away": """
        folder = Path(tempfile.mkdtemp())
        program = folder / "greet"
        os.environ["PATH"] += f":{folder}"
        for there in (True, False, True, False, True):
            if there:
                program.write_text("#!/bin/sh\\n")
                program.chmod(0o755)
                assert run(["greet"], deadline=5).code == 0
            else:
                program.unlink()
                try:
                    run(["greet"], deadline=5)
                except CannotStart as problem:
                    assert "greet is not installed" in str(problem), problem
                else:
                    raise SystemExit("it was started")
    """,
    "a program that cannot be carried out, and a folder that is not there": """
        program = Path(tempfile.mkdtemp()) / "broken"
        program.write_text("#!/no/such/interpreter\\n")
        program.chmod(0o755)
        for words, folder in (([str(program)], None), (["true"], Path("/no/such/folder"))):
            for _ in range(10):
                try:
                    run(words, deadline=5, directory=folder)
                except CannotStart as problem:
                    assert "cannot be started" in str(problem), problem
                else:
                    raise SystemExit("it was started")
    """,
    "disk": """
        folder = tempfile.mkdtemp()
        tempfile.tempdir = "/no/such/folder"
        assert everybody() == 1  # a stream's output is a pipe, and errors lie in memory
        tempfile.tempdir = None
    """,
    "the last thread, wherever it was": """
        real = threading.Thread.start
        for left in range(18):
            room = [left]
            def start(thread):
                room[0] -= 1
                if room[0] < 0:
                    raise RuntimeError("can't start new thread")
                real(thread)
            threading.Thread.start = start
            everybody()
            try:
                process.Call(["sleep", "60"]).end()
            except CannotStart as problem:
                said.add(str(problem))
            threading.Thread.start = real
        assert any("can't start new thread" in text for text in said), said
    """,
    "processes and threads": """
        if os.getuid() == 0:
            os.setgroups([]); os.setresgid(54321, 54321, 54321); os.setresuid(54321, 54321, 54321)
        for room in range(8):
            # As many as there are now, which the kernel counts for this user, and a few more.
            resource.setrlimit(resource.RLIMIT_NPROC, (1 + room, resource.getrlimit(resource.RLIMIT_NPROC)[1]))
            for _ in range(3):
                everybody()
        hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
        resource.setrlimit(resource.RLIMIT_NPROC, (hard, hard))
        assert any("cannot be started" in text for text in said), said
    """,
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_lacking_is_said_and_nothing_stays_behind(case: str) -> None:
    if case.startswith("processes") and os.getuid():
        pytest.skip("needs root, to be a user who has no other processes")
    script = (
        PRELUDE
        + textwrap.dedent(CASES[case])
        + "\nassert gc.isenabled()\nassert everybody() == 4, said\nsettled(before)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=100, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
