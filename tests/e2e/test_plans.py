"""Plans, and everything that decides when something starts: selectors, reruns, dependencies, priorities, backoff."""

import json
import socket
from itertools import pairwise

import pytest

from tests.e2e.fleet import Fleet
from tests.waiting import until


def log(fleet: Fleet) -> list[str]:
    """The runs that started, in their order."""
    file = fleet.room / "starts"
    return file.read_text().split() if file.exists() else []


@pytest.fixture
def says(fleet: Fleet) -> str:
    """A script whose start can be seen."""
    return f'echo "$RECONCILER_RUN" >>{fleet.room}/starts\n'


def names(runs: list[str]) -> list[str]:
    """The tasks of runs."""
    return [run.rsplit("-", 2)[0] for run in runs]


def test_a_saved_plan_is_carried_out_while_it_is_true(fleet: Fleet, says: str) -> None:
    fleet.local()
    fleet.task("one", says)
    fleet.commit()
    plan = str(fleet.room / "plan.json")
    assert fleet.run("plan", "--detailed-exitcode", "--out", plan).returncode == 2
    fleet.task("two", says)
    fleet.commit()
    refused = fleet.run("reconcile", "--plan", plan)
    assert refused.returncode == 4, refused.stdout + refused.stderr
    assert "plan" in refused.stderr
    assert log(fleet) == []
    fleet.run("plan", "--out", plan, check=0)
    assert fleet.run("reconcile", "--plan", plan, "--wait").returncode == 0
    assert sorted(names(log(fleet))) == ["one", "two"]
    assert fleet.run("plan", "--detailed-exitcode").returncode == 0
    spent = fleet.run("reconcile", "--plan", plan)
    assert spent.returncode == 4, spent.stdout + spent.stderr


def test_a_saved_plan_is_refused_when_the_hosts_have_changed(fleet: Fleet, says: str) -> None:
    fleet.local()
    fleet.task("one", says)
    fleet.commit()
    plan = str(fleet.room / "plan.json")
    fleet.run("plan", "--out", plan, check=0)
    fleet.other_controller("other").reconcile()
    refused = fleet.run("reconcile", "--plan", plan)
    assert refused.returncode == 4, refused.stdout + refused.stderr
    assert len(log(fleet)) == 1


def test_looking_changes_nothing(fleet: Fleet, says: str) -> None:
    workspace = fleet.local()
    fleet.task("one", says)
    fleet.commit()
    assert fleet.run("plan").returncode == 0
    assert fleet.run("reconcile", "--dry-run").returncode == 0
    assert fleet.json("plan")["changes"][0]["action"] == "launch"
    assert log(fleet) == []
    assert not workspace.exists()
    assert fleet.json("get", "runs")["items"] == []


def test_detailed_exitcode_is_2_only_when_the_plan_is_complete(fleet: Fleet) -> None:
    fleet.local(address=socket.gethostname())
    fleet.host("away", address="192.0.2.1", deadline="1s")
    fleet.task("one")
    fleet.commit()
    assert fleet.run("plan", "--detailed-exitcode").returncode == 3


def test_a_selector_limits_launches_and_waiting_never_cancels(fleet: Fleet, says: str) -> None:
    fleet.local(slots=8)
    fleet.task("web", says, labels={"team": "web"})
    fleet.task("slow", says + "sleep 600", labels={"team": "data"})
    fleet.task("closed-later", says + "sleep 600", labels={"team": "data"})
    fleet.commit()
    fleet.reconcile("-l", "team=web")
    assert names(log(fleet)) == ["web"]
    assert fleet.phases() == {"web": "Succeeded", "slow": "Pending", "closed-later": "Pending"}
    fleet.run("reconcile", check=0)
    until(lambda: len(log(fleet)) == 3)
    fleet.run("task", "close", "closed-later", check=0)
    fleet.task("web", says + "true", labels={"team": "web"})
    fleet.commit()
    fleet.reconcile("-l", "team=web")  # ends although `slow` goes on
    until(lambda: fleet.run("reconcile", check=0) and fleet.phases()["closed-later"] == "Closed")
    assert fleet.phases() == {"web": "Succeeded", "slow": "Running", "closed-later": "Closed"}
    timed = fleet.run("reconcile", "--wait", "--timeout", "1s")
    assert timed.returncode == 6, timed.stdout + timed.stderr
    fleet.run("task", "close", "slow", check=0)
    fleet.reconcile()


def test_update_policy_ignore_and_rerun(fleet: Fleet, says: str) -> None:
    fleet.local()
    fleet.task("once", says, updatePolicy="ignore")
    fleet.commit()
    fleet.reconcile()
    fleet.task("once", says + ": edited", updatePolicy="ignore")
    fleet.commit()
    assert fleet.reconcile()["changes"] == []
    assert "ignore" in fleet.run("describe", "task", "once", check=0).stdout
    fleet.task("once", says + ": edited", updatePolicy="ignore", rerun="2")
    fleet.commit()
    fleet.reconcile()
    assert len(log(fleet)) == 2
    fleet.run("task", "rerun", "once", check=0)
    fleet.reconcile()
    fleet.run("task", "rerun", "once", check=0)
    fleet.reconcile()
    assert len(log(fleet)) == len(set(log(fleet))) == 4


def test_close_and_reopen(fleet: Fleet, says: str) -> None:
    fleet.local()
    fleet.task("done", says)
    fleet.task("long", says + f"test -e {fleet.room}/go || sleep 600")
    fleet.commit()
    fleet.run("reconcile", check=0)
    until(lambda: len(log(fleet)) == 2)
    for name in ("done", "long"):
        fleet.run("task", "close", name, check=0)
    fleet.reconcile()
    assert fleet.phases() == {"done": "Succeeded", "long": "Closed"}
    (fleet.room / "go").touch()
    for name in ("done", "long"):
        fleet.run("task", "reopen", name, check=0)
    fleet.reconcile()
    assert fleet.phases() == {"done": "Succeeded", "long": "Succeeded"}
    assert sorted(names(log(fleet))) == ["done", "long", "long"]
    assert log(fleet)[-1].endswith("-2")


def test_dependencies_in_a_chain_and_in_a_circle(fleet: Fleet, says: str) -> None:
    fleet.local(slots=8)
    for number in range(6):
        fleet.task(f"c{number}", says, dependsOn=[f"c{number + 1}"] if number < 5 else [])
    fleet.task("a", says, dependsOn=["b"])
    fleet.task("b", says, dependsOn=["a"])
    fleet.task("self", says, dependsOn=["self"])
    fleet.commit()
    problems = fleet.run("validate")
    assert problems.returncode == 1
    assert "a → b → a" in problems.stdout, problems.stdout
    report = fleet.run("reconcile", "--wait", "-o", "json", "--timeout", "20s")
    assert names(log(fleet)) == [f"c{number}" for number in range(5, -1, -1)]
    assert report.returncode == 1, report.stdout  # what was never valid is no task
    # The circle is opened: everything goes on.
    fleet.task("b", says)
    fleet.task("self", says)
    fleet.commit()
    fleet.reconcile()
    assert set(fleet.phases().values()) == {"Succeeded"}
    assert names(log(fleet)).index("b") < names(log(fleet)).index("a")


def test_priorities_and_what_a_dependency_borrows(fleet: Fleet, says: str) -> None:
    fleet.local(slots=1)
    for priority in ("low", "normal", "high", "urgent"):
        fleet.task(priority, says, priority=priority)
    fleet.task("base", says, priority="low")
    fleet.task("above", says, priority="urgent", dependsOn=["base"])
    fleet.commit()
    fleet.reconcile()
    order = names(log(fleet))
    assert order[0] == "base"
    assert {"above", "urgent"} == set(order[1:3])  # which of them depends on when the result of `base` is here
    assert order[3:] == ["high", "normal", "low"]


def test_backoff_doubles(fleet: Fleet) -> None:
    fleet.local()
    times = fleet.room / "times"
    fleet.task("flaky", f"date +%s.%N >>{times}; exit 1", retries={"limit": 3, "backoff": "1s", "maxBackoff": "2s"})
    fleet.commit()
    fleet.reconcile(check=5)
    moments = [float(line) for line in times.read_text().split()]
    gaps = [after - before for before, after in pairwise(moments)]
    # An end is written in whole seconds.
    assert [low <= gap + 1 for low, gap in zip((1, 2, 2), gaps, strict=True)] == [True, True, True], gaps
    assert all(gap < 5 for gap in gaps), gaps
    assert fleet.json("get", "tasks")["items"][0]["attempt"] == 4


def test_suspending_a_task_and_the_fleet(fleet: Fleet, says: str) -> None:
    fleet.local()
    fleet.task("one", says)
    fleet.task("two", says)
    fleet.commit()
    fleet.run("suspend", "one", check=0)
    fleet.reconcile()
    assert fleet.phases() == {"one": "Pending", "two": "Succeeded"}
    fleet.run("resume", "one", check=0)
    fleet.run("suspend", "--all", check=0)
    assert fleet.reconcile()["exit"]["code"] == 0
    assert names(log(fleet)) == ["two"]
    assert "fleet is suspended" in json.dumps(fleet.json("plan")["waits"])
    fleet.run("resume", "--all", check=0)
    fleet.reconcile()
    assert names(log(fleet)) == ["two", "one"]
    fleet.task("three", says + f"test -e {fleet.room}/go || sleep 600")
    fleet.commit()
    fleet.run("reconcile", check=0)
    until(lambda: len(log(fleet)) == 3)
    fleet.run("suspend", "--all", "--cancel", check=0)
    fleet.reconcile()
    assert fleet.phases()["three"] == "Pending"
    (fleet.room / "go").touch()
    fleet.run("resume", "--all", check=0)
    fleet.reconcile()
    assert fleet.phases()["three"] == "Succeeded"
    assert names(log(fleet))[-2:] == ["three", "three"]
