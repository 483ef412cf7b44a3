"""Where a fleet ends: other fleets, older commits, other ledgers, what left git; and a plan that touches nothing."""

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.fleet import Fleet
from tests.e2e.hosts import (
    BEGIN,
    LONG,
    OnMachines,
    changes,
    declare,
    launched,
    once,
    settle,
    starts,
    unreachable,
    where,
    whys,
    workers,
)
from tests.machines.machine import Machine
from tests.waiting import until

pytestmark = [pytest.mark.machines]


def stats(folder: Path) -> dict[str, tuple[int, ...]]:
    """Path → inode, size, times of everything below a folder."""
    found = {}
    for path in sorted(folder.rglob("*")):
        told = path.lstat()
        found[str(path)] = (told.st_ino, told.st_size, told.st_mtime_ns, told.st_ctime_ns)
    return found


def workspace(machine: Machine, root: str = ".reconciler") -> dict[str, list[str]]:
    """What is in the folders of a workspace."""
    return {name: sorted(os.listdir(machine.home / root / "_" / name)) for name in ("runs", "trash", "done")}


def clone(fleet: Fleet, name: str, *words: str) -> Fleet:
    """Another checkout of the repository with a state folder of its own, as a CI job has."""
    room = fleet.room / name
    room.mkdir()
    subprocess.run(["git", "clone", "-q", *words, f"file://{fleet.repo}", str(room / fleet.name)], check=True)
    return Fleet(room, fleet.name, fleet.id)


def rows(fleet: Fleet) -> list[list[str]]:
    """The table of tasks but for times."""
    return [line.split()[:4] for line in fleet.run("get", "tasks").stdout.splitlines()]


def held(report: dict[str, Any]) -> set[tuple[str, str]]:
    """(action, task) of what is held."""
    return {(change["action"], change["task"]) for change in report["held"]}


def test_two_fleets_on_the_same_hosts(on_machines: OnMachines) -> None:
    fleet, machines = on_machines(2)
    fleet.task("a", LONG)
    fleet.commit()
    once(fleet)
    until(lambda: starts(*machines))
    once(fleet)
    other = Fleet(fleet.room, "other")
    for machine in machines:
        declare(other, machine)
    other.task("a", LONG)
    other.commit()
    before = [stats(machine.home / ".reconciler") for machine in machines]
    why = "its workspace belongs to fleet fleet: set a workspaceRoot of this fleet's own on the Host"
    # The one without a run has no workspace yet, and may become the other's; the one with a run is the first one's.
    home = next(machine for machine in machines if workers(machine))
    other.remove(f"hosts/{next(machine.name for machine in machines if machine is not home)}.yaml")
    other.commit()
    for words in (["plan"], ["reconcile"], ["reconcile", "--wait"], ["cleanup"]):
        assert unreachable(other.json(*words, check=3)) == {home.name: why}
    assert "belongs to fleet fleet" in other.run("host", "reset", home.name, "--yes", check=3).stderr
    checks = other.json("host", "check", home.name, check=3)["checks"]
    assert [check["name"] for check in checks if not check["ok"]] == ["workspace"]
    assert [stats(machine.home / ".reconciler") for machine in machines] == before
    declare(other, home, workspaceRoot="~/second")
    other.commit()
    assert changes(once(other)) == {("launch", "a", home.name)}
    until(lambda: len(workers(home)) == 2)
    for one in (fleet, other):
        until(lambda one=one: once(one) and where(one) == {"a": f"Running {home.name}"})  # type: ignore[misc]
        assert once(one)["changes"] == []


def test_a_controller_at_an_older_commit_undoes_nothing(on_machines: OnMachines) -> None:
    fleet, (one,) = on_machines(1)
    fleet.task("a", LONG)
    fleet.task("b", BEGIN)
    old = fleet.commit()
    once(fleet)
    fleet.task("c", LONG)
    fleet.task("b", BEGIN + "true")
    new = fleet.commit()
    settle(fleet, lambda: len(starts(one)) == 4)
    settle(fleet, lambda: once(fleet)["changes"] == [])
    job = clone(fleet, "job")
    job.git("checkout", "-q", old)
    for words in (["plan"], ["reconcile"]):
        report = job.json(*words, check=4)
        assert held(report) == {("cancel", "c")}
        for part in (new[:8], old[:8], "update the checkout", "--allow-prune"):
            assert part in report["heldWhy"]
    assert len(workers(one)) == 2
    assert once(fleet)["changes"] == []
    # With a clone that is too shallow nobody can tell.
    fleet.task("e", BEGIN)
    newest = fleet.commit()
    shallow = clone(fleet, "shallow", "--depth", "1")
    report = once(shallow, 4)
    assert held(report) == {("launch", "e")}
    assert "this shallow clone cannot tell" in report["heldWhy"]
    assert "fetch-depth: 0" in report["heldWhy"]
    shallow.git("fetch", "-q", "--unshallow")
    assert launched(once(shallow)) == {("e", "box1")}
    settle(fleet, lambda: where(fleet)["e"] == "Succeeded box1")
    assert fleet.json("plan")["revision"] == newest
    assert len(starts(one)) == 5


def test_a_lost_ledger(on_machines: OnMachines) -> None:
    fleet, (one, two) = on_machines(2, deadline="4s")
    fleet.fleet(retention={"runs": 1, "age": "1s"})
    fleet.task("fails", f"{BEGIN}exit 3", host="box1")
    fleet.task("done", BEGIN, host="box1")
    fleet.task("old", BEGIN, host="box2")
    fleet.task("runs", LONG, host="box2")
    fleet.commit()
    once(fleet)
    settle(fleet, lambda: workspace(one)["runs"] == [] and len(workspace(two)["runs"]) == 1)
    once(fleet)
    table = rows(fleet)
    assert {row[0]: row[1] for row in table[1:]} == {
        "fails": "Failed",
        "done": "Succeeded",
        "old": "Succeeded",
        "runs": "Running",
    }
    shutil.copytree(fleet.state, fleet.room / "copy")
    # Everything is lost, and all hosts answer: nothing starts again.
    shutil.rmtree(fleet.state)
    assert "launch" not in {action for action, _, _ in changes(once(fleet))}
    assert rows(fleet) == table
    # An old copy is put back: the same.
    shutil.rmtree(fleet.state)
    shutil.copytree(fleet.room / "copy", fleet.state)
    assert "launch" not in {action for action, _, _ in changes(once(fleet))}
    assert rows(fleet) == table
    # Everything is lost, and one host is down: nothing at all starts before it is back, or declared gone.
    shutil.rmtree(fleet.state)
    one.cut()
    fleet.task("new", BEGIN, host="box2")
    fleet.commit()
    for command in ("plan", "reconcile"):
        report = fleet.json(command, check=3)
        assert "launch" not in {action for action, _, _ in changes(report)}
        for task in ("fails", "done", "new"):
            assert whys(report)[task].startswith("nothing starts before every host was seen once: box1 (")
            assert "gone: true" in whys(report)[task]
    assert len(starts(one, two)) == 4
    one.heal()
    settle(fleet, lambda: where(fleet)["new"] == "Succeeded box2")
    assert [row for row in rows(fleet) if row[0] != "new"] == table
    shutil.rmtree(fleet.state)
    one.cut()
    declare(fleet, one, gone="true")
    fleet.task("newer", BEGIN, host="box2")
    fleet.commit()
    settle(fleet, lambda: where(fleet)["newer"] == "Succeeded box2")
    assert starts(one, two).count(next(run for run in starts(two) if run.startswith("runs"))) == 1
    assert len(starts(one, two)) == 6


def test_a_new_ledger_beside_a_living_controller(on_machines: OnMachines) -> None:
    fleet, (one,) = on_machines(1)
    fleet.task("runs", LONG)
    fleet.commit()
    process = fleet.start("watch")
    other = fleet.other_controller("other")
    try:
        until(lambda: workers(one))
        until(lambda: f"{fleet_ledger(fleet)} " in (one.home / ".reconciler/_/holder").read_text())
        # The daemon does not come to it; its doorbell is open, so nobody else may.
        process.send_signal(signal.SIGSTOP)
        fleet.task("more", LONG)
        fleet.commit()
        refused = other.run("reconcile", check=7)
        assert "another controller" in refused.stderr
        # Somebody insists: the daemon has lost the fleet when it is back.
        once(other, 0, "--take-over")
        until(lambda: len(workers(one)) == 2)
        process.send_signal(signal.SIGCONT)
        fleet.task("third", LONG)
        fleet.commit()
        _, errors = process.communicate(timeout=30)
        assert process.returncode == 7, errors
        assert re.search(r"error: .*controller.* box1|error: .*box1.* held by", errors), errors
    finally:
        process.kill()
    settle(other, lambda: len(starts(one)) == 3)
    assert len(set(starts(one))) == 3


def fleet_ledger(fleet: Fleet) -> str:
    """The id of a controller's ledger."""
    with closing(sqlite3.connect(next(fleet.state.rglob("ledger.db")))) as connection:
        return str(connection.execute("SELECT value FROM meta WHERE key = 'ledger'").fetchone()[0])


def test_deleted_tasks_need_a_budget_or_a_person(on_machines: OnMachines) -> None:
    fleet, (one, two) = on_machines(2)
    for number in range(4):
        fleet.task(f"t{number}", BEGIN)
    fleet.task("runs", LONG)
    fleet.commit()
    once(fleet)
    settle(fleet, lambda: len(starts(one, two)) == 5 and once(fleet)["changes"] == [])

    def names(kind: str) -> set[str]:
        """The tasks that lie in this folder of the workspaces."""
        return {run.partition("-")[0] for machine in (one, two) for run in workspace(machine)[kind]}

    # Two may go without asking, three of five may not.
    for number in range(2):
        fleet.remove(f"tasks/t{number}.yaml")
    fleet.commit()
    assert {change[:2] for change in changes(once(fleet))} == {("cleanup", "t0"), ("cleanup", "t1")}
    for path in (fleet.repo / "tasks").iterdir():
        path.unlink()
    fleet.commit()
    for words in (["plan"], ["reconcile"], ["reconcile", "--wait"]):
        report = fleet.json(*words, check=4)
        assert held(report) == {("cleanup", "t2"), ("cleanup", "t3"), ("cancel", "runs")}
        assert report["heldWhy"].startswith("3 tasks left git, and no Task is left in it: look at the list")
        assert "--allow-prune" in report["heldWhy"]
    assert "--allow-prune" in fleet.run("reconcile", check=4).stdout
    assert len(workers(one) + workers(two)) == 1
    fleet.reconcile("--allow-prune")
    assert (workers(one), workers(two)) == ([], [])
    assert names("runs") | names("trash") == set()
    assert names("done") == {"t0", "t1", "t2", "t3", "runs"}
    assert [fleet.json("get", kind)["items"] for kind in ("tasks", "runs")] == [[], []]
    assert fleet.run("plan", "--detailed-exitcode").returncode == 0
    # One comes back: it is done, and says so.
    fleet.task("t1", BEGIN)
    fleet.commit()
    plan = fleet.json("plan")
    assert plan["changes"] == []
    assert "task t1 is already done (Succeeded on box" in plan["warnings"][0]
    fleet.reconcile()
    assert [item["why"] for item in fleet.json("get", "tasks")["items"]] == ["already done"]
    assert len(starts(one, two)) == 5


def test_cleanup_and_reset(on_machines: OnMachines) -> None:
    fleet, (one,) = on_machines(1)
    fleet.task("done", BEGIN)
    fleet.task("leaves", BEGIN)
    fleet.task("runs", LONG)
    fleet.commit()
    once(fleet)
    settle(fleet, lambda: len(starts(one)) == 3 and once(fleet)["changes"] == [])
    fleet.remove("tasks/leaves.yaml")
    fleet.task("new", BEGIN)
    fleet.commit()
    before = stats(one.home / ".reconciler")
    assert changes(fleet.json("cleanup", "--dry-run")) == {("cleanup", "leaves", "box1")}
    assert stats(one.home / ".reconciler") == before
    assert changes(fleet.json("cleanup")) == {("cleanup", "leaves", "box1")}
    assert [run.partition("-")[0] for run in workspace(one)["runs"]] == ["done", "runs"]
    assert len(starts(one)) == 3
    refused = fleet.run("host", "reset", "box1", "--yes", check=4).stderr
    assert "still active: runs-" in refused
    assert "confirm with --yes" in fleet.run("host", "reset", "box1", check=64).stderr
    fleet.task("runs", LONG, state="closed")
    fleet.task("new", BEGIN, state="closed")
    fleet.commit()
    settle(fleet, lambda: workers(one) == [] and once(fleet)["changes"] == [])
    # A controller that never acted here may do it, too.
    job = fleet.other_controller("job")
    assert job.json("host", "reset", "box1", "--yes")["removed"]["runs"] == 2
    kept = workspace(one)
    assert (kept["runs"], kept["trash"], len(kept["done"])) == ([], [], 3)
    fleet.task("new", BEGIN)
    fleet.commit()
    assert changes(once(fleet)) >= {("launch", "new", "box1")}
    settle(fleet, lambda: where(fleet) == {"done": "Succeeded box1", "new": "Succeeded box1", "runs": "Closed box1"})
    assert len(starts(one)) == 4
    assert os.readlink(one.home / ".reconciler/_/fleet") == f"{fleet.id};fleet"


def test_a_plan_changes_nothing_anywhere(on_machines: OnMachines) -> None:
    fleet, machines = on_machines(2)
    declare(fleet, machines[1], slots=1)
    fleet.task("a", LONG, host="box1")
    fleet.task("b", BEGIN, host="box1")
    fleet.commit()

    def all_there_is() -> list[dict[str, tuple[int, ...]]]:
        """Hosts, repository, configuration, ledger: all but what ssh knows."""
        folders: Iterable[Path] = [*(machine.home for machine in machines), fleet.repo, fleet.room / "config"]
        ledger = [path for path in fleet.state.rglob("*") if path.name.startswith("ledger") or "archive" in path.parts]
        return [*map(stats, folders), {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in ledger}]

    def plans(*more: list[str]) -> None:
        before = all_there_is()
        for words in (["plan"], ["plan", "--out", str(fleet.room / "plan.json")], ["reconcile", "--dry-run"], *more):
            report = json.loads(fleet.run(*words, "-o", "json", check=0).stdout)
            assert report["changes"], words
        assert all_there_is() == before

    fleet.run("validate", check=0)
    plans()  # no workspace anywhere
    once(fleet)
    settle(fleet, lambda: len(starts(machines[0])) == 2 and once(fleet)["changes"] == [])
    fleet.task("a", LONG + "true", host="box1")
    fleet.remove("tasks/b.yaml")
    fleet.task("c", BEGIN, host="box2")
    fleet.commit()
    plans(["cleanup", "--dry-run"])
    assert len(workers(machines[0])) == 1
