"""The daemon on one machine: what wakes it, what it takes in its stride, who may be beside it, how it ends."""

import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.e2e.fleet import Fleet
from tests.e2e.watching import Watch
from tests.waiting import until


@pytest.fixture
def workspace(fleet: Fleet) -> Path:
    """A fleet of this machine alone, with one commit and a task that is done."""
    fleet.fleet(interval="1h")  # so that whatever happens was not found by looking around
    workspace = fleet.local()
    fleet.task("first")
    fleet.commit()
    return workspace


@pytest.fixture
def watch(fleet: Fleet, workspace: Path) -> Iterator[Watch]:
    """A daemon that has nothing left to do."""
    with Watch(fleet) as watch:
        watch.says("ended first")
        yield watch


def amend(fleet: Fleet) -> None:
    fleet.git("add", "--all")
    fleet.git("commit", "--quiet", "--amend", "--message", "another")


def after_gc(fleet: Fleet) -> None:
    fleet.git("gc", "--quiet")
    fleet.commit()


def after_another_branch(fleet: Fleet) -> None:
    fleet.git("stash", "--quiet", "--include-untracked")
    fleet.git("checkout", "--quiet", "-b", "other")
    fleet.task("other-branch")
    fleet.commit()
    fleet.git("checkout", "--quiet", "main")
    fleet.git("stash", "pop", "--quiet")
    fleet.commit()


def from_a_worktree(fleet: Fleet) -> None:
    fleet.git("stash", "--quiet", "--include-untracked")
    fleet.git("checkout", "--quiet", "--detach")
    fleet.git("worktree", "add", "--quiet", "../beside", "main")
    fleet.git("-C", "../beside", "stash", "pop", "--quiet")
    fleet.git("-C", "../beside", "add", "--all")
    fleet.git("-C", "../beside", "commit", "--quiet", "--message", "from beside")


@pytest.mark.parametrize("how", [Fleet.commit, amend, after_gc, after_another_branch, from_a_worktree])
def test_a_commit_wakes_it(fleet: Fleet, watch: Watch, how: Callable[[Fleet], None]) -> None:
    fleet.task("second")
    how(fleet)
    watch.says("ended second", timeout=8)  # before the ten seconds after which it compares for itself
    assert "other-branch" not in watch.log


def test_a_backoff_that_ends_wakes_it(fleet: Fleet, watch: Watch) -> None:
    fleet.task("flaky", "case $RECONCILER_RUN in *-1) exit 3;; esac", retries={"limit": 1, "backoff": "2s"})
    fleet.commit()
    began = time.monotonic()
    until(lambda: fleet.phases().get("flaky") == "Succeeded", timeout=15)
    assert time.monotonic() - began >= 1.5


def test_a_repository_that_is_away_changes_nothing_and_is_told_once(fleet: Fleet, watch: Watch) -> None:
    away = fleet.repo.with_name("away")
    fleet.repo.rename(away)
    for _ in range(3):
        watch.process.send_signal(signal.SIGHUP)
        time.sleep(0.3)
    watch.says("is no git repository any more")
    away.rename(fleet.repo)
    fleet.task("second")
    fleet.commit()
    watch.says("the repository can be read again")
    watch.says("ended second")
    assert watch.log.count("no git repository any more") == 1
    assert watch.log.count("launched") == 2


def test_a_repository_that_was_replaced_is_watched_again(fleet: Fleet, watch: Watch) -> None:
    copy = fleet.repo.with_name("copy")
    shutil.copytree(fleet.repo, copy)
    shutil.rmtree(fleet.repo)
    copy.rename(fleet.repo)
    for name in ("second", "third"):
        fleet.task(name)
        fleet.commit()
        watch.says(f"ended {name}")


def test_bad_commits_are_told_once_each_and_a_good_one_goes_on(fleet: Fleet, watch: Watch) -> None:
    fleet.write("tasks/bad.yaml", "x: [")
    fleet.commit()
    watch.says("invalid: tasks/bad.yaml")
    for _ in range(2):
        watch.process.send_signal(signal.SIGHUP)
        time.sleep(0.3)
    fleet.commit("nothing new")
    until(lambda: watch.log.count(" revision:") == 3)
    fleet.remove("tasks/bad.yaml")
    fleet.task("second")
    fleet.commit()
    watch.says("ended second")
    assert watch.log.count("invalid: tasks/bad.yaml") == 1
    assert watch.log.count(" revision:") == 4


def test_rewritten_history_holds_what_left(fleet: Fleet, watch: Watch) -> None:
    fleet.task("second")
    fleet.commit()
    watch.says("ended second")
    fleet.git("reset", "--quiet", "--hard", "HEAD~1")
    watch.says("held: the history of the branch was rewritten")
    assert watch.process.poll() is None


def test_a_detached_head_is_that_commit(fleet: Fleet, workspace: Path) -> None:
    fleet.git("checkout", "--quiet", "--detach")
    with Watch(fleet) as watch:
        watch.says("ended first")
        fleet.git("checkout", "--quiet", "main")
        fleet.task("second")
        fleet.commit()
        watch.process.send_signal(signal.SIGHUP)
        time.sleep(1)
        assert watch.log.count(" revision:") == 1
        assert watch.end() == 0
    with Watch(fleet) as watch:  # nothing was remembered of it
        watch.says("ended second")


def test_a_folder_of_a_repository(fleet: Fleet) -> None:
    fleet.local()
    fleet.task("inner")
    (fleet.repo / "deploy").mkdir()
    for name in ("fleet.yaml", "hosts", "tasks"):
        (fleet.repo / name).rename(fleet.repo / "deploy" / name)
    fleet.write("elsewhere.yaml", "no: [document")
    fleet.commit()
    with Watch(fleet, "-C", "deploy") as watch:
        watch.says("ended inner")
        fleet.write("deploy/tasks/second.yaml", fleet.document("Task", "second", {"run": "true"}))
        fleet.commit()
        watch.says("ended second")
        assert "invalid" not in watch.log


def test_a_remote_repository_is_polled_and_may_be_away(fleet: Fleet, workspace: Path) -> None:
    bare = fleet.room / "bare.git"
    subprocess.run(["git", "clone", "--quiet", "--bare", str(fleet.repo), str(bare)], check=True)
    fleet.git("remote", "add", "origin", str(bare))
    with Watch(fleet, "-C", f"file://{bare}", "--interval", "1s") as watch:
        watch.says("ended first")
        fleet.task("second")
        fleet.commit()
        fleet.git("push", "--quiet", "origin", "main")
        watch.says("ended second")
        bare.rename(fleet.room / "away")
        watch.says("cannot ask file://")
        time.sleep(2)
        (fleet.room / "away").rename(bare)
        watch.says("the remote can be read again")
        fleet.task("third")
        fleet.commit()
        fleet.git("push", "--quiet", "origin", "main")
        watch.says("ended third")
        assert watch.log.count("cannot ask") == 1
        assert watch.end() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_and_workers_live(fleet: Fleet, watch: Watch, number: signal.Signals) -> None:
    done = fleet.room / "done"
    fleet.task("long", f"until test -e {fleet.room}/go; do sleep 0.1; done; echo x >>{done}")
    fleet.commit()
    watch.says("started long")
    assert watch.end(number) == 0
    (fleet.room / "go").touch()
    until(done.exists)
    with Watch(fleet) as again:
        again.says("ended long")
        assert "launched" not in again.log


def test_a_daemon_that_was_killed_is_followed_by_another(fleet: Fleet, watch: Watch) -> None:
    fleet.task("long", f"until test -e {fleet.room}/go; do sleep 0.1; done; echo x >>{fleet.room}/done")
    fleet.commit()
    watch.says("started long")
    watch.process.kill()
    watch.process.wait()
    with Watch(fleet) as again:
        (fleet.room / "go").touch()
        again.says("ended long")
        assert fleet.run("reconcile", check=0)
    assert (fleet.room / "done").read_text() == "x\n"


def test_a_second_one_says_who_is_at_work(fleet: Fleet, watch: Watch) -> None:
    second = fleet.run("watch")
    assert second.returncode == 7
    assert f"`reconciler watch`, pid {watch.pid}, since 20" in second.stderr


def test_json_lines_have_all_keys(fleet: Fleet, workspace: Path) -> None:
    with Watch(fleet, "--log-format", "json") as watch:
        watch.says('"ended"')
        fleet.repo.rename(fleet.repo.with_name("away"))
        watch.process.send_signal(signal.SIGHUP)
        watch.says('"warning"')
        keys = {"time", "type", "task", "run", "host", "why", "message"}
        assert {frozenset(entry) for entry in watch.entries()} == {frozenset(keys)}
        fleet.repo.with_name("away").rename(fleet.repo)
        second = fleet.run("watch", "--log-format", "json")
        assert {**json.loads(second.stderr), "time": ""}["type"] == "error"


def test_a_removed_state_folder_ends_it(fleet: Fleet, watch: Watch) -> None:
    shutil.rmtree(fleet.state)
    watch.process.send_signal(signal.SIGHUP)
    assert watch.ended() == 1
    assert "was removed or replaced while in use" in watch.lines[-1]


def test_a_full_disk_is_told_and_nothing_is_started_until_there_is_room(fleet: Fleet) -> None:
    if os.geteuid():
        pytest.skip("needs root to mount a small disk")
    fleet.local(slots=100)
    fleet.task("first")
    fleet.commit()
    fleet.state.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(fleet.state)], check=True)
    try:
        with Watch(fleet) as watch:
            watch.says("ended first")
            with (fleet.state / "fill").open("wb", buffering=0) as fill, suppress(OSError):
                while True:
                    fill.write(bytes(4096))
            for number in range(30):
                fleet.task(f"t{number}", f": {'x' * 3000}")
            fleet.commit()
            watch.says("the disk is full")
            watch.says("it goes on by itself when there is room")
            told = len(watch.lines)
            time.sleep(7)
            assert [line for line in watch.lines[told:] if "launched" in line or "the disk is full" in line] == []
            (fleet.state / "fill").unlink()
            watch.says("there is room on the disk again")
            watch.says("ended t29", timeout=60)
            assert sorted(line.split()[2] for line in watch.lines if "launched t" in line) == sorted(
                {line.split()[2] for line in watch.lines if "launched t" in line}
            )
            assert watch.end() == 0
    finally:
        subprocess.run(["umount", "-l", str(fleet.state)], check=True)


# --- beside it


def test_reconcile_beside_it_exits_as_it_says(fleet: Fleet, watch: Watch) -> None:
    assert fleet.run("reconcile", check=0).stdout
    fleet.task("fails", "exit 3")
    fleet.task("slow", "sleep 600")
    fleet.commit()
    late = fleet.json("reconcile", "--wait", "--timeout", "2s", check=6)
    assert late["exit"] == {"code": 6, "name": "timeout"}
    fleet.remove("tasks/slow.yaml")
    fleet.commit()
    assert fleet.json("reconcile", "--wait", "--timeout", "60s", check=5)["exit"]["name"] == "task-failed"
    fleet.write("tasks/bad.yaml", "x: [")
    fleet.commit()
    assert fleet.json("reconcile", check=1)["exit"]["name"] == "invalid"
    fleet.remove("tasks/bad.yaml")
    for name in ("fails", "first"):
        fleet.remove(f"tasks/{name}.yaml")
    fleet.commit()
    held = fleet.json("reconcile", "--wait", check=4)
    assert {change["task"] for change in held["held"]} == {"fails", "first"}
    approved = fleet.json("reconcile", "--wait", "--allow-prune", "--timeout", "60s", check=0)
    assert {change["task"] for change in approved["changes"] if change["action"] == "cleanup"} == {"fails", "first"}
    assert watch.process.poll() is None
    assert watch.log.count("held:") == 1


def test_an_asking_client_that_goes_away_disturbs_nobody(fleet: Fleet, watch: Watch) -> None:
    fleet.task("slow", f"until test -e {fleet.room}/go; do sleep 0.1; done")
    fleet.commit()
    client = fleet.start("reconcile", "--wait")
    watch.says("started slow")
    time.sleep(0.5)
    client.send_signal(signal.SIGINT)
    assert client.wait(5) == 130
    (fleet.room / "go").touch()
    watch.says("ended slow")
    fleet.run("reconcile", check=0)


def test_those_who_look_see_what_is_new(fleet: Fleet, watch: Watch) -> None:
    follow = fleet.start("events", "-f", "-o", "json")
    seen: list[str] = []
    assert follow.stdout
    threading.Thread(target=lambda: seen.extend(follow.stdout or ()), daemon=True).start()
    until(lambda: any('"ended"' in line for line in seen))
    fleet.task("talks", f"echo one; until test -e {fleet.room}/go; do sleep 0.1; done; echo two")
    fleet.commit()
    assert fleet.run("wait", "talks", "--for", "running", check=0)
    logs = fleet.start("logs", "talks", "-f")
    assert logs.stdout
    assert logs.stdout.readline() == "one\n"
    assert fleet.phases()["talks"] == "Running"
    (fleet.room / "go").touch()
    assert logs.communicate(timeout=20)[0] == "two\n"
    until(lambda: any('"talks"' in line and '"ended"' in line for line in seen))
    follow.kill()
    follow.communicate()
    assert fleet.phases()["talks"] == "Succeeded"


def reads_the_ledger(pid: int) -> bool:
    """Whether a process has come as far as to have the ledger open."""
    return any("ledger.db" in os.readlink(one) for one in Path(f"/proc/{pid}/fd").iterdir() if one.is_symlink())


def test_waiting_for_a_task(fleet: Fleet, watch: Watch) -> None:
    fleet.run("wait", "first", check=0)
    fleet.run("wait", "task/first", "--for", "ended", check=0)
    fleet.run("wait", "first", "--for", "blocked", check=5)
    assert "there is no task" in fleet.run("wait", "nobody", check=1).stderr
    fleet.task("flaky", "case $RECONCILER_RUN in *-1) exit 3;; esac", retries={"limit": 1, "backoff": "1s"})
    fleet.task("fails", "exit 3")
    fleet.task("asks", "echo what >BLOCKED.md")
    fleet.task("slow", "sleep 600")
    fleet.commit()
    fleet.run("wait", "flaky", check=0)
    fleet.run("wait", "fails", check=5)
    fleet.run("wait", "fails", "--for", "ended", check=0)
    fleet.run("wait", "asks", "--for", "blocked", check=0)
    fleet.run("wait", "slow", "--for", "running", check=0)
    fleet.run("wait", "slow", "--timeout", "1s", check=6)
    waiting = fleet.start("wait", "slow")
    until(lambda: reads_the_ledger(waiting.pid), 20)
    fleet.remove("tasks/slow.yaml")
    fleet.commit()
    assert waiting.wait(10) == 5


def test_waiting_for_a_commit(fleet: Fleet, watch: Watch) -> None:
    old = fleet.git("rev-parse", "HEAD")
    fleet.run("wait", "--revision", old, check=0)
    fleet.task("second")
    new = fleet.commit()
    fleet.run("wait", "--revision", "--timeout", "20s", check=0)
    fleet.run("wait", "--revision", new[:12], check=0)
    fleet.git("checkout", "--quiet", "-b", "aside")
    aside = fleet.commit("aside")
    assert "not part of main" in fleet.run("wait", "--revision", aside, check=5).stderr
    fleet.run("wait", "--revision", "0" * 40, check=1)
    assert watch.end() == 0
    fleet.git("checkout", "--quiet", "main")
    fleet.commit("nobody is there")
    fleet.run("wait", "--revision", "--timeout", "1s", check=6)
