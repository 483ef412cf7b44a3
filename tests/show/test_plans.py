"""Plans and what became of them, as text and JSON."""

from dataclasses import replace

from reconciler.model.change import Action, Answer, Assignment, Change, Outcome, Plan, Wait
from reconciler.model.task import AgentRef
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
    assert list(written) == ["changes", "held", "heldWhy", "waits", "unreachable", "warnings", "refused", "summary"]
    assert written["changes"][0] == {  # type: ignore[index]
        "action": "cancel",
        "task": "old",
        "run": "old-99999999-2",
        "host": "box10",
        "why": "closed",
        "agent": None,
        "worktree": None,
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
        "worktreesRemoved": 0, "runDirectoriesRemoved": 0,
    }  # fmt: skip


def test_json_of_what_was_done() -> None:
    first, second, third = body(LATER, OUTCOMES)["changes"]  # type: ignore[misc]
    assert (first["outcome"], first["error"]) == ("ok", None)
    assert (second["outcome"], second["error"]) == ("unknown", "connection lost")
    assert third["outcome"] is None


def test_a_change_on_one_line() -> None:
    assert change_line(LAUNCH) == "+ launch build-1a2b3c4d-1 on box1: new task"


WORK = Assignment(AgentRef("claude", "haiku"), "fix-login-1a2b3c4d-1", "reconciler/fix-login-1a2b3c4d-1")
AGENT = Change(Action.LAUNCH, "fix-login", "fix-login-1a2b3c4d-1", "box1", "new task", work=WORK)
TREES = [
    Change(Action.CLEANUP, "fix-login", "fix-login-1a2b3c4d-1", "box1", "closed", worktree=f"shop/worktrees/{name}")
    for name in ("fix-login-1a2b3c4d-1", "fix-login-1a2b3c4d-2")
]
DIRECTORY = Change(Action.CLEANUP, "fix-login", "fix-login-1a2b3c4d-1", "box1", "left git")


def test_a_launch_shows_its_agent_and_a_cleanup_what_goes() -> None:
    assert change_line(AGENT) == "+ launch fix-login-1a2b3c4d-1 on box1 with claude:haiku: new task"
    assert change_line(TREES[0]) == "- cleanup worktree shop/worktrees/fix-login-1a2b3c4d-1 on box1: closed"
    assert listing(Plan(changes=(AGENT, TREES[0], DIRECTORY)), NOW) == (
        """\
  + launch    fix-login-1a2b3c4d-1                           on box1 with claude:haiku   new task
  - cleanup   worktree shop/worktrees/fix-login-1a2b3c4d-1   on box1                     closed
  - cleanup   fix-login-1a2b3c4d-1                           on box1                     left git

Plan: 1 to launch, 2 to clean up.
"""
    )
    launch, tree, directory = body(Plan(changes=(AGENT, TREES[0], DIRECTORY)))["changes"]  # type: ignore[misc]
    assert (launch["agent"], launch["worktree"]) == ("claude:haiku", None)
    assert (tree["agent"], tree["worktree"]) == (None, "shop/worktrees/fix-login-1a2b3c4d-1")
    assert directory["worktree"] is None


def test_what_was_removed_is_counted_by_kind_and_each_thing_once() -> None:
    done = [Outcome(change, Answer.OK, "removed") for change in (*TREES, DIRECTORY)]
    again = Outcome(TREES[0], Answer.OK, "already")
    missed = Outcome(replace(DIRECTORY, run="fix-login-1a2b3c4d-2"), Answer.FAILED, "failed: disk full")
    forgotten = Outcome(replace(DIRECTORY, run="fix-login-1a2b3c4d-3", host=""), Answer.OK)
    outcomes = [*done, again, missed, forgotten]
    assert summary(Plan(), outcomes) == "Done: removed 2 worktrees and 1 run directory, 1 failed."
    counted = body(Plan(), outcomes)["summary"]
    assert (counted["worktreesRemoved"], counted["runDirectoriesRemoved"]) == (2, 1)  # type: ignore[index]
    assert summary(Plan(), [Outcome(DIRECTORY, Answer.OK)]) == "Done: removed 1 run directory."


def test_a_worktree_that_is_still_to_go_is_not_hidden_by_its_run_directory() -> None:
    pairs = body(Plan(changes=(TREES[0], DIRECTORY)), [Outcome(DIRECTORY, Answer.OK, "removed")])["changes"]
    assert [(pair["worktree"], pair["outcome"]) for pair in pairs] == [  # type: ignore[attr-defined]
        (None, "ok"),
        ("shop/worktrees/fix-login-1a2b3c4d-1", None),
    ]
