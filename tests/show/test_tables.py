"""Rows in, tables and items out."""

import re

import pytest

from reconciler.decide.words import size
from reconciler.model.host import Facts
from reconciler.model.rows import AgentRow, HostRow, ProjectRow, QaOutcome, RunRow, TaskRow
from reconciler.model.run import State
from reconciler.show.items import agent_items, host_items, project_items, run_items, task_items
from reconciler.show.paper import Paper
from reconciler.show.tables import agent_table, host_table, project_table, run_table, task_table
from reconciler.show.work import check, cost, pull_request, removed

NOW = 1_795_219_200.0
TASKS = [
    TaskRow("build", State.SUCCEEDED, run="build-1a2b3c4d-1", host="box1", attempt=1, started_at=NOW - 252,
            finished_at=NOW - 60, observed_at=NOW - 5, summary="all good\nreally", closed=True, labels={"team": "web"},
            author="Ada", file="tasks/build.yaml", line=2),
    TaskRow("deploy", State.PENDING, why="needs build", suspended=True),
    TaskRow("probe", State.FAILED, reason="ExitCode", host="box2", attempt=3, started_at=NOW - 9000,
            finished_at=NOW - 8999, summary="\x1b[31mboom"),
    TaskRow("far", State.UNKNOWN, why="box3 is unseen", host="box3", attempt=1, started_at=NOW - 90,
            observed_at=NOW - 80),
]  # fmt: skip
RUN = RunRow("build-1a2b3c4d-1", "build", "1a2b3c4d", 1, State.FAILED, "ExitCode", host="box1", exit_code=7,
             directory="_/runs/build-1a2b3c4d-1", workspace_root="~/.reconciler", started_at=NOW - 10,
             finished_at=NOW - 3)  # fmt: skip
HOSTS = [
    HostRow("box1", "10.0.0.1", True, slots=4, active=1, draining=True, observed_at=NOW - 3,
            facts=Facts("b00tb00tb00t", "box1", 4000.0, 0.5, 3 << 30, 0, 100 << 30, 5, {"git": "2.39"})),
    HostRow("box2", "10.0.0.2", False, "no route to host", slots=2),
    HostRow("box3"),
]  # fmt: skip


def test_tasks() -> None:
    assert "\n".join(task_table(TASKS, NOW)) == (
        """\
NAME     PHASE               HOST   ATTEMPT   TOOK    AGE     WHY
build    Succeeded,Closed    box1   1         3m12s   4m12s   all good …
deploy   Pending,Suspended                                    needs build
probe    Failed              box2   3         1s      150m    ExitCode: \\x1b[31mboom
far      Unknown             box3   1         90s     90s     box3 is unseen: last seen 80s ago"""
    )


def test_wide_adds_columns_and_cuts_nothing() -> None:
    heading, first, *_ = task_table(TASKS, NOW, Paper(width=40), wide=True)
    assert re.split(r"   +", heading) == [
        "NAME", "PHASE", "PROJECT", "AGENT", "HOST", "ATTEMPT", "TOOK", "AGE", "PR", "BRANCH", "PULL REQUEST", "COST",
        "RUN", "OBSERVED", "AUTHOR", "FILE", "LABELS", "WHY",
    ]  # fmt: skip
    assert "build-1a2b3c4d-1   5s         Ada" in first
    assert "tasks/build.yaml:2   team=web" in first


def test_runs() -> None:
    assert run_table([RUN], NOW) == [
        "NAME               PHASE    HOST   EXIT   TOOK   AGE   WHY",
        "build-1a2b3c4d-1   Failed   box1   7      7s     10s   ExitCode",
    ]


def test_hosts() -> None:
    assert host_table(HOSTS, NOW) == [
        "NAME   STATUS           SLOTS   LOAD   MEMORY   DISK    OBSERVED   WHY",
        "box1   Ready,Draining   1/4     0.50   3.0Gi    100Gi   3s",
        "box2   Unreachable      0/2                                        no route to host",
        "box3   Unknown          0/0",
    ]


@pytest.mark.parametrize("color", [False, True])
def test_colour_changes_nothing_but_colour(color: bool) -> None:
    lines = task_table(TASKS, NOW, Paper(color=color))
    assert any("\x1b[" in line for line in lines) is color
    assert [re.sub(r"\x1b\[\d+m", "", line).rstrip() for line in lines] == task_table(TASKS, NOW)


@pytest.mark.parametrize(
    ("amount", "written"),
    [(None, ""), (0, "0"), (1023, "1023"), (1536, "1.5Ki"), (10 << 30, "10Gi"), (3 << 40, "3.0Ti")],
)
def test_sizes(amount: int | None, written: str) -> None:
    assert size(amount) == written


URL = "https://github.com/acme/shop/pull/12"
FIX = TaskRow("fix-login", State.SUCCEEDED, host="box1", attempt=1, started_at=NOW - 60, finished_at=NOW - 18,
              summary="Login works", project="shop", agent="claude:haiku", branch="reconciler/fix-login-1a2b3c4d-1",
              pull_request_url=URL, cost_usd=0.42, run="fix-login-1a2b3c4d-1")  # fmt: skip
FIX_RUN = RunRow("fix-login-1a2b3c4d-1", "fix-login", "1a2b3c4d", 1, State.FAILED, "QAFailed", host="box1", exit_code=0,
                 directory="shop/runs/fix-login-1a2b3c4d-1", workspace_root="~/.reconciler", started_at=NOW - 60,
                 finished_at=NOW - 18, project="shop", agent="claude:haiku",
                 worktree="shop/worktrees/fix-login-1a2b3c4d-1", branch="reconciler/fix-login-1a2b3c4d-1",
                 pull_request_url=URL, cost_usd=0.42, tokens=1234, session_id="0b5c", notes="flaky test",
                 qa=(QaOutcome("build", 0, 2), QaOutcome("test", 1, 14)))  # fmt: skip


def test_columns_of_agents_are_there_where_an_agent_works() -> None:
    assert task_table([FIX, TASKS[1]], NOW) == [
        "NAME        PHASE               PROJECT   AGENT          HOST   ATTEMPT   TOOK   AGE   PR    WHY",
        "fix-login   Succeeded           shop      claude:haiku   box1   1         42s    60s   #12   Login works",
        "deploy      Pending,Suspended                                                                needs build",
    ]
    assert run_table([FIX_RUN], NOW) == [
        "NAME                   PHASE    AGENT          HOST   EXIT   TOOK   AGE   PR    WHY",
        "fix-login-1a2b3c4d-1   Failed   claude:haiku   box1   0      42s    60s   #12   QAFailed",
    ]
    wide = "\n".join([*task_table([FIX], NOW, wide=True), *run_table([FIX_RUN], NOW, wide=True)])
    for text in (FIX.branch, URL, "$0.42", "1234", FIX_RUN.worktree, FIX_RUN.directory):
        assert text in wide


@pytest.mark.parametrize(
    ("state", "phase", "why"),
    [
        (State.PREPARING, "prepare", ""),
        (State.PREPARING, "checkout", "fetches its project"),
        (State.PREPARING, "worktree", "makes its worktree"),
        (State.PREPARING, "setup", "runs the project's setup"),
        (State.RUNNING, "work", ""),
        (State.RUNNING, "qa", "checks the work"),
        (State.FAILED, "qa", "QAFailed"),
    ],
)
def test_a_living_run_says_what_it_does(state: State, phase: str, why: str) -> None:
    row = RunRow("a-1a2b3c4d-1", "a", "1a2b3c4d", 1, state, why if state is State.FAILED else "", phase=phase)
    assert run_table([row], NOW)[1].split("   ", 2)[-1].strip() == (why or str(state))


def test_projects() -> None:
    rows = [
        ProjectRow("docs", "git@example.org:docs.git", base_branch="main", fork="never", tasks=1),
        ProjectRow("shop", "https://github.com/acme/shop.git", "https://github.com/acme/shop", fork="auto",
                   qa=("build", "test"), tasks=3, active=1, cost_usd=1.5, file="projects.yaml", line=4),
    ]  # fmt: skip
    assert project_table(rows, NOW) == [
        "NAME   TASKS   ACTIVE   BASE             FORK    QA           COST    REPOSITORY",
        "docs   1       0        main             never                        git@example.org:docs.git",
        "shop   3       1        (the remote's)   auto    build,test   $1.50   https://github.com/acme/shop",
    ]
    assert "projects.yaml:4" in project_table(rows, NOW, wide=True)[2]
    assert project_items(rows)[1] == {
        "name": "shop", "gitUrl": "https://github.com/acme/shop.git", "repoUrl": "https://github.com/acme/shop",
        "baseBranch": None, "fork": "auto", "setup": False, "qa": ["build", "test"], "tasks": 3, "active": 1,
        "costUsd": 1.5, "labels": {}, "file": "projects.yaml", "line": 4,
    }  # fmt: skip


def test_agents() -> None:
    rows = [
        AgentRow("claude", "claude", "opus", ("codex",), 2, 5.0, 3, 2, NOW + 240, 1.25, file="agents.yaml"),
        AgentRow("codex", "codex", tasks=1, cool_until=NOW - 1),
    ]
    assert agent_table(rows, NOW) == [
        "NAME     TOOL     TASKS   ACTIVE   MODEL   FALLBACK   BUDGET   COST    WHY",
        "claude   claude   3       2/2      opus    codex      $5.00    $1.25   cools down until 00:04:00 UTC, in 4m",
        "codex    codex    1       0",
    ]
    assert agent_table(rows[1:], NOW) == ["NAME    TOOL    TASKS   ACTIVE   WHY", "codex   codex   1       0"]
    assert agent_items(rows)[0] == {
        "name": "claude", "tool": "claude", "model": "opus", "fallback": ["codex"], "maxConcurrent": 2,
        "budgetUsd": 5.0, "tasks": 3, "active": 2, "coolUntil": "2026-11-21T00:04:00Z", "costUsd": 1.25, "labels": {},
        "file": "agents.yaml", "line": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("dollars", "written"), [(None, ""), (0.0, "$0.00"), (0.0031, "$0.0031"), (0.42, "$0.42"), (12.345, "$12.35")]
)
def test_costs(dollars: float | None, written: str) -> None:
    assert cost(dollars) == written


@pytest.mark.parametrize(
    ("url", "short"),
    [
        ("", ""),
        (URL, "#12"),
        ("https://git.example.org/group/sub/shop/-/merge_requests/7", "!7"),
        ("https://codeberg.org/acme/shop/pulls/3/", "#3"),
        ("see \x1b[31mthe mail", "see \\x1b[31mthe mail"),
    ],
)
def test_pull_requests(url: str, short: str) -> None:
    assert pull_request(url) == short


def test_checks() -> None:
    assert [check(step) for step in FIX_RUN.qa] == ["build ok 2s", "test failed with exit code 1 after 14s"]


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({}, ""),
        ({"runs": 0, "cache": 0, "trash": 0, "left": 0}, ""),
        (
            {"unpushed": 1, "cache": 1, "runs": 3, "worktrees": 2, "checkouts": 1, "left": 0},
            "3 run directories, 2 worktrees, 1 checkout, 1 cache, 1 of the worktrees had work that was never pushed",
        ),
        ({"checkouts": 1, "kept": 2}, "1 checkout, 2 worktrees' kept work that was never pushed"),
        ({"runs": 1, "news": 2}, "1 run directory, 2 news"),
    ],
)
def test_what_a_reset_removed(counts: dict[str, int], said: str) -> None:
    assert removed(counts) == said


KEYS = [
    "name", "project", "agent", "state", "phase", "reason", "why", "run", "host", "attempt", "startedAt", "finishedAt",
    "observedAt", "summary", "pullRequestUrl", "branch", "costUsd", "author", "labels",
]  # fmt: skip


def test_items_of_tasks_have_every_key_and_null_for_what_is_not_known() -> None:
    build, deploy, *_ = task_items(TASKS)
    assert isinstance(build, dict)
    assert isinstance(deploy, dict)
    assert list(build)[: len(KEYS)] == KEYS
    assert (build["state"], build["phase"], build["startedAt"]) == ("closed", "Succeeded", "2026-11-20T23:55:48Z")
    assert (build["summary"], build["labels"]) == ("all good\nreally", {"team": "web"})
    assert {key for key in KEYS if deploy[key] is not None} == {"name", "state", "phase", "why", "labels"}


def test_items_of_runs_have_the_same_keys() -> None:
    (item,) = run_items([RUN], {task.name: task for task in TASKS})
    assert isinstance(item, dict)
    assert list(item)[: len(KEYS)] == KEYS
    assert (item["name"], item["run"], item["task"], item["exitCode"]) == (RUN.name, RUN.name, "build", 7)
    assert item["state"] == "closed"
    assert run_items([RUN], {})[0]["state"] is None  # type: ignore[index]


def test_items_of_agents_work() -> None:
    (task,), (run,) = task_items([FIX]), run_items([FIX_RUN], {})
    for item in (task, run):
        assert isinstance(item, dict)
        assert (item["project"], item["agent"], item["pullRequestUrl"]) == ("shop", "claude:haiku", URL)
        assert (item["branch"], item["costUsd"]) == ("reconciler/fix-login-1a2b3c4d-1", 0.42)
    assert isinstance(run, dict)
    assert (run["sessionId"], run["tokens"], run["notes"]) == ("0b5c", 1234, "flaky test")
    assert run["worktree"] == "shop/worktrees/fix-login-1a2b3c4d-1"
    assert run["qa"] == [
        {"name": "build", "exitCode": 0, "seconds": 2},
        {"name": "test", "exitCode": 1, "seconds": 14},
    ]
    (plain,) = run_items([RUN], {})
    assert isinstance(plain, dict)
    assert [plain[key] for key in ("sessionId", "tokens", "notes", "worktree", "qa")] == [None, None, None, None, []]


def test_items_of_hosts() -> None:
    box1, box2, box3 = host_items(HOSTS)
    assert isinstance(box1, dict)
    assert list(box1)[:10] == [
        "name", "address", "reachable", "why", "slots", "active", "cordoned", "draining", "observedAt", "facts",
    ]  # fmt: skip
    assert box1["facts"] == {
        "bootId": "b00tb00tb00t", "uptime": 4000.0, "load1": 0.5, "memFree": 3 << 30, "swapFree": 0,
        "diskFree": 100 << 30, "inodesFree": 5, "tools": {"git": "2.39"},
    }  # fmt: skip
    assert (box2["reachable"], box2["why"]) == (False, "no route to host")  # type: ignore[index,call-overload]
    assert box3["reachable"] is None  # type: ignore[index,call-overload]
