"""Pages about one thing."""

from dataclasses import replace

from reconciler.model.host import Facts
from reconciler.model.rows import Event, EventType, HostRow, RunRow, TaskRow
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
