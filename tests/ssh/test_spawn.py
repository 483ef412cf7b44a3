"""What a program gets of ours when it is started: three streams, and nothing else."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

from reconciler.remote.process import run


def test_a_lock_that_our_caller_left_open_is_not_handed_on(tmp_path: Path) -> None:
    """An ssh master that stays would hold it long after the command has ended."""
    lock = os.open(tmp_path / "lock", os.O_CREAT | os.O_RDWR)
    program = """
        from reconciler.remote.process import run
        print(run(["ls", "-l", "/proc/self/fd"], deadline=20).output.decode())
    """
    said = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], pass_fds=[lock], capture_output=True, text=True, check=True
    )
    os.close(lock)
    assert "/fd" in said.stdout  # it listed itself
    assert str(tmp_path) not in said.stdout


def test_a_program_leads_a_session_and_gets_the_signals_that_python_ignores() -> None:
    words = "cut -d' ' -f1,5,6 /proc/$$/stat; grep -E 'Sig(Blk|Ign)' /proc/self/status"
    ids, blocked, ignored = run(["bash", "-c", words], deadline=20).output.decode().splitlines()
    pid, group, session = ids.split()
    assert pid == group == session
    assert int(blocked.split()[1], 16) == 0
    assert not {number for number in (signal.SIGPIPE, signal.SIGXFSZ) if int(ignored.split()[1], 16) >> number - 1 & 1}
