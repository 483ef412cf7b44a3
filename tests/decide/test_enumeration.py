"""The whole input space of one task with one attempt behind it, against the table of the contract, written anew."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import pytest

from reconciler.decide import decide
from reconciler.model.change import Action, Options, Plan
from reconciler.model.desired import Desired
from reconciler.model.fleet import Fleet, Suspend
from reconciler.model.host import Host
from reconciler.model.memory import HostMemory, Memory, RunMemory
from reconciler.model.observed import LeaseMark, Seen, Unseen
from reconciler.model.run import Result, RunName, RunReport, State
from reconciler.model.task import Retries, Step, Task

from .cases import NOW, OURS

DIGESTS = {"same": "00000001", "other": "00000002"}
TASK = Task("a", (Step(DIGESTS["same"]),), retries=Retries(0, 0, 0))
TASKS: dict[str, Task | None] = {
    "open": TASK,
    "retrying": replace(TASK, retries=Retries(1, 0, 0)),
    "backing off": replace(TASK, retries=Retries(1, 60, 60)),
    "closed": replace(TASK, closed=True),
    "suspended": replace(TASK, suspend=Suspend.HOLD),
    "suspended with cancel": replace(TASK, suspend=Suspend.CANCEL),
    "impatient": replace(TASK, replace_after=0),
    "deleted": None,
    "invalid": None,
}
ENDS = {
    "Succeeded": Result(State.SUCCEEDED),
    "Failed": Result(State.FAILED, "ExitCode"),
    "Failed last": Result(State.FAILED, "ExitCode", last=True),
    "Lost": Result(State.LOST, "Rebooted"),
    "Blocked": Result(State.BLOCKED),
    "Canceled": Result(State.CANCELED),
    "Void": Result(State.VOID),
}
LOOKS = ("seen", "taken", "unseen", "asking", "wiped", "gone and unseen", "gone and seen", "foreign", "incomplete")
REPORTS = ("none", "claimed dead", "claimed", "active", "dying", "dead", "mark", "bad", *ENDS)
MEMORIES = ("none", "intent", "accepted", "collected", *ENDS)


def report_of(word: str, digest: str) -> RunReport | None:
    name = RunName("a", digest, 1)
    full = RunReport(name, directory="_/runs/x", ledger=OURS, lease=5, started=True, alive=True, phase="work")
    if word in ENDS:
        over = replace(full, alive=None, result=ENDS[word], ended_at=NOW)
        return replace(over, void=True, result=None) if word == "Void" else over
    return {
        "none": None,
        "claimed dead": replace(full, started=False, alive=False),
        "claimed": replace(full, started=False),
        "active": full,
        "dying": replace(full, cancel="closed"),
        "dead": replace(full, alive=False),
        "mark": RunReport(name, result=ENDS["Succeeded"], done=True),
        "bad": replace(full, bad="no owner"),
    }[word]


def memory_of(word: str, digest: str, host: Host) -> RunMemory | None:
    place = replace(host.place, workspace_id="w1")
    run = RunMemory(RunName("a", digest, 1), place, 5, accepted=word != "intent", ended_at=NOW)
    if word == "collected":
        return replace(run, result=ENDS["Succeeded"], collected=True)
    return None if word == "none" else replace(run, result=ENDS.get(word))


def space() -> Iterator[tuple[str, ...]]:
    for point in product(TASKS, LOOKS, REPORTS, MEMORIES, DIGESTS):
        _, look, report, _, _ = point
        if report == "none" or look in ("seen", "taken", "gone and seen", "foreign", "incomplete"):
            yield point


def plan_of(point: tuple[str, ...]) -> tuple[Plan, RunReport | None, RunMemory | None]:
    task_word, look, report_word, memory_word, digest_word = point
    h1, h2 = Host("h1", address="m1", gone=look.startswith("gone")), Host("h2", address="m2", slots=1)
    task, digest = TASKS[task_word], DIGESTS[digest_word]
    tasks = {"x": replace(TASK, name="x", closed=True), **({"a": task} if task else {})}
    invalid = {"a": "no run"} if task_word == "invalid" else {}
    desired = Desired("c0ffee", Fleet("test", "test-fleet"), {"h1": h1, "h2": h2}, tasks, invalid=invalid)
    report, kept = report_of(report_word, digest), memory_of(memory_word, digest, h1)
    mark, number = LeaseMark(5, OURS), 6 if look == "taken" else 5
    there = Seen("w1", "h1", mark, runs={str(report.name): report} if report else {})
    first = {
        "taken": replace(there, lease=LeaseMark(6, OURS), taken=6),
        "unseen": Unseen("timed out"),
        "asking": Unseen("no answer yet", asking=True),
        "wiped": Seen("w9"),
        "gone and unseen": Unseen("timed out"),
        "foreign": replace(there, lease=LeaseMark(9, "theirs")),
    }.get(look, there)
    second = Unseen("timed out") if look == "incomplete" else Seen("w2", "h2", mark)
    hosts = {"h1": HostMemory(replace(h1.place, workspace_id="w1"), 5, NOW)}
    memory = Memory(OURS, number, 5, look != "incomplete", hosts, {str(kept.name): kept} if kept else {})
    return decide(desired, {"h1": first, "h2": second}, memory, NOW, Options()), report, kept


def expected(point: tuple[str, ...]) -> str:
    """What is done about the one run and its task, in one word each, from the contract's sentences."""
    task, look, report, memory, digest = point
    seen = look not in ("unseen", "asking", "wiped", "gone and unseen")
    if report == "bad":
        return "over" if memory in ENDS or memory == "collected" else "unknown"
    if seen and report in ("claimed dead", "dead"):
        return "settle"
    if report == "dying":
        return "unknown"  # being cancelled: nobody may start another
    if report in ("claimed", "active"):
        wrong = (
            task in ("deleted", "closed", "suspended with cancel")
            or look == "gone and seen"
            or (digest == "other" and task != "invalid")
        )
        return "cancel" if wrong else "keep"
    if report != "none" or memory in ENDS or memory == "collected":
        return "over"
    if memory == "none":
        return "over"
    if look in ("wiped", "gone and unseen"):
        return "record lost"
    if look in ("unseen", "asking"):
        return "over" if task == "impatient" else "unknown"
    if memory == "accepted":
        return "record lost"
    return "record void" if look == "taken" else "unknown"


def starts(point: tuple[str, ...]) -> bool:
    """Whether the next attempt starts now, given that no run lives or may live."""
    task, look, report, memory, digest = point
    if task not in ("open", "retrying", "backing off", "impatient") or look == "incomplete":
        return False
    if digest == "other":
        return True
    seen_end = report if report in ENDS else "Succeeded" if report == "mark" else ""
    remembered = "Succeeded" if memory == "collected" else memory if memory in ENDS else ""
    end = seen_end or remembered
    if report in ("Failed", "Failed last") and memory == "collected":
        return False  # the ledger has read what its worker said: it Succeeded
    if end in ("Failed", "Lost"):
        told = report != "Failed"  # its answer may say that it was blocked
        return task == "retrying" and told
    return end in ("", "Canceled", "Void")


@pytest.mark.parametrize("task", TASKS)
def test_one_task(task: str) -> None:
    for point in space():
        if point[0] != task:
            continue
        plan, report, _ = plan_of(point)
        verdict = expected(point)
        done = {(change.action, change.host == "", change.detail) for change in plan.changes}
        actions = {change.action for change in plan.changes}
        assert (Action.CANCEL in actions) == (verdict == "cancel"), point
        assert ((Action.SETTLE, False, "") in done) == (verdict == "settle"), point
        lost = {(Action.SETTLE, True, "Vanished"), (Action.SETTLE, True, "HostGone")}
        assert bool(done & lost) == (verdict == "record lost"), point
        assert ((Action.SETTLE, True, "NeverArrived") in done) == (verdict == "record void"), point
        launched = verdict == "over" and starts(point)
        assert (Action.LAUNCH in actions) == launched, (point, plan)
        if launched:
            (launch,) = (change for change in plan.changes if change.action is Action.LAUNCH)
            known = report is not None or point[3] != "none"
            assert launch.run.endswith("-2" if known and point[4] == "same" else "-1"), (point, launch)
        if verdict == "unknown":
            assert [wait for wait in plan.waits if wait.task == "a"], point
        ended = report is not None and report.result is not None and report.directory and not report.bad
        assert (Action.COLLECT in actions) == bool(ended and point[3] != "collected"), point
        assert (Action.CLEANUP in actions) == bool(
            task == "deleted" and ((ended and point[3] == "collected") or (report is not None and report.void))
        ), point
