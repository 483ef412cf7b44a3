"""A workspace of its own for every test, and nothing of it left alive afterwards."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.remote.harness import HostUnderTest, marked


@pytest.fixture
def empty_host(tmp_path: Path) -> Iterator[HostUnderTest]:
    """A host without a workspace."""
    host = HostUnderTest(tmp_path / "ws")
    yield host
    for run in list(host.marks):
        for pid in marked(f"RECONCILER_MARK={run};{host.marks[run]}".encode()):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def host(empty_host: HostUnderTest) -> HostUnderTest:
    """A host whose lease is held."""
    assert empty_host.take().code == 0
    return empty_host
