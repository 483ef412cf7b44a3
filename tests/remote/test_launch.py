"""Launching: at most once, whoever asks, however often, however late."""

import os
import subprocess
import time
from dataclasses import replace
from threading import Thread

import pytest

from tests.remote.harness import BASH, HostUnderTest, parse
from tests.waiting import until

RUN = "build-0123abcd-1"


def test_a_run_from_launch_to_result(host: HostUnderTest):
    result = host.run(RUN, "echo out; echo err >&2")
    assert (result["state"], result["rc"]) == ("succeeded", "0")
    assert (host.log(RUN), host.log(RUN, "stderr")) == ("out\n", "err\n")
    records = host.observe().records()
    assert records[f"_/runs/{RUN}/owner"] == f"l=0a1b2c3d;n=1;q=-;m={host.marks[RUN]}"
    assert records[f"_/runs/{RUN}/phase"] == "work"
    assert records[f"_/runs/{RUN}/started"].startswith("p=")
    assert all(len(text) <= 59 for text in records.values())


def test_a_second_launch_says_taken(host: HostUnderTest):
    fields = host.launch_fields(RUN, 'echo once >>"$RECONCILER_RUN_DIR/../../count"')
    words = [host.call("act", fields).words()[0] for _ in range(3)]
    assert words == ["accepted", "taken", "taken"]
    host.result(RUN)
    assert (host.root / "_/count").read_text() == "once\n"


def test_raced_launches_run_once(host: HostUnderTest):
    words: list[str] = []
    fields = host.launch_fields(RUN, 'echo once >>"$RECONCILER_RUN_DIR/../../count"')
    threads = [Thread(target=lambda: words.append(host.call("act", fields).words()[0])) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(words) == ["accepted"] + ["taken"] * 7
    host.result(RUN)
    assert (host.root / "_/count").read_text() == "once\n"


def test_a_late_launch_after_the_lease_has_changed_is_refused(host: HostUnderTest):
    late = host.stdin("act", host.launch_fields(RUN, "true"))
    assert replace(host, number=2, ledger="ffffffff").take().code == 0
    done = subprocess.run(BASH, input=late, capture_output=True)
    assert parse(done.stdout, "n0nce").code == 3
    assert not host.directory(RUN).exists()


def test_many_launches_travel_in_one_call(host: HostUnderTest):
    runs = [f"t{index}-00000000-1" for index in range(10)]
    answer = host.call("act", [field for run in runs for field in host.launch_fields(run, "echo $RECONCILER_TASK")])
    assert answer.words() == ["accepted"] * 10
    assert [name for name, _ in answer.frames if "/" in name] == [f"launch/{run}" for run in runs]
    for run in runs:
        assert host.result(run)["state"] == "succeeded"
        assert host.log(run) == run.split("-")[0] + "\n"


@pytest.mark.parametrize("number, word", [(1, "stale"), (2, "taken"), (3, "accepted"), (10, "accepted")])
def test_an_attempt_below_one_that_exists_is_stale(host: HostUnderTest, number: int, word: str):
    assert host.run("build-0123abcd-2", "true")["state"] == "succeeded"
    run = f"build-0123abcd-{number}"
    assert host.launch(run, "true") == word
    assert host.directory(run).exists() == (word != "stale")
    if word == "accepted":
        host.result(run)


def test_what_was_cleaned_up_never_runs_again(host: HostUnderTest):
    host.run("build-0123abcd-2", "true")
    host.operate("cleanup", "build-0123abcd-2")
    assert host.launch("build-0123abcd-2", "true") == "done"
    assert host.launch("build-0123abcd-1", "true") == "stale"
    assert host.launch("other-0123abcd-1", "true") == "accepted"
    assert not host.directory("build-0123abcd-2").exists()
    host.result("other-0123abcd-1")


@pytest.mark.parametrize(
    "path",
    [
        "/etc",
        "_/runs/../../x-00000000-1",
        "_/done/a-00000000-1",
        "a-00000000-1",
        "_/runs/a-00000000-1/work",
        "_/runs/A",
    ],
)
@pytest.mark.parametrize("operation", ["launch", "cleanup", "cancel", "settle"])
def test_paths_outside_the_runs_are_refused(host: HostUnderTest, operation: str, path: str):
    assert host.call("act").code == 0  # the revision is there from now on
    before = sorted(host.root.rglob("*"))
    assert host.call("act", [(operation, path)]).code == 65
    assert sorted(host.root.rglob("*")) == before


@pytest.mark.parametrize("missing", ["mark", "rerun_key", "file.worker.sh"])
def test_an_incomplete_launch_starts_nothing(host: HostUnderTest, missing: str):
    fields = [(key, value) for key, value in host.launch_fields(RUN, "true") if key != missing]
    assert host.call("act", fields).words() == ["failed"]
    assert host.record(RUN, "started") in ("", "void")


def test_a_launch_that_cannot_write_ends_void(host: HostUnderTest):
    fields = [*host.launch_fields(RUN, "true"), ("file.escape", "x")]
    answer = host.call("act", fields)
    assert answer.words() == ["failed"]
    assert host.record(RUN, "started") == "void"
    assert answer.live() == {}
    assert not list(host.root.rglob("escape"))


def test_the_supervisor_inherits_nothing_but_its_lock(host: HostUnderTest):
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    host.launch(RUN, "sleep 20")
    pid = int(until(lambda: host.record(RUN, "started")).split(";")[0][2:])
    until(lambda: host.record(RUN, "phase") == "work")
    targets = {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
    run = str(host.directory(RUN))
    files = {target for target in targets if target.startswith("/") and target != "/dev/null"}
    assert files == {f"{run}/lock", f"{run}/supervisor.sh", f"{run}/supervisor.log"}
    worker = next(pid for pid in host.marked(RUN))
    assert not any(os.readlink(f"/proc/{worker}/fd/{fd}").endswith("/lock") for fd in os.listdir(f"/proc/{worker}/fd"))
    host.operate("cancel", RUN, why="over")
    host.result(RUN)
    os.close(reading)
    os.close(writing)


def test_launching_answers_at_once(host: HostUnderTest):
    """Nothing of the run keeps the call open."""
    began = time.monotonic()
    host.launch(RUN, "sleep 30")
    assert time.monotonic() - began < 5
    host.operate("cancel", RUN, why="over")
    host.result(RUN)
