"""One ledger of faults for all tests of this folder, and strangers that must survive them all."""

import os
import subprocess
from collections.abc import Iterator

import pytest

from tests.remote.faults.ledger import ALL, Ledger


@pytest.fixture(scope="session")
def ledger() -> Iterator[Ledger]:
    kept = Ledger()
    yield kept
    print(f"\n{kept.report()}")
    if ALL:
        kept.record()


@pytest.fixture
def decoys() -> Iterator[list["subprocess.Popen[bytes]"]]:
    """Strangers: no mark, another mark, a name like a supervisor's."""
    started = []
    for mark in ("f000-0000000a-1;0000000000000000", "f000-0000000a-1", ""):
        command = ["bash", "-c", "exec -a 'supervisor.sh supervise f000-0000000a-1' sleep 1000"]
        started.append(subprocess.Popen(command, env={**os.environ, "RECONCILER_MARK": mark}))
    yield started
    for process in started:
        process.kill()
        process.wait()
