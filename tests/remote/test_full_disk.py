"""A full disk and full inodes: every run ends in a clean state, and nothing is started that could not end."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.remote.harness import HostUnderTest
from tests.waiting import until

RUN = "build-0123abcd-1"


def mountable(place: Path) -> bool:
    """May this process mount a tmpfs?"""
    if os.geteuid() != 0:
        return False
    made = subprocess.run(["mount", "-t", "tmpfs", "none", str(place)], capture_output=True).returncode == 0
    return made and subprocess.run(["umount", str(place)], capture_output=True).returncode == 0


@pytest.fixture(params=["size=1m", "size=8m,nr_inodes=48"])
def small(request: pytest.FixtureRequest, empty_host: HostUnderTest) -> Iterator[HostUnderTest]:
    """A workspace on a tmpfs with little room, or few inodes."""
    root = empty_host.root
    root.mkdir()
    if not mountable(root):
        pytest.skip("mounting a tmpfs needs root and the right to mount")
    subprocess.run(["mount", "-t", "tmpfs", "-o", request.param, "none", str(root)], check=True)
    assert empty_host.take().code == 0
    assert empty_host.call("act").code == 0  # which writes the revision
    yield empty_host
    subprocess.run(["umount", "-l", str(root)], check=True)


FILL_BYTES = "cat /dev/zero >fill 2>/dev/null || true\n"
FILL_INODES = "i=0; while ((i < 100)) && : >f$((i++)); do :; done 2>/dev/null\n"
FILL = FILL_INODES + FILL_BYTES


@pytest.mark.parametrize(
    "worker, expected",
    [
        ("exit 0", {"state": "succeeded", "rc": "0"}),
        ("exit 5", {"state": "failed", "rc": "5", "r": "ExitCode"}),
    ],
)
def test_a_worker_that_fills_the_disk_gets_its_result(small: HostUnderTest, worker: str, expected: dict[str, str]):
    result = small.run(RUN, FILL + worker)
    result.pop("t")
    assert result == expected
    assert small.observe().records()[f"_/runs/{RUN}/result"].startswith(f"state={expected['state']}")
    assert small.operate("cleanup", RUN).startswith("removed ")
    assert small.run("next-00000000-1", "true")["state"] == "succeeded"


def test_output_beyond_the_disk_neither_blocks_nor_breaks_the_worker(small: HostUnderTest):
    result = small.run(RUN, FILL + "head -c 20000000 /dev/zero | tr '\\0' x; echo end >&2; exit 4")
    assert (result["state"], result["rc"]) == ("failed", "4")


def test_canceling_on_a_full_disk(small: HostUnderTest):
    small.launch(RUN, FILL + "sleep 60")
    until(lambda: small.record(RUN, "phase") != "prepare")
    until(lambda: any("sleep" in open(f"/proc/{pid}/cmdline").read() for pid in small.marked(RUN)))
    assert small.operate("cancel", RUN, why="over").split()[0] == "canceling"
    assert small.result(RUN)["state"] in ("canceled", "lost")
    assert small.marked(RUN) == []


def test_a_launch_on_a_full_disk_fails_and_can_be_cleaned_up(small: HostUnderTest):
    for number in range(100):
        try:
            (small.root / f"fill{number}").write_bytes(b"x" * (200_000 if number < 45 else 0))
        except OSError:
            break
    run = "full-00000000-1"
    assert small.launch(run, "true") == "failed"
    assert small.record(run, "started") in ("", "void")
    for file in small.root.glob("fill*"):
        file.unlink()
    answer = small.operate("settle", run).split()[0]
    assert answer in ("already", "void", "absent")
    assert small.launch("full-00000000-2", "true") == "accepted"
    assert small.result("full-00000000-2")["state"] == "succeeded"


def test_without_a_free_inode_a_new_commit_can_still_clean_up(small: HostUnderTest):
    assert small.run(RUN, "true")["state"] == "succeeded"
    subprocess.run(FILL_INODES.replace("100", "2000"), shell=True, cwd=small.root, executable="/bin/bash")
    small.revision = "another"
    assert small.operate("cancel", RUN).startswith("already ")
    for file in list(small.root.glob("f[0-9]*"))[:1]:  # for the completion mark
        file.unlink()
    assert small.operate("cleanup", RUN).startswith("removed ")
    assert small.observe().pairs("workspace")["revision"] == "another"


def test_secrets_go_elsewhere_when_a_worker_has_filled_the_memory_for_them(host: HostUnderTest, tmp_path: Path):
    memory = tmp_path / "memory"
    memory.mkdir()
    if not mountable(memory):
        pytest.skip("mounting a tmpfs needs root and the right to mount")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(memory)], check=True)
    try:
        host.env = {**host.env, "XDG_RUNTIME_DIR": str(memory)}
        subprocess.run(f"cat /dev/zero >{memory}/fill", shell=True, stderr=subprocess.DEVNULL)
        result = host.run(RUN, 'test "$TOKEN" = secret', secrets={"TOKEN": "secret"})
        assert result["state"] == "succeeded"
        assert [file.name for file in memory.iterdir()] == ["fill"]
    finally:
        subprocess.run(["umount", "-l", str(memory)], check=True)
