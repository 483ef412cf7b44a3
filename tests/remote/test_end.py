"""Cancel, settle and the reaper: ends that leave nothing alive, and strangers that are left alone."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.remote.harness import HostUnderTest, marked
from tests.waiting import until

RUN = "build-0123abcd-1"
# Each of these survives a plain TERM to the worker.
STUBBORN = {
    "a child": "sleep 300 & sleep 300",
    "ignores TERM": "trap '' TERM; while :; do sleep 0.1; done",
    "its children ignore TERM": "(trap '' TERM; while :; do sleep 0.1; done) & sleep 300",
    "a session of its own": "setsid bash -c 'trap \"\" TERM; while :; do sleep 0.1; done' & sleep 300",
    "a daemon": "(setsid setsid sh -c 'trap \"\" TERM HUP; (while :; do sleep 0.1; done) & ' >/dev/null 2>&1 &); sleep 300",
    "forks while it is killed": "trap '' TERM; f() { sleep 0.05; f & }; f; f; f; wait; sleep 300",
    "answers TERM with more": "trap 'setsid sleep 300 & setsid sleep 301 &' TERM; while :; do sleep 0.1; done",
    "cleared its environment": "env -i sleep 300",
    "changed its name": "exec -a ') S (x' sleep 300",
    "stopped": "kill -STOP $$",
}


@pytest.fixture
def decoys(tmp_path: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Strangers: similar marks, similar names, similar places."""
    mark = "RECONCILER_MARK"
    environments: list[dict[str, str]] = [
        {mark: f"{RUN};0000000000000000"},
        {mark: f"{RUN}2;"},
        {mark: RUN},
        {f"X{mark}": f"{RUN};"},
        {"NOTE": f"\n{mark}={RUN};\n"},
    ]
    started = [
        subprocess.Popen(
            ["bash", "-c", "exec -a supervisor.sh sleep 60"], env={**os.environ, **environment}, cwd=tmp_path
        )
        for environment in environments
    ]
    yield started
    for process in started:
        process.kill()
        process.wait()


def working(host: HostUnderTest, worker: str, **settings: str) -> None:
    """A run whose worker is at work."""
    assert host.launch(RUN, worker, settings=settings) == "accepted"
    until(lambda: host.record(RUN, "phase") == "work")


def supervisor(host: HostUnderTest) -> int:
    return int(host.record(RUN, "started").split(";")[0][2:])


def kill_supervisor(host: HostUnderTest) -> None:
    pid = supervisor(host)
    os.kill(pid, signal.SIGKILL)
    until(lambda: not Path(f"/proc/{pid}").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text().split(")")[1][:3])


@pytest.mark.parametrize("kind", STUBBORN)
def test_cancel_ends_everything(host: HostUnderTest, decoys: list[subprocess.Popen[bytes]], kind: str):
    decoys.append(subprocess.Popen(["sleep", "60"], env={**os.environ, "RECONCILER_MARK": f"{RUN};{'f' * 16}x"}))
    working(host, STUBBORN[kind])
    time.sleep(0.1)
    assert host.operate("cancel", RUN, why="closed").startswith("canceling ")
    assert host.record(RUN, "cancel") == "why=closed"
    result = host.result(RUN)
    assert result["state"] == "canceled"
    assert host.marked(RUN) == []
    assert not host.record(RUN, "stuck")
    assert [process.poll() for process in decoys] == [None] * len(decoys)


def test_what_outlives_the_worker_is_ended_with_it(host: HostUnderTest):
    result = host.run(RUN, "setsid sleep 300 >/dev/null 2>&1 & (trap '' TERM; exec sleep 301) & exit 6")
    assert (result["rc"], result["r"]) == ("6", "ExitCode")
    assert host.marked(RUN) == []


def test_open_pipes_do_not_hold_up_the_end(host: HostUnderTest):
    """Left its session and cleared its environment: it escapes, as documented, and costs no more than 5 seconds."""
    began = time.monotonic()
    result = host.run(RUN, "env -i setsid sleep 8 & exit 0")
    assert result["state"] == "succeeded"
    assert time.monotonic() - began < 9


def test_a_second_cancel_is_a_no_op(host: HostUnderTest):
    working(host, "sleep 300")
    host.operate("cancel", RUN, why="closed")
    host.result(RUN)
    answer = host.operate("cancel", RUN, why="other")
    assert answer.startswith("already state=canceled")
    assert host.record(RUN, "cancel") == "why=closed"


def test_canceling_again_while_it_ends(host: HostUnderTest):
    working(host, STUBBORN["ignores TERM"], grace="3")
    for _ in range(3):
        assert host.operate("cancel", RUN, why="closed").startswith("canceling ")
    assert host.result(RUN)["state"] == "canceled"


def test_a_result_that_was_first_stands(host: HostUnderTest):
    host.run(RUN, "exit 3")
    assert host.operate("cancel", RUN, why="closed").startswith("already state=failed;rc=3")
    assert host.operate("settle", RUN).startswith("already state=failed;rc=3")


def test_canceling_while_it_prepares(host: HostUnderTest):
    host.prelude = "sleep 300"
    host.launch(RUN, "true")
    until(lambda: host.marked(RUN))
    host.operate("cancel", RUN, why="closed")
    assert host.result(RUN)["state"] == "canceled"
    assert host.marked(RUN) == []


@pytest.mark.parametrize("pause", [0, 0.005, 0.01, 0.02, 0.03, 0.05])
def test_canceling_right_after_the_launch(host: HostUnderTest, pause: float):
    """At whatever moment it comes, the run ends canceled or void, and nothing of it lives."""
    host.launch(RUN, "sleep 300")
    time.sleep(pause)
    word = host.operate("cancel", RUN, why="closed").split()[0]
    if word == "void":
        assert host.record(RUN, "started") == "void"
    else:
        assert host.result(RUN)["state"] == "canceled"
    until(lambda: not host.marked(RUN))


@pytest.mark.parametrize("operation, word", [("cancel", "absent"), ("settle", "absent"), ("cleanup", "already")])
def test_runs_that_are_not_there(host: HostUnderTest, operation: str, word: str):
    assert host.operate(operation, RUN, why="x").split()[0] == word
    assert not host.directory(RUN).exists()


@pytest.mark.parametrize("operation, word", [("settle", "void"), ("cancel", "void")])
def test_a_claim_that_was_never_started_is_voided(host: HostUnderTest, operation: str, word: str):
    host.directory(RUN).mkdir()
    assert host.observe().live() == {f"_/runs/{RUN}": ("free", "0")}
    assert host.operate(operation, RUN, why="x").split()[0] == word
    assert host.record(RUN, "started") == "void"
    assert host.observe().live() == {}
    assert host.operate(operation, RUN, why="x").startswith("already void")


def test_a_voided_run_never_starts(host: HostUnderTest):
    """A supervisor that comes late finds the record, and ends with 76."""
    host.launch(RUN, "touch /tmp/never-$RECONCILER_RUN")
    host.result(RUN)
    from reconciler.remote import scripts

    run = host.directory("late-0123abcd-1")
    run.mkdir()
    (run / "supervisor.sh").write_text(scripts.supervisor())
    (run / "settings").write_text("mark=00\n")
    (run / "lock").touch()
    assert host.operate("settle", run.name).startswith("void ")
    (run / "supervisor.sh").write_text(scripts.supervisor())
    done = subprocess.run(["bash", str(run / "supervisor.sh"), "supervise", str(run)])
    assert done.returncode == 76


def test_settling_what_is_alive_changes_nothing(host: HostUnderTest):
    working(host, "sleep 300")
    assert host.operate("settle", RUN).startswith("alive ")
    assert host.operate("cleanup", RUN).startswith("active ")
    assert host.observe().live() == {f"_/runs/{RUN}": ("held", "0")}
    host.operate("cancel", RUN, why="over")
    host.result(RUN)


@pytest.mark.parametrize("last", ["0", "1"])
def test_a_run_whose_supervisor_and_worker_are_gone_is_lost(host: HostUnderTest, last: str):
    working(host, "sleep 300", last=last)
    kill_supervisor(host)
    for pid in host.marked(RUN):
        os.kill(pid, signal.SIGKILL)
    until(lambda: host.observe().live() == {f"_/runs/{RUN}": ("free", "0")})  # its watchdog ends by itself
    assert host.operate("settle", RUN).startswith("lost ")
    result = host.result(RUN)
    assert (result["state"], result["r"], result.get("last", "0")) == ("lost", "SupervisorGone", last)
    assert host.operate("settle", RUN).startswith("already ")


@pytest.mark.parametrize(
    "operation, word, expected",
    [
        ("settle", "settling", {"state": "lost", "r": "SupervisorGone"}),
        ("cancel", "canceling", {"state": "canceled"}),
    ],
)
@pytest.mark.parametrize("kind", ["ignores TERM", "a session of its own"])
def test_what_a_dead_supervisor_left_is_reaped(
    host: HostUnderTest, operation: str, word: str, expected: dict[str, str], kind: str
):
    working(host, STUBBORN[kind])
    kill_supervisor(host)
    lock, survivors = host.observe().live()[f"_/runs/{RUN}"]
    assert lock == "free"
    assert int(survivors) >= 1
    assert host.operate(operation, RUN, why="x").split()[0] == word
    result = host.result(RUN)
    result.pop("t")
    assert result == expected
    assert host.marked(RUN) == []


def test_the_watchdog_ends_with_its_supervisor(host: HostUnderTest):
    working(host, "sleep 300")
    kill_supervisor(host)
    path = str(host.directory(RUN) / "supervisor.sh").encode()

    def watchdogs() -> list[str]:
        found = []
        for file in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                if path in file.read_bytes() and b"supervise" in file.read_bytes():
                    found.append(file.parent.name)
            except OSError:
                continue
        return found

    # The two drains stay as long as the worker has something to say.
    until(lambda: len(watchdogs()) <= 2)
    host.operate("settle", RUN)
    host.result(RUN)
    until(lambda: not watchdogs())


@pytest.mark.parametrize(
    "operation, expected", [("settle", {"state": "lost", "r": "Rebooted"}), ("cancel", {"state": "canceled"})]
)
def test_after_a_reboot_no_process_is_signalled(host: HostUnderTest, operation: str, expected: dict[str, str]):
    stranger = subprocess.Popen(["sleep", "60"], env={**os.environ, "RECONCILER_MARK": f"{RUN};00000000"})
    run = host.directory(RUN)
    run.mkdir()
    (run / "lock").touch()
    (run / "owner").symlink_to("l=0a1b2c3d;n=1;q=-;m=00000000")
    (run / "started").symlink_to(f"p={stranger.pid};s=1;b=000000000000")
    host.operate(operation, RUN, why="x")
    result = host.result(RUN)
    result.pop("t")
    assert result == expected
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


def test_a_pid_that_changed_hands_is_not_signalled(host: HostUnderTest):
    stranger = subprocess.Popen(["sleep", "60"])
    boot = open("/proc/sys/kernel/random/boot_id").read().replace("-", "")[:12]
    run = host.directory(RUN)
    run.mkdir()
    (run / "owner").symlink_to("l=0a1b2c3d;n=1;q=-;m=00000000")
    (run / "started").symlink_to(f"p={stranger.pid};s=1;b={boot}")
    with (run / "lock").open("w") as lock:
        import fcntl

        fcntl.flock(lock, fcntl.LOCK_EX)
        assert host.operate("cancel", RUN, why="x").startswith("canceling ")
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


def test_a_supervisor_that_is_told_to_end_by_nobody_s_record(host: HostUnderTest):
    """As at a shutdown: that is no cancel, retries decide."""
    working(host, "sleep 300")
    os.kill(supervisor(host), signal.SIGTERM)
    result = host.result(RUN)
    assert (result["state"], result["r"]) == ("lost", "SupervisorGone")
    assert host.marked(RUN) == []


def test_the_scan_must_find_itself(host: HostUnderTest, tmp_path: Path):
    """A grep that finds nothing is no proof that nothing is there."""
    working(host, "sleep 300")
    kill_supervisor(host)
    blind = tmp_path / "bin"
    blind.mkdir()
    (blind / "grep").write_text("#!/bin/sh\nexit 1\n")
    (blind / "grep").chmod(0o755)
    sighted = dict(host.env)
    host.env = {**sighted, "PATH": f"{blind}:{sighted['PATH']}"}
    assert host.observe().live() == {f"_/runs/{RUN}": ("free", "-")}
    assert host.operate("settle", RUN).startswith("unknown ")
    assert host.operate("cancel", RUN, why="x").startswith("unknown ")
    assert not host.record(RUN, "result")
    host.env = sighted
    host.operate("settle", RUN)
    assert host.result(RUN)["state"] in ("lost", "canceled")


def test_many_runs_end_by_themselves(host: HostUnderTest):
    """The end of a worker and everything around it race in every possible way; each run gets its result."""
    runs = [f"t{index}-00000000-1" for index in range(30)]
    fields = [field for run in runs for field in host.launch_fields(run, "exit 3")]
    assert host.call("act", fields).words() == ["accepted"] * len(runs)
    assert {host.result(run).get("rc") for run in runs} == {"3"}


def one(probe: Callable[[], list[int]]) -> int:
    return until(probe)[0]


def test_marks_are_found_from_outside(host: HostUnderTest):
    working(host, "exec sleep 300")
    assert one(lambda: marked(f"RECONCILER_MARK={RUN};{host.marks[RUN]}".encode()))
    host.operate("cancel", RUN, why="over")
    host.result(RUN)
