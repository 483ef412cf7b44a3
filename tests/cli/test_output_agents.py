"""What the looking verbs print of agents' work, after one real convergence on this machine with stand-in agents."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.agents import agent, local_host, make_remote, says, task
from tests.e2e.fleet import IDENTITY, Fleet

QUESTION = "Which database shall it be?"
URL = "https://github.com/acme/app/pull/7"
QA = [{"name": "build", "run": "echo building"}, {"name": "test", "run": "echo it is wrong >&2; exit 3"}]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """A pull request, a question, work that does not pass its checks, and a script."""
    made = Fleet(tmp_path_factory.mktemp("agents"))
    made.fleet(interval="1h")
    local_host(made)
    remote = make_remote(made.room / "remotes")
    spec = {"gitUrl": str(remote.path), "baseBranch": "main", "env": IDENTITY, "setup": "true", "qa": ["true"]}
    made.write("projects/app.yaml", made.document("Project", "app", spec, {"team": "web"}))
    made.write("projects/other.yaml", made.document("Project", "other", {"gitUrl": "git@example.org:other.git"}))
    agent(made, "claude", maxConcurrent=2, fallback=["codex"], budgetUsd=5)
    task(made, "fix", "pr push cost=0.25", "claude:haiku")
    task(made, "asks", "blocked", "claude")
    task(made, "checked", "success", "codex", qa=QA)
    made.task("script", "echo plain")
    made.commit()
    made.reconcile(check=5)
    return made


def item(fleet: Fleet, kind: str, name: str) -> dict[str, Any]:
    return next(one for one in fleet.json("get", kind)["items"] if one["name"] == name)


def fields(page: str) -> dict[str, str]:
    told = dict(line.split(":", 1) for line in page.split("\n\n")[0].splitlines() if ":" in line[:16])
    return {name: value.strip() for name, value in told.items()}


def test_tasks(fleet: Fleet) -> None:
    heading, *rows = fleet.run("get", "tasks", check=0).stdout.splitlines()
    assert heading.split() == ["NAME", "PHASE", "PROJECT", "AGENT", "HOST", "ATTEMPT", "TOOK", "AGE", "PR", "WHY"]
    phases = {row.split()[0]: row.split()[1] for row in rows}
    assert phases == {"asks": "Blocked", "checked": "Failed", "fix": "Succeeded", "script": "Succeeded"}
    shown = next(row for row in rows if row.startswith("fix "))
    assert "app" in shown.split()
    assert "claude:haiku" in shown.split()
    assert "#7" in shown.split()


def test_items(fleet: Fleet) -> None:
    fix = item(fleet, "tasks", "fix")
    assert (fix["project"], fix["agent"], fix["pullRequestUrl"]) == ("app", "claude:haiku", URL)
    assert fix["branch"] == f"reconciler/{fix['run']}"
    assert fix["costUsd"] == 0.25
    run = item(fleet, "runs", fix["run"])
    assert run["worktree"] == f"app/worktrees/{fix['run']}"
    assert run["directory"] == f"app/runs/{fix['run']}"
    assert run["sessionId"]
    assert run["tokens"] > 0
    assert [step["exitCode"] for step in run["qa"]] == [0]
    script = item(fleet, "tasks", "script")
    assert [script[key] for key in ("project", "agent", "pullRequestUrl", "branch", "costUsd")] == [None] * 5


def test_a_table_of_scripts_stays_narrow(fleet: Fleet) -> None:
    heading = fleet.run("get", "tasks", "script", check=0).stdout.splitlines()[0]
    assert heading.split() == ["NAME", "PHASE", "HOST", "ATTEMPT", "TOOK", "AGE", "WHY"]


def test_projects(fleet: Fleet) -> None:
    rows = [row.split() for row in fleet.run("get", "projects", check=0).stdout.splitlines()]
    assert [row[0] for row in rows] == ["NAME", "app", "other"]
    assert rows[1][1:4] == ["3", "0", "main"]
    assert [one["name"] for one in fleet.json("get", "projects", "-l", "team=web")["items"]] == ["app"]
    app = item(fleet, "projects", "app")
    assert (app["tasks"], app["active"], app["setup"], len(app["qa"])) == (3, 0, True, 1)
    page = fleet.run("describe", "project", "app", check=0).stdout
    assert fields(page)["Declared"] == "projects/app.yaml:1"
    assert "fix" in page.split("Tasks:")[1]
    assert fleet.run("get", "project", "ap", check=1).stderr.startswith("error: there is no project 'ap'")


def test_agents(fleet: Fleet) -> None:
    names = [one["name"] for one in fleet.json("get", "agents")["items"]]
    assert names == ["claude", "codex"]  # the second one has no document
    claude, codex = item(fleet, "agents", "claude"), item(fleet, "agents", "codex")
    assert (claude["tool"], claude["maxConcurrent"], claude["fallback"], claude["budgetUsd"]) == (
        "claude",
        2,
        ["codex"],
        5,
    )
    assert claude["costUsd"] >= 0.25
    assert (codex["tool"], codex["tasks"], codex["active"], codex["file"]) == ("codex", 1, 0, None)
    assert fields(fleet.run("describe", "agent/claude", check=0).stdout)["Budget"] == "$5.00 per task"


def test_describe_shows_the_question_and_what_to_type(fleet: Fleet) -> None:
    told = fields(fleet.run("describe", "task", "asks", check=0).stdout)
    assert (told["Phase"], told["Question"]) == ("Blocked", QUESTION)
    assert told["Answer with"] == 'reconciler task follow-up asks "…"'
    assert told["Worktree"].endswith(f"/workspace-here/app/worktrees/{item(fleet, 'tasks', 'asks')['run']}")
    assert told["Records"].endswith(f"/workspace-here/app/runs/{item(fleet, 'tasks', 'asks')['run']}")


def test_describe_shows_each_check(fleet: Fleet) -> None:
    page = fleet.run("describe", "task", "checked", check=0).stdout
    told = fields(page)
    assert (told["Phase"], told["Reason"]) == ("Failed", "QAFailed")
    assert told["Checks"].startswith("build ok ")
    assert "test failed with exit code 3 after " in page


def test_logs_are_readable_lines_and_events_are_raw(fleet: Fleet) -> None:
    shown = fleet.run("logs", "fix", check=0).stdout
    assert shown.strip()
    assert not [line for line in shown.splitlines() if line.startswith('{"type"')]
    raw = fleet.run("logs", "fix", "--stream", "events", check=0).stdout.splitlines()
    assert all(isinstance(json.loads(line), dict) for line in raw)
    assert json.loads(raw[-1])["type"] == "result"
    assert len(fleet.run("logs", "fix", "--tail", "1", check=0).stdout.splitlines()) == 1
    assert "launched" in fleet.run("logs", "script", "--stream", "events", check=0).stdout


def test_logs_of_what_did_not_pass_end_with_what_its_checks_said(fleet: Fleet) -> None:
    shown = fleet.run("logs", "checked", check=0)
    assert "it is wrong\n" in "".join(shown.stdout.splitlines(keepends=True)[-3:])
    run = item(fleet, "tasks", "checked")["run"]
    assert f"{run} did not pass its checks (test failed with exit code 3 after " in shown.stderr
    assert "it is wrong" not in fleet.run("logs", "checked", "--stream", "stderr", check=0).stdout


def test_exec_goes_to_the_worktree(fleet: Fleet) -> None:
    run = item(fleet, "tasks", "fix")["run"]
    assert fleet.run("exec", "fix", "--", "pwd", check=0).stdout.endswith(f"/app/worktrees/{run}\n")
    assert fleet.run("exec", "fix", "--", "git", "branch", "--show-current").stdout == f"reconciler/{run}\n"
    assert "/_/runs/" in fleet.run("exec", "script", "--", "pwd", check=0).stdout


def test_names_are_completed(fleet: Fleet) -> None:
    from click.shell_completion import ShellComplete

    from reconciler.cli.main import cli

    complete = ShellComplete(cli, {}, "reconciler", "_RECONCILER_COMPLETE")
    before = ["-C", str(fleet.repo), "--state-dir", str(fleet.state)]
    for words, typed, names in (
        (["get"], "pro", ["projects"]),
        (["describe"], "ag", ["agent"]),
        (["get", "projects"], "", ["app", "other"]),
        (["describe", "agent"], "cl", ["claude"]),
        (["task", "new", "t", "--project"], "a", ["app"]),
        (["task", "follow-up"], "f", ["fix"]),
    ):
        assert [found.value for found in complete.get_completions([*before, *words], typed)] == names


def test_the_prompt_of_the_next_step_names_branch_and_pull_request(fleet: Fleet) -> None:
    run = item(fleet, "tasks", "fix")["run"]
    fleet.run("task", "follow-up", "fix", says("commit push success"), "--no-commit", check=0)
    try:
        told = fleet.run("task", "prompt", "fix", "--worktree", check=0).stdout
    finally:
        fleet.git("checkout", "--", "tasks/fix.yaml")
    assert f"reconciler/{run}" in told
    assert URL in told
    assert "stand-in: commit push success" in told


def test_logs_follow_an_agent_while_it_works(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path)
    local_host(fleet)
    remote = make_remote(tmp_path / "remotes")
    fleet.write("projects/app.yaml", fleet.document("Project", "app", {"gitUrl": str(remote.path), "env": IDENTITY}))
    task(fleet, "long", "commit slow 8 push success", "claude")
    fleet.commit()
    fleet.run("reconcile", check=0)
    following = fleet.start("logs", "long", "-f")
    assert following.stdout is not None
    first = following.stdout.readline()
    fleet.run("reconcile", check=0)
    assert item(fleet, "tasks", "long")["phase"] in ("Preparing", "Running")
    rest = following.stdout.read()
    assert following.wait(timeout=60) == 0
    assert first.strip()
    assert '{"type"' not in first + rest
    assert len(rest.splitlines()) >= 2
    fleet.reconcile()
    assert fleet.run("logs", "long", check=0).stdout == first + rest


def test_documents_that_left_git_are_in_no_table(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path)
    local_host(fleet)
    fleet.write("projects/app.yaml", fleet.document("Project", "app", {"gitUrl": "/srv/git/app.git"}))
    agent(fleet, "claude", model="sonnet")
    agent(fleet, "spare", "codex")
    task(fleet, "later", "success", "claude", suspend=True)
    fleet.commit()
    fleet.reconcile()
    assert [one["name"] for one in fleet.json("get", "agents")["items"]] == ["claude", "spare"]
    for path in ("agents/claude.yaml", "agents/spare.yaml"):
        fleet.remove(path)
    fleet.commit()
    fleet.reconcile()
    (claude,) = fleet.json("get", "agents")["items"]  # the tool itself, which the task still names
    assert (claude["name"], claude["tool"], claude["model"], claude["file"]) == ("claude", "claude", None, None)
    fleet.remove("projects/app.yaml")
    fleet.remove("tasks/later.yaml")
    fleet.task("other")
    fleet.commit()
    fleet.reconcile()
    assert fleet.run("get", "projects", check=0).stderr == "there are no projects\n"
    assert fleet.json("get", "agents")["items"] == []


def test_clean_up_and_reset_are_counted(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path)
    local_host(fleet)
    remote = make_remote(tmp_path / "remotes")
    fleet.write("projects/app.yaml", fleet.document("Project", "app", {"gitUrl": str(remote.path), "env": IDENTITY}))
    for name in ("one", "two"):
        task(fleet, name, "success push", "codex")
    fleet.commit()
    fleet.reconcile()
    fleet.run("task", "close", "one", check=0)
    planned = fleet.run("plan", check=0).stdout
    assert "- cleanup   worktree app/worktrees/one-" in planned
    summary = fleet.reconcile()["summary"]
    assert (summary["worktreesRemoved"], summary["runDirectoriesRemoved"]) == (1, 0)
    fleet.remove("tasks/one.yaml")
    fleet.commit()
    assert "removed 1 run directory" in fleet.run("reconcile", "--wait", check=0).stdout
    said = fleet.run("host", "reset", "here", "--yes", check=0).stdout
    assert said.startswith("here is empty: 1 run directory, 1 worktree, 1 checkout")
