"""Plans and what became of them, as text and JSON."""

from reconciler.model.change import Action, Answer, Change, Outcome, Plan, Wait
from reconciler.show.plans import body, change_line, listing, summary

NOW = 1_795_218_841.0  # 23:54:01
LAUNCH = Change(Action.LAUNCH, "build", "build-1a2b3c4d-1", "box1", "new task")
CANCEL = Change(Action.CANCEL, "old", "old-99999999-2", "box10", "closed")
CLEAN = Change(Action.CLEANUP, "gone", "gone-12345678-1", "box1", "left git", prune=True)
PLAN = Plan(
    changes=(CANCEL, LAUNCH),
    held=(CLEAN,),
    held_why="12 of 30 tasks left git: more than maxCount 10",
    waits=(Wait("deploy", "needs build"), Wait("retry", "backoff", until=NOW + 192)),
    keeps=14,
    unreachable={"box3": "connection refused"},
    warnings=("new has the digest of gone: it runs again",),
)
LATER = Plan(keeps=14, changes=(CLEAN,))
OUTCOMES = (Outcome(LAUNCH, Answer.OK, "accepted"), Outcome(CANCEL, Answer.UNKNOWN, "connection lost"))


def test_a_plan_says_everything_and_sums_up_last() -> None:
    assert listing(PLAN, NOW) == (
        """\
warning: new has the digest of gone: it runs again

  + launch   build-1a2b3c4d-1   on box1    new task
  ~ cancel   old-99999999-2     on box10   closed

Held: 12 of 30 tasks left git: more than maxCount 10
  - cleanup   gone-12345678-1   on box1   left git
  Nothing of this is done before a person has looked at it.

Waiting:
  . deploy   needs build
  . retry    backoff (until 23:57:13 UTC, in 3m12s)

Unreachable (nothing there is started again, cancelled or removed):
  ! box3   connection refused

Plan: 1 to launch, 1 to cancel, 1 held, 2 waiting, 1 unreachable, 14 unchanged.
"""
    )


def test_a_report_says_what_came_of_it() -> None:
    assert listing(LATER, NOW, outcomes=OUTCOMES) == (
        """\
  + launch    build-1a2b3c4d-1   on box1    new task
  ~ cancel    old-99999999-2     on box10   unknown: connection lost (closed)
  - cleanup   gone-12345678-1    on box1    left git

Done: 1 launched, 1 unknown, 1 to clean up, 14 unchanged.
"""
    )


def test_nothing_to_do() -> None:
    assert summary(Plan(keeps=3)) == "No changes: 3 unchanged."
    assert summary(Plan()) == "No changes: 0 unchanged."
    assert summary(Plan(changes=(LAUNCH,))) == "Plan: 1 to launch."


def test_json_has_exactly_the_keys_of_the_contract() -> None:
    written = body(PLAN)
    assert list(written) == ["changes", "held", "heldWhy", "waits", "unreachable", "warnings", "summary"]
    assert written["changes"][0] == {  # type: ignore[index]
        "action": "cancel",
        "task": "old",
        "run": "old-99999999-2",
        "host": "box10",
        "why": "closed",
        "outcome": None,
        "error": None,
    }
    assert written["waits"] == [
        {"task": "deploy", "why": "needs build", "until": None, "host": None},
        {"task": "retry", "why": "backoff", "until": "2026-11-20T23:57:13Z", "host": None},
    ]
    assert written["unreachable"] == [{"host": "box3", "why": "connection refused"}]
    assert written["summary"] == {
        "launch": 1, "cancel": 1, "settle": 0, "collect": 0, "cleanup": 0, "keep": 14, "wait": 2, "held": 1,
    }  # fmt: skip


def test_json_of_what_was_done() -> None:
    first, second, third = body(LATER, OUTCOMES)["changes"]  # type: ignore[misc]
    assert (first["outcome"], first["error"]) == ("ok", None)
    assert (second["outcome"], second["error"]) == ("unknown", "connection lost")
    assert third["outcome"] is None


def test_a_change_on_one_line() -> None:
    assert change_line(LAUNCH) == "+ launch build-1a2b3c4d-1 on box1: new task"
