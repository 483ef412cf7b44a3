"""The disk fills up at whatever line that writes: the run gets a truthful end, nothing runs twice, and with room it goes on."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.remote.faults.experiment import Fault, FaultyHost, check_ends, converge, faults, results, successor
from tests.remote.faults.ledger import ALL, Ledger
from tests.remote.test_full_disk import mountable
from tests.waiting import until

RUN = "f-0000000a-1"
SIZES = ("size=1m,nr_inodes=400", "size=64m,nr_inodes=60")  # which of both runs out when the disk is filled
SLICE = 17  # of the points in CI


@contextmanager
def small(folder: Path, size: str) -> Iterator[FaultyHost]:
    """A host whose workspace is on a small disk."""
    host = FaultyHost.make(folder)
    host.root.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", size, "none", str(host.root)], check=True)
    try:
        assert host.take().code == 0
        yield host
    finally:
        subprocess.run(["umount", "-l", str(host.root)], check=True)


def launch(host: FaultyHost, fault: Fault | None = None, trace: Path | None = None) -> None:
    """The run of the experiment; the worker writes an answer, and something that has to be ended."""
    worker = host.worker + 'setsid sleep 300 &\necho "{}" >"$RECONCILER_RESULT_FILE" || true\n'
    fields = host.launch_fields(RUN, worker, checks={"one": "true"})
    host.broken("act", fields, RUN, fault, trace, FAULT_DISK=str(host.root))


def fill_up(host: FaultyHost, fault: Fault, ledger: Ledger) -> None:
    host.plan(RUN, fault)
    launch(host, fault)
    end = time.monotonic() + 30
    while (lock := host.observe().live().get(host.path(RUN))) and time.monotonic() < end:
        if lock[0] == "free":
            said = host.operate("settle", RUN).split()[0]
            assert said in {"void", "lost", "settling", "already", "alive", "failed"}, (fault, said)
            if said == "failed":
                break
        time.sleep(0.1)
    ledger.note(host, {RUN: fault})
    assert not lock or lock[0] == "free", fault
    before = results(host, [RUN])
    for file in host.root.glob("fill*"):
        file.unlink()
    successor(host)
    converge(host, [RUN])
    check_ends(host, [RUN], before)
    until(lambda: not host.marked(RUN))
    if host.directory(RUN).exists():
        assert host.launch(RUN, host.worker) == "taken"
        assert host.operate("cleanup", RUN).startswith("removed "), fault
    assert host.run("f-0000000a-2", host.worker)["state"] == "succeeded", fault
    assert host.count(RUN) <= 1


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("size", SIZES)
def test_a_disk_that_fills_up(tmp_path: Path, ledger: Ledger, size: str) -> None:
    probe = tmp_path / "probe"
    probe.mkdir()
    if not mountable(probe):
        pytest.skip("mounting a tmpfs needs root and the right to mount")
    with small(tmp_path / "dry", size) as host:
        launch(host, trace=tmp_path / "trace")
        assert host.result(RUN)["state"] == "succeeded"
        until(lambda: host.operate("cleanup", RUN).startswith("removed"))
    found = [replace(fault, kind="fill") for fault in faults(tmp_path / "trace") if fault.kind == "main"]
    for index, fault in enumerate(found if ALL else found[SIZES.index(size) :: SLICE]):
        with small(tmp_path / str(index), size) as host:
            fill_up(host, fault, ledger)
