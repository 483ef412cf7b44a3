"""Cleanup and reset: what goes, and what must stay."""

import fcntl
import os
import subprocess
from pathlib import Path

import pytest

from tests.remote.harness import HostUnderTest
from tests.waiting import until

RUN = "build-0123abcd-1"


@pytest.mark.parametrize(
    "worker, settings, mark",
    [
        ("true", {}, "state=succeeded;q=-"),
        ("exit 3", {"last": "1"}, "state=failed;r=ExitCode;q=-"),
        ("touch BLOCKED.md", {}, "state=blocked;q=-"),
    ],
)
def test_the_completion_mark_stays(host: HostUnderTest, worker: str, settings: dict[str, str], mark: str):
    result = host.run(RUN, worker, settings=settings)
    assert host.operate("cleanup", RUN).startswith("removed ")
    expected = f"{mark};t={result['t']}" + (";last=1" if settings else "")
    assert os.readlink(host.root / "_/done" / RUN) == expected
    assert len(expected) <= 59
    assert not host.directory(RUN).exists()
    answer = host.observe()
    assert answer.records() == {f"_/done/{RUN}": expected}
    assert answer["trash"] == "0"
    assert host.operate("cleanup", RUN).startswith("already ")


def test_a_void_run_leaves_a_mark_too(host: HostUnderTest):
    host.directory(RUN).mkdir()
    host.operate("settle", RUN)
    assert host.operate("cleanup", RUN).startswith("removed ")
    assert os.readlink(host.root / "_/done" / RUN).startswith("state=void;t=")
    assert host.launch(RUN, "true") == "done"


def test_a_run_that_has_not_ended_stays(host: HostUnderTest):
    host.directory(RUN).mkdir()
    assert host.operate("cleanup", RUN).startswith("active ")
    assert host.directory(RUN).exists()


def test_a_held_lock_refuses(host: HostUnderTest):
    host.run(RUN, "true")
    with (host.directory(RUN) / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert host.operate("cleanup", RUN) == "active its lock is held"
    assert host.operate("cleanup", RUN).startswith("removed ")


def test_directories_that_cannot_be_written_go_too(host: HostUnderTest):
    host.run(RUN, "mkdir -p a/b; touch a/b/c; chmod 0 a/b; chmod 500 a")
    assert host.operate("cleanup", RUN).startswith("removed ")
    assert host.observe()["trash"] == "0"


def test_old_trash_goes_with_the_next_call(host: HostUnderTest):
    (host.root / "_/trash/left-00000000-1.x/deep").mkdir(parents=True)
    assert host.observe()["trash"] == "1"
    assert host.call("act")["trash"] == "0"


def test_links_in_the_trash_are_not_followed(host: HostUnderTest, tmp_path: Path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious/file").touch(mode=0o400)
    host.run(RUN, f"ln -s {tmp_path}/precious link; ln -s {tmp_path}/precious/file ..")
    host.operate("cleanup", RUN)
    assert (tmp_path / "precious/file").stat().st_mode & 0o777 == 0o400


def test_a_stuck_run_stays_until_its_survivors_are_gone(host: HostUnderTest):
    host.run(RUN, "true")
    (host.directory(RUN) / "stuck").symlink_to("n=1")
    mark = f"{RUN};{host.marks[RUN]}"
    survivor = subprocess.Popen(["sleep", "60"], env={**os.environ, "RECONCILER_MARK": mark})
    assert host.observe().live() == {f"_/runs/{RUN}": ("free", "1")}
    assert host.operate("cleanup", RUN).startswith("active ")
    assert host.call("reset").code == 5
    survivor.kill()
    survivor.wait()
    assert host.observe().live() == {f"_/runs/{RUN}": ("free", "0")}
    assert host.operate("cleanup", RUN).startswith("removed ")


# --- reset


def test_reset_refuses_while_something_is_active(host: HostUnderTest):
    host.launch(RUN, "sleep 60")
    until(lambda: host.record(RUN, "phase") == "work")
    answer = host.call("reset")
    assert (answer.code, RUN in answer["error"]) == (5, True)
    assert host.observe().live() == {f"_/runs/{RUN}": ("held", "0")}
    host.operate("cancel", RUN, why="over")
    host.result(RUN)


def test_reset_empties_the_workspace_but_for_what_prevents_a_second_run(host: HostUnderTest):
    host.run(RUN, 'touch "$RECONCILER_CACHE_DIR/x"')
    host.run("gone-00000000-1", "true")
    host.operate("cleanup", "gone-00000000-1")
    (host.directory("claimed-00000000-1")).mkdir()
    identity = host.observe().pairs("workspace")["id"]
    answer = host.call("reset")
    assert answer.code == 0
    assert answer.pairs("removed") == {
        "runs": "2",
        "cache": "1",
        "trash": "0",
        "left": "0",
        "worktrees": "0",
        "checkouts": "0",
        "unpushed": "0",
        "kept": "0",
    }
    report = host.observe()
    marks = report.pairs("workspace")
    assert (marks["id"], marks["lease"]) == (identity, "1;0a1b2c3d")
    assert (marks["fleet"], marks["name"], marks["revision"]) == ("", "", "")
    done = {path: text.split(";")[0] for path, text in report.records().items()}
    assert done == {
        f"_/done/{RUN}": "state=succeeded",
        "_/done/gone-00000000-1": "state=succeeded",
        "_/done/claimed-00000000-1": "state=void",
    }
    assert host.take().code == 0
    assert host.launch(RUN, "true") == "done"
    assert host.call("reset").pairs("removed")["runs"] == "0"


def test_reset_touches_nothing_else_below_the_root(host: HostUnderTest):
    (host.root / "mine").mkdir()
    (host.root / "mine/file").touch()
    host.call("reset")
    assert (host.root / "mine/file").exists()


def test_reset_of_a_run_that_died_without_a_word(host: HostUnderTest):
    host.directory(RUN).mkdir()
    (host.directory(RUN) / "owner").symlink_to("l=0a1b2c3d;n=1;q=-;m=00000000")
    (host.directory(RUN) / "started").symlink_to("p=1;s=1;b=000000000000")
    assert host.call("reset").code == 0
    assert os.readlink(host.root / "_/done" / RUN).startswith("state=lost;r=SupervisorGone;q=-;t=")
