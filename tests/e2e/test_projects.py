"""Repositories that agents work in: clones, worktrees, remotes by file and ssh, forks, and twenty tasks at once."""

import re
import shutil
from pathlib import Path

import pytest

from tests.e2e.agents import (
    STANDINS,
    by_ssh,
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
from tests.e2e.hosts import OnMachines, declare, launched, once
from tests.standins.github import GitHub

machines = pytest.mark.machines


def names(fleet: Fleet) -> dict[str, str]:
    """Task → its latest run."""
    return {name: row["run"] for name, row in rows(fleet).items()}


@machines
@pytest.mark.parametrize("over_ssh", [False, True], ids=["file", "ssh"])
def test_twenty_tasks_on_one_project_at_once(on_machines: OnMachines, over_ssh: bool) -> None:
    fleet, [machine] = on_machines(1)
    declare(fleet, machine, slots=20)
    install(machine)
    remote = make_remote(home(machine) / "remotes")
    before = remote.branches()["main"]
    url = by_ssh(machine, remote) if over_ssh else path_of(machine, remote)
    project(fleet, url)
    for number in range(20):
        task(fleet, f"t{number}", f"slow 1 pr push number={number}")
    fleet.commit()
    assert len(launched(once(fleet))) == 20
    fleet.reconcile()
    shown = rows(fleet)
    assert {row["phase"] for row in shown.values()} == {"Succeeded"}, shown
    assert {row["attempt"] for row in shown.values()} == {1}
    for number in range(20):
        row = shown[f"t{number}"]
        assert row["pullRequestUrl"] == f"https://github.com/acme/app/pull/{number}"
        assert row["branch"] == f"reconciler/{row['run']}"
        # Its own line and nobody else's: each worked in a worktree of its own.
        assert remote.show(row["branch"], "WORK.md") == f"work of {row['run']}"
    place = site(machine)
    assert place.worktrees() == place.runs() == set(names(fleet).values())
    assert place.refs() == {"main", *(f"reconciler/{run}" for run in names(fleet).values())}
    # The base branch is what it was, here and there.
    assert remote.branches()["main"] == before
    assert place.git("rev-parse", "main") == before
    assert place.git("status", "--porcelain") == ""
    heads = {place.git("rev-parse", f"reconciler/{run}~1") for run in names(fleet).values()}
    assert heads == {before}
    assert tools(machine) == []


def test_a_project_is_known_on_its_host_and_follows_its_remote(fleet: Fleet, tmp_path: Path) -> None:
    remote = make_remote(tmp_path / "remotes")
    place = local_host(fleet)
    project(fleet, str(remote.path))
    task(fleet, "first", "pr push")
    fleet.commit()
    fleet.reconcile()
    checkout = str(place.root / "app/checkout")
    url = str(remote.path)
    known = place.registry()
    assert (known["checkout"], known["git_url"], known["base"]) == (checkout, url, "main")
    assert {*place.git("remote").split()} == {"origin", "upstream"}
    # What others pushed since is what the next one starts from; a branch that went there goes here.
    remote.push("gone.txt", "x", branch="gone")
    task(fleet, "second", "pr push")
    fleet.commit()
    fleet.reconcile()
    assert "upstream/gone" in place.refs("refs/remotes")
    git(remote.path, "branch", "--quiet", "-D", "gone")
    newest = remote.push("new.txt", "new\n")
    task(fleet, "third", "pr push")
    fleet.commit()
    fleet.reconcile()
    assert "upstream/gone" not in place.refs("refs/remotes")
    assert place.git("rev-parse", "main") == newest
    assert place.git("rev-parse", f"reconciler/{names(fleet)['third']}~1") == newest


def test_where_the_work_starts_from(fleet: Fleet, tmp_path: Path) -> None:
    remote = make_remote(tmp_path / "remotes")
    place = local_host(fleet)
    release = remote.push("release.txt", "1\n", branch="release/1")
    asked = remote.push("asked.txt", "2\n", branch="asked")
    git(remote.path, "tag", "v1", release)
    git(remote.path, "update-ref", "refs/pull/3/head", asked)
    project(fleet, str(remote.path))
    project(fleet, str(remote.path), "old", baseBranch="release/1")
    task(fleet, "main", "commit")
    task(fleet, "branch", "commit", base={"branch": "release/1"})
    task(fleet, "tag", "commit", base={"tag": "v1"})
    task(fleet, "pull", "commit", base={"pullRequest": 3})
    task(fleet, "old", "commit", project="old")
    task(fleet, "nowhere", "commit", base={"branch": "no-such-branch"})
    fleet.commit()
    fleet.reconcile(check=5)

    def parent(name: str, project: str = "app") -> str:
        return place.git("rev-parse", f"reconciler/{names(fleet)[name]}~1", project=project)

    assert parent("main") == remote.branches()["main"]
    assert parent("branch") == parent("tag") == parent("old", "old") == release
    assert parent("pull") == asked
    nowhere = rows(fleet)["nowhere"]
    assert (nowhere["phase"], nowhere["reason"]) == ("Failed", "PrepareFailed")
    assert "no-such-branch" in f"{nowhere['why']} {nowhere['summary']}"


@pytest.mark.parametrize(
    ("url", "words"),
    [("{here}/no-such.git", "no-such.git"), ("{here}/file", "file"), ("ssh://git@127.0.0.1:1/x.git", "127.0.0.1")],
    ids=["absent", "no repository", "nobody there"],
)
def test_a_remote_that_cannot_be_cloned_is_said(fleet: Fleet, tmp_path: Path, url: str, words: str) -> None:
    place = local_host(fleet)
    (tmp_path / "file").write_text("no repository")
    project(fleet, url.format(here=tmp_path))
    task(fleet, "work", "pr push")
    fleet.commit()
    fleet.reconcile(check=5)
    row = rows(fleet)["work"]
    assert (row["phase"], row["reason"]) == ("Failed", "PrepareFailed")
    assert words in f"{row['why']} {row['summary']}"
    # Mended, it goes on as if nothing had been.
    remote = make_remote(tmp_path / "remotes")
    project(fleet, str(remote.path))
    fleet.run("task", "rerun", "work", check=0)
    fleet.commit()
    fleet.reconcile()
    assert rows(fleet)["work"]["phase"] == "Succeeded"
    assert place.registry()["git_url"] == str(remote.path)


def test_setup_runs_once_in_every_new_worktree(fleet: Fleet, tmp_path: Path) -> None:
    local_host(fleet)
    project(
        fleet,
        str(make_remote(tmp_path / "remotes").path),
        setup='echo "$RECONCILER_TASK in $PWD with $KIND" >>"$RECONCILER_CACHE_DIR/setups"; test "$RECONCILER_TASK" != bad',
        env={"KIND": "of the project"},
    )
    task(fleet, "good", "commit")
    task(fleet, "bad", "commit")
    fleet.commit()
    fleet.reconcile(check=5)
    bad = rows(fleet)["bad"]
    assert (bad["phase"], bad["reason"]) == ("Failed", "PrepareFailed")
    fleet.run("task", "follow-up", "good", says("commit"), check=0)
    fleet.reconcile(check=5)
    assert rows(fleet)["good"]["phase"] == "Succeeded"
    cache = fleet.room / "workspace-here/app/cache"
    lines = sorted((cache / "setups").read_text().splitlines())
    assert [line.split()[0] for line in lines] == ["bad", "good"]
    assert all(re.search(r"/app/worktrees/\S+ with of the project$", line) for line in lines), lines


def test_what_a_worker_of_a_project_is_given(fleet: Fleet, tmp_path: Path) -> None:
    place = local_host(fleet)
    project(fleet, str(make_remote(tmp_path / "remotes").path), env={"GITHUB_TOKEN": "from-env"})
    fleet.write(
        "agents/own.yaml",
        fleet.document(
            "Agent", "own", {"tool": "command", "command": ["bash", "-c", 'env >"$RECONCILER_CACHE_DIR/env"']}
        ),
    )
    task(fleet, "work", "success", "own")
    fleet.commit()
    fleet.reconcile()
    run = names(fleet)["work"]
    lines = (place.root / "app/cache/env").read_text().splitlines()
    given = dict(line.split("=", 1) for line in lines if "=" in line)
    assert given["RECONCILER_WORKTREE"] == given["PWD"] == str(place.root / "app/worktrees" / run)
    assert given["RECONCILER_RUN_DIR"] == str(place.root / "app/runs" / run)
    assert given["RECONCILER_PROMPT_FILE"] == f"{given['RECONCILER_RUN_DIR']}/prompt.md"
    assert (given["RECONCILER_PROJECT"], given["RECONCILER_BRANCH"]) == ("app", f"reconciler/{run}")
    assert given["RECONCILER_CACHE_DIR"] == str(place.root / "app/cache")
    assert (given["GIT_TERMINAL_PROMPT"], given["GH_TOKEN"]) == ("0", "from-env")
    assert {"BatchMode=yes", "StrictHostKeyChecking=accept-new"} <= set(
        given["GIT_SSH_COMMAND"].replace("'", "").split()
    )
    prompt = Path(given["RECONCILER_PROMPT_FILE"]).read_text()
    assert given["RECONCILER_WORKTREE"] in prompt
    assert "@RECONCILER" not in prompt
    printed = fleet.run("task", "prompt", "work", check=0).stdout
    assert "Do the work." in printed
    assert "success" in printed


@pytest.mark.parametrize(
    ("qa", "reason"),
    [
        ([{"name": "file", "run": "test -e WORK.md"}], None),
        ([{"name": "fine", "run": "true"}, {"name": "never", "run": "echo it is broken >&2; exit 3"}], "QAFailed"),
    ],
    ids=["passes", "fails"],
)
def test_the_gate_of_a_project(fleet: Fleet, tmp_path: Path, qa: list[dict[str, str]], reason: str | None) -> None:
    local_host(fleet)
    project(fleet, str(make_remote(tmp_path / "remotes").path), qa=qa)
    task(fleet, "work", "pr push")
    task(fleet, "asks", "blocked")
    fleet.commit()
    fleet.reconcile(check=5)
    row = rows(fleet)["work"]
    assert (row["phase"], row["reason"]) == ("Failed" if reason else "Succeeded", reason)
    assert rows(fleet)["asks"]["phase"] == "Blocked", "what is blocked is not checked"
    told = fleet.run("describe", "task", "work", check=0).stdout
    for step in qa:
        assert step["name"] in told
    if reason:
        assert "it is broken" in told


needs_gh = pytest.mark.skipif(not shutil.which("gh"), reason="needs gh (apt install gh)")


@needs_gh
@pytest.mark.parametrize(
    ("fork", "may_push", "forked"),
    [("auto", False, True), ("auto", True, False), ("always", True, True), ("never", False, False)],
)
def test_forks(fleet: Fleet, tmp_path: Path, fork: str, may_push: bool, forked: bool) -> None:
    remotes = tmp_path / "remotes"
    original = make_remote(remotes / "acme")
    with GitHub(remotes) as github:
        github.add("acme/app", push=may_push)
        place = local_host(fleet, env=github.environment())
        project(fleet, str(original.path), repoUrl="http://github.localhost/acme/app", fork=fork)
        task(fleet, "work", "pr push")
        task(fleet, "more", "pr push")
        fleet.commit()
        fleet.reconcile()
    copy = str(remotes / "agent/app.git")
    assert Path(copy).exists() == forked
    assert place.git("remote", "get-url", "upstream") == str(original.path)
    assert place.git("remote", "get-url", "origin") == (copy if forked else str(original.path))
    branches = {row["branch"] for row in rows(fleet).values()}
    assert branches <= set(git(Path(copy) if forked else original.path, "branch", "--format=%(refname:short)").split())
    assert (branches <= set(original.branches())) is not forked
    assert len([line for line in github.seen if line == "POST /repos/acme/app/forks"]) <= 1


@needs_gh
def test_an_issue_comes_into_the_prompt(fleet: Fleet, tmp_path: Path) -> None:
    remotes = tmp_path / "remotes"
    original = make_remote(remotes / "acme")
    with GitHub(remotes) as github:
        github.add("acme/app").issues[15] = ("It crashes", "Whenever I press `x`.")
        place = local_host(fleet, env=github.environment())
        project(fleet, str(original.path), repoUrl="http://github.localhost/acme/app")
        task(fleet, "work", "pr push", issue=15)
        task(fleet, "absent", "pr push", issue=16)
        fleet.commit()
        fleet.reconcile()
    prompts = {name: (place.root / "app/runs" / run / "prompt.md").read_text() for name, run in names(fleet).items()}
    assert "It crashes" in prompts["work"]
    assert "Whenever I press `x`." in prompts["work"]
    assert "Closes #15" in prompts["work"]
    assert "#16" in prompts["absent"]


def test_host_check_names_what_an_agent_of_the_fleet_lacks(fleet: Fleet, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "codex").symlink_to(STANDINS / "codex")
    (tools / "claude").write_text("#!/bin/sh\ncase $1 in --version) echo 1.0.0 ;; *) echo '  -p, --print' ;; esac\n")
    (tools / "claude").chmod(0o755)
    fleet.local(shellPrelude=f'PATH="{tools}:/usr/bin:/bin"')
    project(fleet, str(make_remote(tmp_path / "remotes").path), repoUrl="https://github.com/acme/app", fork="auto")
    for tool in ("codex", "claude", "gemini"):
        task(fleet, tool, "success", tool)
    fleet.commit()
    checks = {check["name"]: check for check in fleet.json("host", "check", "here", check=3)["checks"]}
    assert checks["codex"]["ok"]
    assert "--json-schema" in checks["claude"]["why"]
    assert not checks["gemini"]["ok"]
    assert "gh auth login" in checks["gh"]["why"]
    assert "git-identity" in checks


def test_reset_refuses_while_work_is_active_and_names_it(fleet: Fleet, tmp_path: Path) -> None:
    place = local_host(fleet)
    project(fleet, str(make_remote(tmp_path / "remotes").path))
    task(fleet, "done", "pr push")
    fleet.commit()
    fleet.reconcile()
    task(fleet, "works", "hang")
    fleet.commit()
    once(fleet)
    run = next(name for name in runs(fleet) if name.startswith("works"))
    refused = fleet.run("host", "reset", "here", "--yes")
    assert refused.returncode == 4, refused.stderr
    assert run in refused.stderr
    assert place.registry()
    fleet.run("task", "close", "works", check=0)
    fleet.reconcile()
    fleet.run("host", "reset", "here", "--yes", check=0)
    assert (place.runs(), place.worktrees(), place.registry()) == (set(), set(), {})
    assert not (place.root / "app").exists()
    # What was done stays done.
    assert once(fleet)["changes"] == []
    task(fleet, "again", "pr push")
    fleet.commit()
    fleet.reconcile()
    assert rows(fleet)["again"]["phase"] == "Succeeded"
    assert rows(fleet)["done"]["phase"] == "Succeeded"
    assert place.registry()["base"] == "main"
