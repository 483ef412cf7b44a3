"""Rows in, tables and items out."""

import re

import pytest

from reconciler.decide.words import size
from reconciler.model.host import Facts
from reconciler.model.rows import HostRow, RunRow, TaskRow
from reconciler.model.run import State
from reconciler.show.items import host_items, run_items, task_items
from reconciler.show.paper import Paper
from reconciler.show.tables import host_table, run_table, task_table

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
    assert heading.split() == [
        "NAME", "PHASE", "HOST", "ATTEMPT", "TOOK", "AGE", "RUN", "OBSERVED", "AUTHOR", "FILE", "LABELS", "WHY",
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
