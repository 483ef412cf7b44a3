"""The whole path on the local machine: from a commit to the table, with the same scripts as over ssh."""

import json
from pathlib import Path

import pytest

from tests.e2e.fleet import Fleet
from tests.waiting import until


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path)


def test_one_task_from_commit_to_table(fleet: Fleet) -> None:
    fleet.local()
    fleet.task("hello", "echo hello from $RECONCILER_TASK")
    fleet.commit()
    report = fleet.reconcile()
    assert [(c["action"], c["task"], c["outcome"]) for c in report["changes"]] == [
        ("launch", "hello", "ok"),
        ("collect", "hello", "ok"),
    ]
    assert fleet.phases() == {"hello": "Succeeded"}
    assert fleet.run("logs", "hello", check=0).stdout == "hello from hello\n"


def test_a_second_cycle_changes_nothing(fleet: Fleet) -> None:
    fleet.local()
    fleet.task("hello")
    fleet.commit()
    fleet.reconcile()
    assert fleet.reconcile()["changes"] == []
    assert fleet.run("plan", "--detailed-exitcode").returncode == 0


def test_an_edit_runs_again_and_a_label_does_not(fleet: Fleet) -> None:
    fleet.local()
    fleet.task("hello", "echo one")
    fleet.commit()
    fleet.reconcile()
    fleet.task("hello", "echo one", labels={"team": "web"}, priority="high")
    fleet.commit()
    assert fleet.reconcile()["changes"] == []
    fleet.task("hello", "echo two")
    fleet.commit()
    fleet.reconcile()
    assert fleet.run("logs", "hello", check=0).stdout == "two\n"


def test_fails_twice_and_then_succeeds(fleet: Fleet) -> None:
    fleet.local()
    counter = fleet.room / "counter"
    fleet.task(
        "flaky",
        f"echo x >>{counter}; test $(wc -l <{counter}) -ge 3",
        retries={"limit": 2, "backoff": "1s"},
    )
    fleet.commit()
    fleet.reconcile()
    assert fleet.phases() == {"flaky": "Succeeded"}
    assert counter.read_text() == "x\n" * 3


def test_a_task_that_fails_for_good_exits_5(fleet: Fleet) -> None:
    fleet.local()
    fleet.task("broken", "exit 3")
    fleet.task("after", dependsOn=["broken"])
    fleet.commit()
    report = fleet.reconcile(check=5)
    assert report["exit"] == {"code": 5, "name": "task-failed"}
    assert fleet.phases() == {"broken": "Failed", "after": "Pending"}
    [wait] = report["waits"]
    assert wait["task"] == "after"
    assert "broken" in wait["why"]


def test_closing_cancels_and_keeps_the_record(fleet: Fleet) -> None:
    fleet.local()
    fleet.task("long", "sleep 600")
    fleet.commit()
    fleet.run("reconcile", check=0)
    fleet.run("task", "close", "long", check=0)
    report = fleet.reconcile()
    assert ("cancel", "long") in {(c["action"], c["task"]) for c in report["changes"]}
    assert fleet.phases() == {"long": "Closed"}
    assert [run["phase"] for run in fleet.json("get", "runs")["items"]] == ["Canceled"]


def test_deleting_all_tasks_is_held_until_approved(fleet: Fleet) -> None:
    workspace = fleet.local()
    for name in ("one", "two"):
        fleet.task(name)
    fleet.commit()
    fleet.reconcile()
    for name in ("one", "two"):
        fleet.remove(f"tasks/{name}.yaml")
    fleet.commit()
    held = fleet.run("reconcile", "--wait")
    assert held.returncode == 4
    assert "--allow-prune" in held.stdout
    assert len(list((workspace / "_/runs").iterdir())) == 2
    fleet.reconcile("--allow-prune")
    assert list((workspace / "_/runs").iterdir()) == []
    assert list((workspace / "_/trash").iterdir()) == []
    assert fleet.phases() == {}
    assert fleet.run("plan", "--detailed-exitcode").returncode == 0


def test_a_lost_ledger_starts_nothing_again(fleet: Fleet) -> None:
    fleet.local()
    starts = fleet.room / "starts"
    fleet.task("once", f"echo x >>{starts}")
    fleet.commit()
    fleet.reconcile()
    before = fleet.json("get", "tasks")["items"][0]
    fresh = fleet.other_controller("fresh")
    report = fresh.reconcile()
    assert [c["action"] for c in report["changes"]] == ["collect"]
    after = fresh.json("get", "tasks")["items"][0]
    assert starts.read_text() == "x\n"
    assert {key: after[key] for key in ("phase", "run", "host", "attempt")} == {
        key: before[key] for key in ("phase", "run", "host", "attempt")
    }


def test_a_local_worker_gets_the_login_and_not_the_controllers_environment(fleet: Fleet) -> None:
    fleet.local()
    fleet.environment["SOMEBODY_ELSES_TOKEN"] = "canary-4711"
    fleet.task("look", "env; tr '\\0' '\\n' </proc/$PPID/environ")
    fleet.commit()
    fleet.reconcile()
    printed = fleet.run("logs", "look", check=0).stdout
    assert "canary-4711" not in printed
    assert "HOME=" in printed


def test_a_commit_is_told_once_however_many_cycles_look_at_it(fleet: Fleet) -> None:
    fleet.local()
    fleet.task("hello")
    fleet.write("tasks/bad.yaml", "[")
    fleet.commit()
    for _ in range(3):
        fleet.run("reconcile", "--wait", check=1)
    told = [json.loads(line)["type"] for line in fleet.run("events", "-o", "json", check=0).stdout.splitlines()]
    assert (told.count("revision"), told.count("invalid")) == (1, 1)


def test_what_a_worker_said_of_its_end_outlives_its_directory_and_the_ledger(fleet: Fleet) -> None:
    fleet.local()
    fleet.fleet(retention={"runs": 0, "age": "1s"})
    fleet.task("ask", 'echo \'{"status": "blocked", "summary": "which one?"}\' >$RECONCILER_RESULT_FILE')
    fleet.commit()
    fleet.reconcile(check=5)
    until(lambda: fleet.run("reconcile").returncode == 0 and not list((fleet.room / "workspace-here/_/runs").iterdir()))
    fresh = fleet.other_controller("fresh")
    assert fresh.reconcile(check=5)["changes"] == []
    assert fresh.phases() == {"ask": "Blocked"}


def test_rewritten_history_is_held_although_something_had_to_be_collected_first(fleet: Fleet) -> None:
    workspace = fleet.local()
    for name in ("one", "two", "three"):
        fleet.task(name)
    fleet.commit()
    fleet.reconcile()
    fleet.task("second", "sleep 1")
    fleet.commit()
    fleet.run("reconcile", check=0)
    until(lambda: [run for run in workspace.glob("_/runs/second-*") if (run / "result").is_symlink()])
    fleet.git("reset", "--quiet", "--hard", "HEAD~1")
    report = fleet.json("reconcile", check=4)
    assert "rewritten" in report["heldWhy"]
    assert [(change["action"], change["task"]) for change in report["held"]] == [("cleanup", "second")]
    assert fleet.json("reconcile", check=4)["held"] == report["held"]
    fleet.reconcile("--allow-prune")
    assert [*workspace.glob("_/runs/second-*")] == []
    assert fleet.reconcile()["held"] == []
