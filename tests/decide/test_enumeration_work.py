"""The whole input space of one agent's task with an attempt behind it and perhaps a follow-up before it, written anew."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

import pytest

from reconciler.decide import decide
from reconciler.model.agent import Agent
from reconciler.model.change import Action, Options, Plan, TreeMode
from reconciler.model.desired import Desired
from reconciler.model.fleet import Fleet, Suspend
from reconciler.model.host import Host
from reconciler.model.memory import HostMemory, Memory, RunMemory
from reconciler.model.observed import LeaseMark, Seen, Unseen
from reconciler.model.project import Project
from reconciler.model.run import Result, RunName, RunReport, State
from reconciler.model.task import AgentRef, Retries, Step, Task

from .cases import NOW, OURS

FIRST, NEXT = Step("00000001"), Step("00000002", "and the tests")
BASE = Task("a", (FIRST,), project="web", agent=AgentRef("claude"), retries=Retries(0, 0, 0))
TASKS = {"open": BASE, "closed": replace(BASE, closed=True), "suspended": replace(BASE, suspend=Suspend.HOLD)}
ENDS = {
    "Succeeded": Result(State.SUCCEEDED),
    "Failed": Result(State.FAILED, "ExitCode", last=True),
    "Blocked": Result(State.BLOCKED),
    "Lost": Result(State.LOST, "Rebooted", last=True),
    "limited": Result(State.FAILED, "RateLimited", last=True),
    "cooled down": Result(State.FAILED, "QuotaExceeded", last=True),
    "not let in": Result(State.FAILED, "AuthFailed", last=True),
    "interrupted": Result(State.CANCELED),
    "thrown away": Result(State.CANCELED),
}
COOL = {"limited": NOW + 60, "cooled down": NOW}
CANCEL = {"interrupted": "suspended", "thrown away": "closed"}
BEHIND = ("nothing", "active", *ENDS)
TREES = ("here", "elsewhere", "nowhere", "unseen")
CREWS = ("alone", "with a fallback", "crowded", "crowded, with a fallback")


@dataclass(frozen=True)
class Point:
    task: str
    steps: int
    behind: str
    read: bool
    tree: str
    crew: str

    @property
    def fallback(self) -> bool:
        return "fallback" in self.crew


def space() -> Iterator[Point]:
    for values in product(TASKS, (1, 2), BEHIND, (False, True), TREES, CREWS):
        yield Point(*values)


def inputs_of(point: Point) -> tuple[Desired, dict[str, Seen | Unseen], Memory]:
    hosts = {name: Host(name, address=name) for name in ("h1", "h2")}
    places = {name: replace(host.place, workspace_id=f"w-{name}") for name, host in hosts.items()}
    limit = 1 if "crowded" in point.crew else None
    claude = Agent("claude", "claude", max_concurrent=limit, fallback=("codex",) if point.fallback else ())
    tasks = {
        "a": replace(TASKS[point.task], steps=(FIRST, NEXT)[: point.steps]),
        "x": replace(BASE, name="x", steps=(Step("0000000f"),)),
    }
    agents = {"claude": claude, "codex": Agent("codex", "codex")}
    desired = Desired("c0ffee", Fleet("test", "test-fleet"), hosts, tasks, {"web": Project("web", "u")}, agents)
    reports: dict[str, list[RunReport]] = {"h1": [], "h2": []}
    runs = []
    x = report_of(RunName("x", "0000000f", 1), None)
    if "crowded" in point.crew:
        reports["h2"].append(x)
    else:
        reports["h2"].append(replace(x, agent="codex"))
    if point.behind != "nothing":
        name, end = RunName("a", FIRST.digest, 1), ENDS.get(point.behind)
        cancel = CANCEL.get(point.behind, "")
        reports["h1"].append(replace(report_of(name, end), cancel=cancel))
        run = RunMemory(name, places["h1"], 5, accepted=True, result=end, ended_at=NOW - 10 if end else None)
        work = replace(run, agent="claude", worktree=str(name), cool_until=COOL.get(point.behind), cancel=cancel)
        runs.append(replace(work, collected=point.read and end is not None))
    trees = {"here": "h1", "elsewhere": "h2"}
    looks: dict[str, Seen | Unseen] = {
        host: Seen(
            f"w-{host}",
            host,
            LeaseMark(5, OURS),
            runs={str(report.name): report for report in reports[host]},
            worktrees={"a-00000001-1": "web/worktrees/a-00000001-1"} if trees.get(point.tree) == host else {},
        )
        for host in hosts
    }
    if point.tree == "unseen":
        looks["h1"] = Unseen("timed out")
    kept = {name: HostMemory(place, 5, NOW) for name, place in places.items()}
    return desired, looks, Memory(OURS, 5, 5, True, kept, {str(run.name): run for run in runs})


def report_of(name: RunName, end: Result | None) -> RunReport:
    full = RunReport(name, f"web/runs/{name}", OURS, 5, started=True, phase="work", agent="claude", worktree=str(name))
    return replace(full, result=end, alive=None if end else True, ended_at=NOW - 10 if end else None)


def starts(point: Point) -> str:
    """Step, agent, mode and host of what starts now, empty when nothing does; from the contract's sentences."""
    if point.task != "open" or point.behind == "active":
        return ""
    if point.behind != "nothing" and not point.read and point.tree != "unseen":
        return ""  # what its worker said is being collected
    free = "h1" if point.tree != "unseen" else "h2"
    home = {"here": "h1", "elsewhere": "h2", "nowhere": free, "unseen": ""}[point.tree]
    agent = "" if "crowded" in point.crew else "claude"  # our own limit is waited for
    if point.behind == "limited":
        agent = "codex" if point.fallback else ""
    elif point.behind == "not let in" and point.fallback:
        agent = "codex"
    turned_away = ("limited", "cooled down", "not let in") if point.fallback else ("limited", "cooled down")
    if point.behind == "interrupted":
        step, mode, host = "first", TreeMode.CONTINUE, home
    elif point.behind in ("nothing", "thrown away", *turned_away):
        step, mode, host = "first", TreeMode.FRESH, free
    elif point.steps == 2:
        step, mode, host = "next", TreeMode.RESUME, home
    else:
        return ""
    return f"{step} {agent} {mode} {host}" if agent and host else ""


def started(plan: Plan) -> str:
    found = [change for change in plan.changes if change.action is Action.LAUNCH]
    if not found:
        return ""
    (launch,) = found
    work = launch.work
    assert work
    assert work.worktree == ("a-00000001-1" if work.mode is not TreeMode.FRESH else launch.run)
    step = "first" if FIRST.digest in launch.run else "next"
    return f"{step} {work.agent} {work.mode} {launch.host}"


def leaves(point: Point) -> bool:
    """Whether the worktree goes now."""
    if point.behind == "nothing":  # one of an attempt that nobody knows
        return point.task != "suspended" and point.tree in ("here", "elsewhere")
    if point.task != "closed" or point.tree not in ("here", "elsewhere") or point.behind == "active":
        return False
    return point.read or point.tree == "elsewhere"


@pytest.mark.parametrize("behind", BEHIND)
def test_one_task(behind: str) -> None:
    for point in space():
        if point.behind != behind:
            continue
        desired, looks, memory = inputs_of(point)
        plan = decide(desired, looks, memory, NOW, Options())
        assert started(plan) == starts(point), (point, plan)
        removed = [change for change in plan.changes if change.worktree]
        assert bool(removed) == leaves(point), (point, removed)
        ended = behind in ENDS and point.tree != "unseen"
        collects = [change for change in plan.changes if change.action is Action.COLLECT]
        assert bool(collects) == (ended and not point.read), point
        waits = {wait.task: wait for wait in plan.waits}
        if "a" in waits and behind == "limited" and "cools down" in waits["a"].why:
            assert waits["a"].until == NOW + 60


@pytest.mark.parametrize("behind", BEHIND)
def test_what_was_done_is_not_done_again(behind: str) -> None:
    for point in space():
        if point.behind != behind:
            continue
        desired, looks, memory = inputs_of(point)
        plan = decide(desired, looks, memory, NOW, Options())
        again = decide(desired, *carried_out(plan, looks, memory), NOW, Options())
        done = {(change.action, change.run, change.worktree) for change in plan.changes}
        assert not [one for one in again.changes if (one.action, one.run, one.worktree) in done], (point, again)
        assert not (started(plan) and started(again)), (point, again)


def carried_out(plan: Plan, looks: dict[str, Seen | Unseen], memory: Memory) -> tuple[dict[str, Seen | Unseen], Memory]:
    """What hosts show and the ledger knows after the plan's changes."""
    runs, after = dict(memory.runs), dict(looks)
    for change in plan.changes:
        look = after[change.host]
        assert isinstance(look, Seen)
        if change.action is Action.LAUNCH and change.work:
            task, digest, attempt = change.run.split("-")
            name, tree = RunName(task, digest, int(attempt)), change.work.worktree
            place = memory.hosts[change.host].place
            runs[change.run] = RunMemory(name, place, 5, accepted=True, agent=change.work.agent.name, worktree=tree)
            report = replace(report_of(name, None), agent=change.work.agent.name, worktree=tree)
            trees = {**look.worktrees, tree: f"web/worktrees/{tree}"}
            after[change.host] = replace(look, runs={**look.runs, change.run: report}, worktrees=trees)
        elif change.action is Action.COLLECT:
            runs[change.run] = replace(runs[change.run], collected=True)
        elif change.action is Action.CANCEL:
            dying = replace(look.runs[change.run], cancel=change.detail)
            after[change.host] = replace(look, runs={**look.runs, change.run: dying})
        elif change.worktree:
            after[change.host] = replace(look, worktrees={})
    return after, replace(memory, runs=runs)
