"""What coding agents do, and what their tasks come to: every way in which one was seen to end."""

import itertools
import re
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

from tests.e2e.agents import agent, ended, home, install, make_remote, project, rows, runs, says, site, task, tools
from tests.e2e.agents import inside as path_of
from tests.e2e.fleet import Fleet
from tests.e2e.hosts import OnMachines, declare, once, whys
from tests.machines.cluster import Cluster
from tests.machines.network import why_not
from tests.waiting import until

pytestmark = [pytest.mark.machines]
QUESTION = "Which database shall it be?"
URL = "https://github.com/acme/app/pull/7"


class Case(NamedTuple):
    """What an agent does, and the run's phase, reason and summary (a pattern) of it."""

    tool: str
    script: str
    phase: str
    reason: str | None = None
    summary: str = ""
    spec: Mapping[str, Any] = MappingProxyType({})


STREAMING = ("codex", "claude", "gemini", "opencode")
CASES = {
    **{f"{tool}-succeeds": Case(tool, "pr push", "Succeeded", None, "^The work is done") for tool in STREAMING},
    **{f"{tool}-blocked": Case(tool, "blocked", "Blocked", None, f"^{re.escape(QUESTION)}$") for tool in STREAMING},
    **{f"{tool}-file": Case(tool, "blocked-file", "Blocked", None, f"^{re.escape(QUESTION)}") for tool in STREAMING},
    **{f"{tool}-limited": Case(tool, "429 after=600", "Failed", "RateLimited") for tool in STREAMING},
    **{f"{tool}-unknown": Case(tool, "401", "Failed", "AuthFailed") for tool in STREAMING},
    **{f"{tool}-garbage": Case(tool, "garbage", "Failed", "InvalidResult") for tool in STREAMING},
    **{f"{tool}-empty": Case(tool, "empty", "Failed", "InvalidResult") for tool in STREAMING},
    **{f"{tool}-failed": Case(tool, "failed", "Failed") for tool in STREAMING},
    "codex-quota": Case("codex", "quota", "Failed", "QuotaExceeded"),
    "claude-quota": Case("claude", "quota", "Failed", "QuotaExceeded"),
    "gemini-quota": Case("gemini", "quota", "Failed", "QuotaExceeded"),
    "claude-limited-for-long": Case("claude", "429-later", "Failed", "RateLimited"),
    # They wait without an end for what they were told to wait for.
    "codex-limited-for-long": Case(
        "codex", "429-later", "Failed", "RateLimited|IdleTimeout", spec={"idleTimeout": "3s"}
    ),
    "opencode-limited-for-long": Case("opencode", "429-later", "Failed", "IdleTimeout", spec={"idleTimeout": "3s"}),
    "codex-hangs": Case("codex", "hang", "Failed", "IdleTimeout", spec={"idleTimeout": "3s"}),
    "claude-hangs-in-a-tool": Case("claude", "tool-hang", "Failed", "IdleTimeout", spec={"idleTimeout": "3s"}),
    "gemini-runs-for-too-long": Case(
        "gemini", "hang", "Failed", "Timeout", spec={"timeout": "3s", "idleTimeout": "1m"}
    ),
    "opencode-leaves-survivors": Case("opencode", "survivors pr push", "Succeeded", None, "^The work is done"),
    "claude-over-budget": Case("claude", "budget", "Failed"),
    "local-succeeds": Case("local", "pr push", "Succeeded", None, "^The work is done"),
    "coderabbit-reviews": Case("coderabbit", "success", "Succeeded"),
    "coderabbit-fails": Case("coderabbit", "failed", "Failed", "ExitCode"),
    "a-flag-nobody-knows": Case("typo", "success", "Failed", "ExitCode|InvalidResult"),
}


class Table(NamedTuple):
    """The fleet in which every case has run once."""

    tasks: dict[str, dict[str, Any]]
    runs: dict[str, dict[str, Any]]
    pushed: dict[str, str]
    left: list[str]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Table]:
    """Every case at once, on one host with a file remote."""
    if why := why_not():
        pytest.skip(why)
    with Cluster() as cluster:
        fleet = Fleet(tmp_path_factory.mktemp("table"))
        [machine] = cluster.add()
        fleet.write("hosts/box1.yaml", machine.host_yaml(minFree="1MiB", slots=len(CASES)))
        install(machine)
        remote = make_remote(home(machine) / "remotes")
        project(fleet, path_of(machine, remote))
        agent(fleet, "typo", "codex", args=["--no-such-flag"])
        for name, case in CASES.items():
            task(fleet, name, case.script, case.tool, **case.spec)
        fleet.commit()
        until(lambda: ended(fleet), timeout=100, every=0.5)
        by_task = {name.rsplit("-", 2)[0]: run for name, run in runs(fleet).items() if name.endswith("-1")}
        yield Table(rows(fleet), by_task, remote.branches(), tools(machine))


@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", CASES)
def test_what_an_agent_does_is_what_is_told(table: Table, name: str) -> None:
    case, run = CASES[name], table.runs[name]
    assert run["phase"] == case.phase, run
    assert re.fullmatch(case.reason, run["reason"] or "") if case.reason else True, run
    assert re.search(case.summary, run["summary"] or ""), run
    assert run["branch"] == f"reconciler/{run['name']}"
    if case.phase == "Failed":
        told = f"{run['why'] or ''} {run['summary'] or ''}".strip()
        assert told or run["reason"] in ("IdleTimeout", "Timeout"), f"a failure without a word: {run}"


@pytest.mark.parametrize("tool", STREAMING)
def test_work_that_succeeded_is_shown_with_its_branch_pull_request_and_cost(table: Table, tool: str) -> None:
    row = table.tasks[f"{tool}-succeeds"]
    assert (row["project"], row["agent"], row["phase"]) == ("app", tool, "Succeeded")
    assert row["pullRequestUrl"] == URL
    assert row["branch"] in table.pushed
    assert (row["costUsd"] or 0) == {"claude": 0.0421, "opencode": 0.0421}.get(tool, 0)


def test_nothing_survives_its_run(table: Table) -> None:
    assert table.left == []


def test_a_limited_agent_goes_on_when_it_may_and_no_retry_is_burnt(on_machines: OnMachines) -> None:
    fleet, [machine] = on_machines(1)
    install(machine)
    project(fleet, path_of(machine, make_remote(home(machine) / "remotes")))
    # The second time it succeeds; with `limit: 0` there would be none if it counted as a retry.
    task(fleet, "limited", "429 after=8 once=/root/limited", "opencode", retries={"limit": 0})
    # Others of the same agent wait, too: they would be limited as well.
    task(fleet, "other", "pr push", "opencode", priority="low")
    agent(fleet, "opencode", maxConcurrent=1)
    fleet.commit()

    def both_wait() -> dict[str, Any]:
        waits = {wait["task"]: wait for wait in once(fleet)["waits"]}
        return waits if set(waits) == {"limited", "other"} else {}

    waits = until(both_wait)
    assert all("agent opencode cools down" in wait["why"] for wait in waits.values()), waits
    assert waits["limited"]["until"] == waits["other"]["until"]
    at = datetime.fromisoformat(waits["limited"]["until"]).timestamp()
    assert 0 < at - time.time() <= 9
    assert runs(fleet)[first(fleet, "limited", 1)]["reason"] == "RateLimited"
    fleet.reconcile()
    started = [datetime.fromisoformat(run["startedAt"]).timestamp() for run in runs(fleet).values()]
    assert sorted(started)[1] >= at - 1, "nobody went before the time"
    assert {name: row["phase"] for name, row in rows(fleet).items()} == {"limited": "Succeeded", "other": "Succeeded"}
    assert rows(fleet)["limited"]["attempt"] == 2


def first(fleet: Fleet, name: str, attempt: int) -> str:
    """The run of a task with that attempt; empty when there is none."""
    found = [run for run in runs(fleet) if run.rsplit("-", 2)[0] == name and run.endswith(f"-{attempt}")]
    return found[0] if found else ""


@pytest.mark.parametrize(
    ("script", "reason"),
    [("401", "AuthFailed"), ("429", "RateLimited"), ("quota", "QuotaExceeded")],
    ids=["unknown", "limited", "quota"],
)
def test_another_agent_takes_over(on_machines: OnMachines, script: str, reason: str) -> None:
    fleet, [machine] = on_machines(1)
    install(machine)
    project(fleet, path_of(machine, make_remote(home(machine) / "remotes")))
    agent(fleet, "first", "codex", fallback=["second", "claude"])
    agent(fleet, "second", "gemini")
    task(fleet, "work", f"{script} only=codex", "first")
    fleet.commit()
    fleet.reconcile()
    seen = runs(fleet)
    tried = sorted((run["attempt"], run["agent"], run["phase"], run["reason"]) for run in seen.values())
    assert tried == [(1, "first", "Failed", reason), (2, "second", "Succeeded", None)]


def test_one_of_an_agent_at_a_time(on_machines: OnMachines) -> None:
    fleet, machines = on_machines(2)
    for machine in machines:
        install(machine)
        make_remote(home(machine) / "remotes")
    project(fleet, "/root/remotes/app.git")
    agent(fleet, "codex", maxConcurrent=1)
    for number in range(3):
        task(fleet, f"t{number}", "slow 1 success", "codex:large" if number else "codex", host=f"box{number % 2 + 1}")
    fleet.commit()
    report = once(fleet)
    assert len([change for change in report["changes"] if change["action"] == "launch"]) == 1
    assert all("codex" in why for why in whys(report).values()), whys(report)
    fleet.reconcile()
    spans = sorted((run["startedAt"], run["finishedAt"]) for run in runs(fleet).values())
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans)), spans
    assert set(fleet.phases().values()) == {"Succeeded"}


def test_a_budget_is_passed_on_and_nothing_more_starts_once_it_is_spent(on_machines: OnMachines) -> None:
    fleet, [machine] = on_machines(1)
    install(machine)
    project(fleet, path_of(machine, make_remote(home(machine) / "remotes")))
    agent(fleet, "claude", budgetUsd=0.2)
    task(fleet, "dear", "success cost=0.3", "claude", retries={"limit": 3, "backoff": "0s"})
    task(fleet, "cheap", "success cost=0.1", "claude")
    fleet.commit()
    report = fleet.reconcile(check=5)
    assert [run["attempt"] for run in runs(fleet).values() if run["name"].startswith("dear")] == [1]
    assert "budget" in str(report) + str(rows(fleet)["dear"])
    assert rows(fleet)["dear"]["costUsd"] == 0.3
    assert (rows(fleet)["cheap"]["phase"], rows(fleet)["cheap"]["costUsd"]) == ("Succeeded", 0.1)
    # A follow-up has what is left.
    fleet.run("task", "follow-up", "cheap", says("success cost=0.15"), check=0)
    fleet.reconcile(check=5)
    assert rows(fleet)["cheap"]["costUsd"] == pytest.approx(0.25)


def test_closing_ends_all_that_an_agent_started(on_machines: OnMachines) -> None:
    fleet, [machine] = on_machines(1)
    install(machine)
    project(fleet, path_of(machine, make_remote(home(machine) / "remotes")))
    tasks = [f"{tool}-{way}" for tool in STREAMING for way in ("hang", "tool-hang")]
    for name in tasks:
        tool, _, way = name.partition("-")
        task(fleet, name, f"commit survivors {way}", tool)
    declare(fleet, machine, slots=len(tasks))
    fleet.commit()
    once(fleet)
    # Each has left two survivors, and half of them sit in a tool.
    until(lambda: len([command for command in tools(machine) if command.startswith("sleep 765")]) == 2.5 * len(tasks))
    fleet.run("task", "close", *tasks, check=0)
    fleet.reconcile()
    assert tools(machine) == []
    assert {run["phase"] for run in runs(fleet).values()} == {"Canceled"}
    assert (site(machine).worktrees(), len(site(machine).runs())) == (set(), len(tasks))


def test_what_an_agent_says_can_be_read_while_it_works(on_machines: OnMachines) -> None:
    fleet, [machine] = on_machines(1)
    install(machine)
    project(fleet, path_of(machine, make_remote(home(machine) / "remotes")))
    for tool in ("codex", "claude", "opencode"):
        task(fleet, tool, "slow 5 success", tool)
    fleet.commit()
    once(fleet)
    for tool in ("codex", "claude"):
        shown = until(lambda tool=tool: fleet.run("logs", tool).stdout)
        assert "git commit" in shown
        assert '{"type"' not in shown, "readable lines, not JSON"
    fleet.reconcile()
    for tool in ("codex", "claude", "opencode"):
        assert "The work is done" in fleet.run("logs", tool, check=0).stdout
