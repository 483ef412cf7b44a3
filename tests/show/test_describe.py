"""Pages about one thing."""

from dataclasses import replace

from reconciler.model.host import Facts
from reconciler.model.rows import AgentRow, Event, EventType, HostRow, ProjectRow, QaOutcome, RunRow, TaskRow
from reconciler.model.run import State
from reconciler.show import describe

NOW = 1_795_219_200.0
RUN = RunRow(
    "build-1a2b3c4d-1", "build", "1a2b3c4d", 1, State.FAILED, "ExitCode", host="box1", exit_code=7,
    directory="_/runs/build-1a2b3c4d-1", workspace_root="~/.reconciler", started_at=NOW - 60, finished_at=NOW - 18,
    summary="two\nlines\x1b[2J", author="Ada", revision="0123456789abcdef", collected=True,
)  # fmt: skip
TASK = TaskRow(
    "build", State.FAILED, "ExitCode", run=RUN.name, host="box1", attempt=1, started_at=NOW - 60, finished_at=NOW - 18,
    observed_at=NOW - 3, summary=RUN.summary, author="Ada", labels={"team": "web"}, title="Build it",
    file="tasks/build.yaml", line=3, revision="0123456789abcdef", digest="1a2b3c4d",
)  # fmt: skip
EVENT = Event(NOW - 60, EventType.LAUNCHED, "build", RUN.name, "box1", "new task")


def test_a_task_from_commit_to_result() -> None:
    assert describe.task(TASK, [RUN], [EVENT], NOW) == (
        """\
Task:        build
Title:       Build it
State:       open
Phase:       Failed
Reason:      ExitCode
Labels:      team=web
Declared:    tasks/build.yaml:3 at 0123456789ab by Ada
Digest:      1a2b3c4d
Run:         build-1a2b3c4d-1 (attempt 1)
Host:        box1
Path:        box1:~/.reconciler/_/runs/build-1a2b3c4d-1/work
Started:     2026-11-20T23:59:00Z (60s ago)
Ended:       2026-11-20T23:59:42Z (18s ago)
Took:        42s
Exit code:   7
Summary:     two
             lines\\x1b[2J
Observed:    2026-11-20T23:59:57Z (3s ago)

Attempts:
  NAME               PHASE    HOST   EXIT   TOOK   AGE   WHY
  build-1a2b3c4d-1   Failed   box1   7      42s    60s   ExitCode: two …

Events:
  2026-11-20T23:59:00Z launched build-1a2b3c4d-1 on box1: new task
"""
    )


def test_a_task_that_waits_says_for_what() -> None:
    page = describe.task(TaskRow("deploy", State.PENDING, why="needs build"), [], [], NOW)
    assert page == "Task:        deploy\nState:       open\nPhase:       Pending\nWaits for:   needs build\n"


def test_a_run_that_was_cleaned_up_says_where_its_logs_are() -> None:
    page = describe.run(replace(RUN, cleaned=True), [], NOW)
    assert "Path:        removed from its host; logs are kept: reconciler logs build\n" in page


def test_a_host_with_its_facts() -> None:
    facts = Facts("b00t", "box1", 4000.0, 0.5, 3 << 30, None, 100 << 30, 5, {"git": "2.39", "bash": "5.2"})
    row = HostRow("box1", "10.0.0.1", True, slots=4, active=1, observed_at=NOW - 3, facts=facts)
    assert describe.host(row, [RUN], [], NOW) == (
        """\
Host:       box1
Status:     Ready
Address:    10.0.0.1
Slots:      1 of 4 in use
Uptime:     66m
Boot id:    b00t
Load:       0.50
Memory:     3.0Gi free
Disk:       100Gi free
Inodes:     5 free
Tools:      bash: 5.2
            git: 2.39
Observed:   2026-11-20T23:59:57Z (3s ago)

Runs:
  NAME               PHASE    HOST   EXIT   TOOK   AGE   WHY
  build-1a2b3c4d-1   Failed   box1   7      42s    60s   ExitCode: two …
"""
    )


FIX = replace(
    RUN, name="fix-1a2b3c4d-1", task="fix", state=State.BLOCKED, reason="", exit_code=0, project="shop",
    directory="shop/runs/fix-1a2b3c4d-1", worktree="shop/worktrees/fix-1a2b3c4d-1", agent="claude:haiku",
    branch="reconciler/fix-1a2b3c4d-1", pull_request_url="https://github.com/acme/shop/pull/12", cost_usd=0.12,
    tokens=1234, session_id="0b5c", notes="see the\nlog", summary="Which database?",
    qa=(QaOutcome("build", 0, 2), QaOutcome("test", 1, 14)),
)  # fmt: skip
ASKED = replace(
    TASK, name="fix", state=State.BLOCKED, reason="", run=FIX.name, project="shop", agent="claude:haiku",
    summary="Which database?", cost_usd=0.42, file="tasks/fix.yaml", title="", labels={},
)  # fmt: skip


def test_the_work_of_an_agent_from_commit_to_question() -> None:
    page = describe.task(ASKED, [FIX], [], NOW)
    assert page.split("\n\n")[0] == (
        """\
Task:           fix
State:          open
Phase:          Blocked
Declared:       tasks/fix.yaml:3 at 0123456789ab by Ada
Digest:         1a2b3c4d
Project:        shop
Run:            fix-1a2b3c4d-1 (attempt 1)
Host:           box1
Worktree:       box1:~/.reconciler/shop/worktrees/fix-1a2b3c4d-1
Records:        box1:~/.reconciler/shop/runs/fix-1a2b3c4d-1
Agent:          claude:haiku
Session:        0b5c
Started:        2026-11-20T23:59:00Z (60s ago)
Ended:          2026-11-20T23:59:42Z (18s ago)
Took:           42s
Exit code:      0
Branch:         reconciler/fix-1a2b3c4d-1
Pull request:   https://github.com/acme/shop/pull/12
Cost:           $0.12
Tokens:         1234
Checks:         build ok 2s
                test failed with exit code 1 after 14s
Notes:          see the
                log
Question:       Which database?
Answer with:    reconciler task follow-up fix "…"
Observed:       2026-11-20T23:59:57Z (3s ago)"""
    )
    assert "Question:       Which database?\nAnswer with:    reconciler task follow-up fix" in describe.run(
        FIX, [], NOW
    )
    assert "Cost in all:    $0.42\n" in describe.task(ASKED, [FIX, replace(FIX, name="fix-1a2b3c4d-2")], [], NOW)


def test_attempts_are_listed_in_the_order_in_which_they_began() -> None:
    follow_up = replace(FIX, name="fix-0a0a0a0a-1", digest="0a0a0a0a", started_at=NOW - 5)
    page = describe.task(ASKED, [follow_up, FIX], [], NOW)
    table = page.partition("Attempts:")[2]
    assert table.index(FIX.name) < table.index(follow_up.name)


def test_a_closed_task_asks_nobody_and_has_no_worktree() -> None:
    page = describe.task(replace(ASKED, closed=True), [FIX], [], NOW)
    assert "Answer with" not in page
    assert "Worktree:" not in page
    assert "Records:" in page
    assert "Worktree:" in describe.task(replace(ASKED, closed=True), [replace(FIX, state=State.RUNNING)], [], NOW)


def test_a_living_run_says_what_it_does() -> None:
    page = describe.run(replace(FIX, state=State.RUNNING, phase="qa"), [], NOW)
    assert "Doing:          checks the work\n" in page


def test_a_project() -> None:
    row = ProjectRow("shop", "git@github.com:acme/shop.git", "https://github.com/acme/shop", "", "auto", True,
                     ("build", "test"), 1, 2, 0.5, {"team": "web"}, "projects/shop.yaml", 1)  # fmt: skip
    assert describe.project(row, [ASKED], NOW) == (
        """\
Project:       shop
Labels:        team=web
Declared:      projects/shop.yaml:1
Repository:    https://github.com/acme/shop
Git URL:       git@github.com:acme/shop.git
Base branch:   the remote's HEAD
Fork:          auto
Setup:         a script, once in every new worktree
Checks:        build, test
Active:        2 runs
Cost:          $0.50

Tasks:
  NAME   PHASE     PROJECT   AGENT          HOST   ATTEMPT   TOOK   AGE   WHY
  fix    Blocked   shop      claude:haiku   box1   1         42s    60s   Which database?
"""
    )


def test_an_agent() -> None:
    row = AgentRow("claude", "claude", "opus", ("codex", "gemini"), 2, 5.0, 3, 1, NOW + 240, 1.25)
    assert describe.agent(row, [replace(FIX, state=State.RUNNING, finished_at=None)], NOW) == (
        """\
Agent:        claude
Declared:     nowhere: the tool with its defaults
Tool:         claude
Model:        opus
Fallback:     codex, gemini
Budget:       $5.00 per task
Open tasks:   3
Active:       1 run of at most 2
Waits:        cools down until 00:04:00 UTC, in 4m
Cost:         $1.25

Runs:
  NAME             PHASE     AGENT          HOST   EXIT   TOOK   AGE   PR    WHY
  fix-1a2b3c4d-1   Running   claude:haiku   box1   0      60s    60s   #12
"""
    )
