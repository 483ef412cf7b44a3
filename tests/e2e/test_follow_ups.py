"""The life of an agent's task: run, follow-up, close, delete; what lies on the host after each step, and nothing is lost."""

import fcntl
from pathlib import Path

import pytest

from tests.e2e.agents import (
    Site,
    git,
    home,
    install,
    local_host,
    make_remote,
    project,
    rows,
    runs,
    says,
    site,
    task,
    tools,
)
from tests.e2e.agents import inside as path_of
from tests.e2e.fleet import Fleet
from tests.e2e.hosts import OnMachines, changes, events, once
from tests.waiting import until


def runs_of(fleet: Fleet, name: str) -> list[str]:
    """Its runs in the order in which they began."""
    found = [run for run in runs(fleet).values() if run["name"].rsplit("-", 2)[0] == name]
    return [run["name"] for run in sorted(found, key=lambda run: (run["startedAt"] or "9", run["attempt"]))]


def lies(place: Site) -> dict[str, set[str]]:
    """What of the project lies on a host, the clone itself apart."""
    return {
        "worktrees": place.worktrees(),
        "git worktrees": {
            line.rsplit("/", 1)[1]
            for line in place.git("worktree", "list", "--porcelain").splitlines()
            if line.startswith("worktree ") and "/worktrees/" in line
        },
        "branches": place.refs(),
        "runs": place.runs(),
    }


@pytest.mark.machines
def test_from_the_first_run_to_the_last_trace(on_machines: OnMachines) -> None:
    fleet, [machine] = on_machines(1)
    install(machine)
    remote = make_remote(home(machine) / "remotes")
    base = remote.branches()["main"]
    project(fleet, path_of(machine, remote))
    task(fleet, "work", "pr push")
    task(fleet, "keeps", "pr push")
    place = site(machine)

    fleet.commit()
    fleet.reconcile()
    [first], [other] = runs_of(fleet, "work"), runs_of(fleet, "keeps")
    branch = f"reconciler/{first}"
    branches = {"main", branch, f"reconciler/{other}"}
    known = place.registry()
    assert known["base"] == "main"
    assert lies(place) == {
        "worktrees": {first, other},
        "git worktrees": {first, other},
        "branches": branches,
        "runs": {first, other},
    }
    assert set(remote.branches()) == branches
    assert place.marks() == set()

    # A follow-up: the same branch, worktree, pull request and tool.
    fleet.run("task", "follow-up", "work", says("pr push"), check=0)
    fleet.reconcile()
    _, second = runs_of(fleet, "work")
    row = rows(fleet)["work"]
    assert (row["run"], row["phase"], row["branch"], row["agent"]) == (second, "Succeeded", branch, "codex")
    assert row["pullRequestUrl"] == "https://github.com/acme/app/pull/7"
    assert remote.log(branch) == ["feat: the work", "feat: the work", "chore: begin"]
    assert remote.show(branch, "WORK.md").splitlines() == [f"work of {first}", f"work of {second}"]
    prompt = (place.root / "app/runs" / second / "prompt.md").read_text()
    assert "https://github.com/acme/app/pull/7" in prompt
    assert "> Succeeded: The work is done (pr).\n" in prompt
    assert lies(place) == {
        "worktrees": {first, other},
        "git worktrees": {first, other},
        "branches": branches,
        "runs": {first, second, other},
    }

    # Closed: its worktrees go, its records stay, its branch stays where it was pushed.
    fleet.run("task", "close", "work", check=0)
    report = fleet.reconcile()
    assert ("cleanup", "work", "box1") in changes(report)
    assert place.worktrees() == {other}
    assert lies(place)["git worktrees"] == {other}
    assert place.runs() == {first, second, other}
    assert place.registry() == known
    assert branch in remote.branches()
    assert "The work is done" in fleet.run("logs", "work", check=0).stdout
    assert fleet.reconcile()["changes"] == []

    # Deleted: its run directories go too, and its marks stay for ever.
    fleet.remove("tasks/work.yaml")
    fleet.commit()
    fleet.reconcile("--allow-prune")
    assert place.runs() == place.worktrees() == {other}
    assert place.marks() == {first, second}
    assert place.registry() == known
    assert place.names("_/trash") == set()
    assert remote.branches()["main"] == base
    assert "The work is done" in fleet.run("logs", "work", "--run", second, check=0).stdout

    # Back again: nothing of it runs a second time.
    task(fleet, "work", "pr push")
    fleet.commit()
    assert "launch" not in {action for action, _, _ in changes(fleet.reconcile())}
    assert tools(machine) == []


@pytest.mark.parametrize("pushed", [True, False], ids=["remote branch", "local branch"])
def test_a_follow_up_after_its_worktree_is_gone(fleet: Fleet, tmp_path: Path, pushed: bool) -> None:
    remote = make_remote(tmp_path / "remotes")
    place = local_host(fleet)
    project(fleet, str(remote.path))
    task(fleet, "work", "pr push" if pushed else "pr")
    fleet.commit()
    fleet.reconcile()
    [first] = runs_of(fleet, "work")
    branch = f"reconciler/{first}"
    fleet.run("task", "close", "work", check=0)
    fleet.reconcile()
    assert place.worktrees() == set()
    if pushed:
        git(place.root / "app/checkout", "branch", "--quiet", "-D", branch)
    fleet.run("task", "reopen", "work", check=0)
    fleet.run("task", "follow-up", "work", says("commit push"), check=0)
    fleet.reconcile()
    row = rows(fleet)["work"]
    assert (row["phase"], row["branch"]) == ("Succeeded", branch)
    assert place.worktrees() == {first}
    assert remote.log(branch)[:2] == ["feat: the work", "feat: the work"]


def test_a_follow_up_that_has_no_branch_left_says_so(fleet: Fleet, tmp_path: Path) -> None:
    place = local_host(fleet)
    project(fleet, str(make_remote(tmp_path / "remotes").path))
    task(fleet, "work", "pr")
    fleet.commit()
    fleet.reconcile()
    [first] = runs_of(fleet, "work")
    place.git("worktree", "remove", "--force", str(place.root / "app/worktrees" / first))
    place.git("branch", "--quiet", "-D", f"reconciler/{first}")
    fleet.run("task", "follow-up", "work", says("commit"), check=0)
    fleet.reconcile(check=5)
    row = rows(fleet)["work"]
    assert (row["phase"], row["reason"]) == ("Failed", "PrepareFailed")
    assert f"reconciler/{first}" in f"{row['why']} {row['summary']}"


def test_a_question_is_answered_by_a_follow_up(fleet: Fleet, tmp_path: Path) -> None:
    local_host(fleet)
    remote = make_remote(tmp_path / "remotes")
    project(fleet, str(remote.path))
    task(fleet, "asks", "blocked-file")
    fleet.commit()
    fleet.reconcile(check=5)
    row = rows(fleet)["asks"]
    assert (row["phase"], row["summary"].strip()) == ("Blocked", "Which database shall it be?")
    # The file is still there, and has not changed: it asks nothing any more.
    fleet.run("task", "follow-up", "asks", says("pr push"), check=0)
    fleet.reconcile()
    assert rows(fleet)["asks"]["phase"] == "Succeeded"


def test_requests_are_hand_written_too_and_each_runs_once(fleet: Fleet, tmp_path: Path) -> None:
    local_host(fleet)
    remote = make_remote(tmp_path / "remotes")
    project(fleet, str(remote.path))
    one, two, three = (says(f"commit push number={number}") for number in (1, 2, 3))
    task(fleet, "work", "pr push", followUps=[{"request": one}, {"request": two}])
    fleet.commit()
    fleet.reconcile()
    assert len(runs_of(fleet, "work")) == 3
    [branch] = [name for name in remote.branches() if name != "main"]
    assert len(remote.log(branch)) == 4
    # Inserted and moved: only what is new starts.
    task(fleet, "work", "pr push", followUps=[{"request": three}, {"request": two}, {"request": one}])
    fleet.commit()
    report = fleet.reconcile()
    assert len([change for change in report["changes"] if change["action"] == "launch"]) == 1
    assert len(remote.log(branch)) == 5
    # The same words again are another request.
    fleet.run("task", "follow-up", "work", one, check=0)
    fleet.reconcile()
    assert len(remote.log(branch)) == 6
    # An empty one is none.
    for empty in ("", "  \n"):
        refused = fleet.run("task", "follow-up", "work", empty)
        assert (refused.returncode, refused.stderr.startswith("error: a follow-up asks for something")) == (64, True)
    task(fleet, "work", "pr push", followUps=[{"request": " "}])
    assert "followUps" in fleet.run("validate", "--worktree", check=1).stdout


def test_a_follow_up_begins_when_the_run_before_it_has_ended(fleet: Fleet, tmp_path: Path) -> None:
    local_host(fleet)
    project(fleet, str(make_remote(tmp_path / "remotes").path))
    task(fleet, "work", "slow 6 failed")
    fleet.commit()
    once(fleet)
    fleet.run("task", "follow-up", "work", says("pr push"), check=0)
    report = once(fleet)
    assert report["changes"] == []
    fleet.reconcile()
    first, second = (runs(fleet)[run] for run in runs_of(fleet, "work"))
    assert (first["phase"], second["phase"]) == ("Failed", "Succeeded")
    assert first["finishedAt"] <= second["startedAt"]
    assert rows(fleet)["work"]["phase"] == "Succeeded"


@pytest.mark.parametrize("script", ["commit dirty success", "commit dirty hang"], ids=["ended", "cancelled"])
def test_work_is_never_thrown_away(fleet: Fleet, tmp_path: Path, script: str) -> None:
    remote = make_remote(tmp_path / "remotes")
    place = local_host(fleet)
    project(fleet, str(remote.path))
    task(fleet, "work", script)
    fleet.commit()
    once(fleet)
    [first] = until(lambda: runs_of(fleet, "work"))
    tree = place.root / "app/worktrees" / first
    until(lambda: (tree / "UNFINISHED.md").exists())
    if script.endswith("success"):
        fleet.reconcile()
    fleet.run("task", "close", "work", check=0)
    fleet.reconcile()
    assert not tree.exists()
    assert place.refs("refs/reconciler/wip") == {first}
    kept = f"refs/reconciler/wip/{first}"
    assert place.git("show", f"{kept}:UNFINISHED.md") == f"unfinished of {first}"
    assert f"work of {first}" in place.git("show", f"{kept}:WORK.md")
    assert set(remote.branches()) == {"main"}, "nothing was pushed that nobody asked for"


def test_a_suspended_task_goes_on_where_it_was(fleet: Fleet, tmp_path: Path) -> None:
    place = local_host(fleet)
    remote = make_remote(tmp_path / "remotes")
    project(fleet, str(remote.path))
    marker = tmp_path / "once"
    task(fleet, "work", f"commit dirty hang once={marker}")
    fleet.commit()
    once(fleet)
    [first] = until(lambda: runs_of(fleet, "work"))
    tree = place.root / "app/worktrees" / first
    until(lambda: (tree / "UNFINISHED.md").exists())
    fleet.run("suspend", "work", "--cancel", check=0)
    fleet.reconcile()
    assert runs(fleet)[first]["phase"] == "Canceled"
    assert (tree / "UNFINISHED.md").exists(), "its worktree stays"
    fleet.run("resume", "work", check=0)
    fleet.reconcile()
    _, second = runs_of(fleet, "work")
    row = rows(fleet)["work"]
    assert (row["run"], row["phase"], row["branch"]) == (second, "Succeeded", f"reconciler/{first}")
    assert place.worktrees() == {first}
    assert git(tree, "show", "HEAD:WORK.md").splitlines() == [f"work of {first}", f"work of {second}"]


def test_a_retry_starts_afresh(fleet: Fleet, tmp_path: Path) -> None:
    place = local_host(fleet)
    project(fleet, str(make_remote(tmp_path / "remotes").path))
    task(fleet, "work", f"commit failed once={tmp_path}/once", retries={"limit": 1, "backoff": "0s"})
    fleet.commit()
    fleet.reconcile()
    first, second = runs_of(fleet, "work")
    assert place.worktrees() == {first, second}
    assert rows(fleet)["work"]["branch"] == f"reconciler/{second}"
    assert place.git("show", f"reconciler/{second}:WORK.md") == f"work of {second}"
    fleet.run("task", "close", "work", check=0)
    fleet.reconcile()
    assert place.worktrees() == set()


@pytest.mark.machines
def test_a_task_closed_while_its_host_is_away_is_cleaned_up_later(on_machines: OnMachines) -> None:
    fleet, [machine] = on_machines(1, deadline="3s")
    install(machine)
    project(fleet, path_of(machine, make_remote(home(machine) / "remotes")))
    task(fleet, "works", "dirty hang")
    task(fleet, "done", "pr push")
    fleet.commit()
    once(fleet)
    until(lambda: once(fleet) and rows(fleet)["done"]["phase"] == "Succeeded")
    place = site(machine)
    machine.cut()
    fleet.run("task", "close", "works", "done", check=0)
    report = once(fleet, 3)
    assert report["changes"] == []
    machine.heal()
    fleet.reconcile()
    assert (place.worktrees(), tools(machine)) == (set(), [])
    assert {run["phase"] for run in runs(fleet).values()} == {"Canceled", "Succeeded"}


def test_what_nobody_owns_is_removed_and_counted(fleet: Fleet, tmp_path: Path) -> None:
    place = local_host(fleet)
    remote = make_remote(tmp_path / "remotes")
    project(fleet, str(remote.path))
    task(fleet, "work", "pr push")
    task(fleet, "stays", "pr push")
    fleet.commit()
    fleet.reconcile()
    [kept] = runs_of(fleet, "stays")
    # Another controller, which never knew of the task.
    fleet.remove("tasks/work.yaml")
    fleet.commit()
    other = fleet.other_controller("other")
    counts = other.json("cleanup", "--dry-run")
    assert place.worktrees() != {kept}
    report = other.json("cleanup")
    assert place.worktrees() == place.runs() == {kept}
    text = str(report)
    assert "worktreesRemoved" in text
    assert "runDirectoriesRemoved" in text
    assert counts["exit"]["code"] == 0


def test_a_removal_that_takes_its_time_is_told_and_counted_once(fleet: Fleet, tmp_path: Path) -> None:
    place = local_host(fleet)
    project(fleet, str(make_remote(tmp_path / "remotes").path))
    task(fleet, "work", "pr push")
    fleet.commit()
    fleet.reconcile()
    fleet.run("task", "close", "work", check=0)
    with (place.root / "app/lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a clone that takes its time
        counts = [once(fleet)["summary"]["worktreesRemoved"] for _ in range(3)]
    assert counts == [1, 0, 0]
    until(lambda: not place.worktrees())
    assert once(fleet)["changes"] == []
    assert len(events(fleet, "cleaned")) == 1
