"""One controller per fleet on a machine, whatever way it ends."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.record.claim import Claim, ClaimError, Holder

HOLD = """
import sys, time
from pathlib import Path
from reconciler.record.claim import Claim
claim = Claim.acquire(Path(sys.argv[1]), "watch", 12.5)
print(type(claim).__name__, flush=True)
time.sleep(60)
"""


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / "state" / "controller.lock"


def test_held_while_it_is_open(lock: Path) -> None:
    claim = Claim.acquire(lock, "watch", 12.5)
    assert isinstance(claim, Claim)
    with claim:
        assert Claim.acquire(lock, "reconcile", 13.0) == Holder(os.getpid(), "watch", 12.5)
    again = Claim.acquire(lock, "reconcile", 14.0)
    assert isinstance(again, Claim)
    again.release()
    again.release()
    assert stat.S_IMODE(lock.stat().st_mode) == 0o600


def test_it_ends_with_its_process(lock: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(lock)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout
    assert holder.stdout.readline() == "Claim\n"
    assert Claim.acquire(lock, "reconcile", 13.0) == Holder(holder.pid, "watch", 12.5)
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    holder.stdout.close()
    claim = Claim.acquire(lock, "reconcile", 14.0)
    assert isinstance(claim, Claim)
    claim.release()


def test_children_do_not_inherit_it(lock: Path) -> None:
    claim = Claim.acquire(lock, "watch", 1.0)
    assert isinstance(claim, Claim)
    child = subprocess.Popen(["sleep", "30"], close_fds=False)
    try:
        claim.release()
        again = Claim.acquire(lock, "watch", 2.0)
        assert isinstance(again, Claim)
        again.release()
    finally:
        child.kill()
        child.wait()


@pytest.mark.parametrize("text", [b"", b"\xff\xfe", b"pid=x\nverb=watch\nsince=1\n", b"hello"])
def test_a_holder_that_has_not_said_who_it_is(lock: Path, text: bytes) -> None:
    claim = Claim.acquire(lock, "watch", 1.0)
    assert isinstance(claim, Claim)
    with claim:
        lock.write_bytes(text)
        assert Claim.acquire(lock, "reconcile", 2.0) == Holder()


def test_a_place_where_nothing_can_be_locked(tmp_path: Path) -> None:
    (tmp_path / "flat").write_text("")
    with pytest.raises(ClaimError, match="--state-dir"):
        Claim.acquire(tmp_path / "flat" / "controller.lock", "watch", 1.0)
    with pytest.raises(ClaimError, match="--state-dir"):
        Claim.acquire(tmp_path, "watch", 1.0)
