"""Which exit code a request ends with: the first that applies, in the order of the contract."""

import pytest

from reconciler.engine.tally import Tally
from reconciler.model.change import Action, Answer, Change, Outcome, Plan, TaskStatus, Wait
from reconciler.model.desired import Desired
from reconciler.model.fleet import Fleet, Suspend
from reconciler.model.problem import Problem
from reconciler.model.run import State
from reconciler.model.task import Step, Task

LAUNCH = Change(Action.LAUNCH, "build", "build-1a2b3c4d-1", "box1", "new task")
AGAIN = Change(Action.LAUNCH, "build", "build-1a2b3c4d-2", "box2", "attempt 1 never started")


def desired(problem: bool = False, **task: object) -> Desired:
    problems = (Problem("a.yaml", 1, 1, "", "broken"),) if problem else ()
    return Desired(
        "abc", Fleet("main", "12345678"), tasks={"build": Task("build", (Step("1a2b3c4d"),), **task)}, problems=problems
    )  # type: ignore[arg-type]


def plan(state: State = State.SUCCEEDED, **given: object) -> Plan:
    return Plan(statuses={"build": TaskStatus("build", state)}, **given)  # type: ignore[arg-type]


FAILED = Outcome(LAUNCH, Answer.FAILED, "no space left")
PERSON = Wait("build", "blocked", person=True)
CASES = {
    "all is well": (desired(), plan(), [], "ok"),
    "held before everything else": (desired(True), plan(State.FAILED, held=(LAUNCH,)), [FAILED], "held"),
    "a host unseen before a failed task": (desired(), plan(State.FAILED, unreachable={"box1": "cut"}), [], "partial"),
    "an action that failed": (desired(), plan(), [FAILED], "partial"),
    "an action whose fate is unknown": (
        desired(),
        plan(changes=(LAUNCH,)),
        [Outcome(LAUNCH, Answer.UNKNOWN)],
        "partial",
    ),
    "a lost answer to what was done": (desired(), plan(), [Outcome(LAUNCH, Answer.UNKNOWN)], "ok"),
    "a launch that failed, and the next one did not": (desired(), plan(), [FAILED, Outcome(AGAIN, Answer.OK)], "ok"),
    "a task that failed": (desired(True), plan(State.FAILED), [], "task-failed"),
    "a task that waits for a person": (desired(), plan(State.PENDING, waits=(PERSON,)), [], "task-failed"),
    "a suspended task may wait": (desired(suspend=Suspend.HOLD), plan(State.PENDING, waits=(PERSON,)), [], "ok"),
    "a closed task may have failed": (desired(closed=True), plan(State.FAILED), [], "ok"),
    "a problem in a document": (desired(True), plan(), [], "invalid"),
}


@pytest.mark.parametrize("asked, planned, outcomes, name", CASES.values(), ids=CASES)
def test_exit(asked: Desired, planned: Plan, outcomes: list[Outcome], name: str) -> None:
    tally = Tally(waiting=True)
    for outcome in outcomes:
        tally.add(outcome)
    assert tally.report(asked, planned).exit_name == name


def test_without_wait_a_failed_task_is_no_failure() -> None:
    assert Tally().report(desired(), plan(State.FAILED)).exit_name == "ok"


def test_time_is_up_before_everything() -> None:
    assert Tally(waiting=True).report(desired(), plan(held=(LAUNCH,)), timed_out=True).exit_name == "timeout"


def test_the_last_word_on_a_change_counts() -> None:
    tally = Tally()
    tally.add(FAILED)
    tally.add(Outcome(LAUNCH, Answer.OK, "accepted"))
    assert [outcome.answer for outcome in tally.report(desired(), plan()).outcomes] == [Answer.OK]


def test_a_selector_leaves_other_tasks_out() -> None:
    tally = Tally(waiting=True, selector={"team": "web"})
    assert tally.report(desired(), plan(State.FAILED)).exit_name == "ok"
