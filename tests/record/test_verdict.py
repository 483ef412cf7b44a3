"""Evidence over exit codes: what an agent's output makes of the end that its host recorded."""

from typing import Any

import pytest

from reconciler.agents.adapter import Adapter, Command, Output, Reading
from reconciler.model.rows import QaOutcome
from reconciler.model.run import Result, State
from reconciler.record.asked import Asked, asked_of
from reconciler.record.verdict import Evidence, judge, qa_of

ANSWER = {
    "status": "succeeded",
    "summary": "Adds a login page",
    "pullRequestUrl": "https://github.com/o/r/pull/7",
    "branchName": "reconciler/login-1a2b3c4d-1",
    "worktreePath": "/w",
    "notes": "see the wiki",
}
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": list(ANSWER),
    "properties": {
        "status": {"enum": ["succeeded", "failed", "blocked"]},
        "summary": {"type": "string"},
        "pullRequestUrl": {"type": ["string", "null"]},
        "branchName": {"type": ["string", "null"]},
        "worktreePath": {"type": "string"},
        "notes": {"type": ["string", "null"]},
    },
}
OK = Result(State.SUCCEEDED, exit_code=0)
BAD = Result(State.FAILED, "ExitCode", 1)
DONE = Reading(finished=True, answer=ANSWER)


def told(
    result: Result | None, reading: Reading, *, answers: bool = True, checked: bool = False, **evidence: Any
) -> Any:
    tool = Adapter("tool", "tool", lambda order: Command(()), lambda output: reading, str, answers=answers)
    asked = Asked("tool", "claude", "haiku", "reconciler/login-1a2b3c4d-1", checked)
    return judge(result, 1000.0, asked, tool, Evidence(Output(), **evidence), SCHEMA)


def answer(**changes: Any) -> Reading:
    return Reading(finished=True, answer={**ANSWER, **changes})


@pytest.mark.parametrize(
    "result, reading, state, reason, summary",
    [
        (OK, DONE, State.SUCCEEDED, "", "Adds a login page"),
        (BAD, DONE, State.SUCCEEDED, "", "Adds a login page"),
        (OK, answer(status="blocked", summary="Which page?"), State.BLOCKED, "", "Which page?"),
        (BAD, answer(status="blocked", summary="Which page?"), State.BLOCKED, "", "Which page?"),
        (OK, answer(status="failed", summary="Tests stay red"), State.FAILED, "", "Tests stay red"),
        (OK, Reading(), State.FAILED, "InvalidResult", "it ended with exit code 0 and gave no answer"),
        (
            OK,
            Reading(text="I am done!"),
            State.FAILED,
            "InvalidResult",
            "it ended with exit code 0 and gave no answer: I am done!",
        ),
        (
            OK,
            Reading(finished=True, text="I am done!"),
            State.FAILED,
            "InvalidResult",
            "it gave no answer of the form that was asked for: I am done!",
        ),
        (BAD, Reading(message="boom"), State.FAILED, "ExitCode", "boom"),
        (BAD, Reading(failure="RateLimited", message="429"), State.FAILED, "RateLimited", "429"),
        (OK, Reading(failure="AuthFailed", message="401"), State.FAILED, "AuthFailed", "401"),
        (Result(State.FAILED, "Timeout"), DONE, State.FAILED, "Timeout", "Adds a login page"),
        (Result(State.FAILED, "IdleTimeout"), Reading(message="429"), State.FAILED, "IdleTimeout", "429"),
        (Result(State.CANCELED), DONE, State.CANCELED, "", "Adds a login page"),
        (Result(State.LOST, "Rebooted"), Reading(), State.LOST, "Rebooted", ""),
        (Result(State.FAILED, "Signal", 137), Reading(), State.FAILED, "Signal", ""),
    ],
)
def test_the_end(result: Result, reading: Reading, state: State, reason: str, summary: str) -> None:
    said = told(result, reading)
    end = said.result or result
    assert (end.state, end.reason, said.summary) == (state, reason, summary)
    assert end.exit_code == result.exit_code


def test_what_a_good_answer_tells() -> None:
    reading = Reading(finished=True, answer=ANSWER, cost_usd=0.5, tokens=900, session_id="s1")
    said = told(OK, reading)
    assert (said.branch, said.pull_request_url) == (ANSWER["branchName"], ANSWER["pullRequestUrl"])
    assert (said.notes, said.cost_usd, said.tokens, said.session_id) == ("see the wiki", 0.5, 900, "s1")
    assert (said.agent, said.variant) == ("claude", "haiku")


def test_an_answer_that_does_not_fit_says_why() -> None:
    said = told(OK, Reading(finished=True, answer={"status": "succeeded"}))
    assert said.result == Result(State.FAILED, "InvalidResult", 0)
    assert "summary" in said.summary


@pytest.mark.parametrize(
    "changes", [{"branchName": "-f"}, {"branchName": "a/../b"}, {"branchName": "x y"}, {"branchName": None}]
)
def test_a_branch_that_is_none_is_not_used(changes: dict[str, Any]) -> None:
    assert told(OK, answer(**changes)).branch == "reconciler/login-1a2b3c4d-1"


@pytest.mark.parametrize("url", ["javascript:alert(1)", "https://x\n", "https://x y", None, "/pull/7"])
def test_a_pull_request_that_is_no_url_is_not_shown(url: str | None) -> None:
    assert told(OK, answer(pullRequestUrl=url)).pull_request_url == ""


def test_a_tool_that_gives_no_answers_needs_none() -> None:
    assert told(OK, Reading(finished=True, text="2 findings"), answers=False).summary == "2 findings"


@pytest.mark.parametrize(
    "answer, state",
    [
        ({"summary": "fine"}, State.SUCCEEDED),
        ({"status": "blocked"}, State.BLOCKED),
        ({"status": "great"}, State.FAILED),
        ({"status": ["succeeded"]}, State.FAILED),
    ],
)
def test_who_need_not_answer_may_say_less(answer: dict[str, Any], state: State) -> None:
    said = told(OK, Reading(finished=True, answer=answer), answers=False)
    assert (said.result or OK).state is state


def test_blocked_md_is_the_question_whatever_the_answer_says() -> None:
    said = told(Result(State.BLOCKED, exit_code=0), DONE, blocked=b"Which\npage?")
    assert (said.result, said.summary) == (None, "Which page?")


class TestLimits:
    """When a limited agent may go on."""

    def test_at_a_time(self) -> None:
        assert told(BAD, Reading(failure="RateLimited", retry_at=5000.0)).cool_until == 5000.0

    def test_after_a_while(self) -> None:
        assert told(BAD, Reading(failure="QuotaExceeded", retry_after=60.0)).cool_until == 1060.0

    def test_nobody_knows(self) -> None:
        assert told(BAD, Reading(failure="RateLimited")).cool_until is None


class TestChecks:
    """QA comes after the worker."""

    FAILED = Result(State.FAILED, "QAFailed", 0)

    def test_a_failure_names_its_step_and_the_end_of_the_log(self) -> None:
        said = told(self.FAILED, DONE, checked=True, qa=b"build\t0\t3\ntest\t1\t14\n", qa_log=b"ok\n\nFAIL: login\n")
        assert said.summary == "failed: test (exit code 1); the log ends: ok · FAIL: login"
        assert said.result is None
        assert said.qa == (QaOutcome("build", 0, 3), QaOutcome("test", 1, 14))

    def test_who_is_blocked_was_not_expected_to_pass(self) -> None:
        assert told(self.FAILED, answer(status="blocked")).result == Result(State.BLOCKED, "", 0)

    def test_a_bad_end_was_not_checked_and_is_no_success(self) -> None:
        assert told(BAD, DONE, checked=True).result is None

    @pytest.mark.parametrize("table", [b"", b"x", b"a\tb\tc\n", b"a\t1\n", b"\xff\t99999999999\t1\n"])
    def test_tables_that_cannot_be_read(self, table: bytes) -> None:
        assert qa_of(table) == ()


def test_preparing_failed_for_a_reason() -> None:
    log = b"Cloning...\nPrepareFailed: cannot clone: no such repository\n"
    end = Result(State.FAILED, "PrepareFailed")
    assert told(end, Reading(), phase_log=log).summary == "cannot clone: no such repository"
    assert told(end, Reading(), phase_log=log, phase="checkout").summary == "checkout: cannot clone: no such repository"


@pytest.mark.parametrize("reason", ["Timeout", "IdleTimeout"])
def test_a_limit_is_named_when_the_tool_said_nothing(reason: str) -> None:
    assert "than its " in told(Result(State.FAILED, reason), Reading()).summary
    assert told(Result(State.FAILED, reason), Reading(message="429")).summary == "429"


@pytest.mark.parametrize("text", [None, b"", b"{", b"[]", b"7", b'{"tool": 7}', b'{"tool": null}', b"\xff"])
def test_run_json_that_says_nothing_of_an_agent(text: bytes | None) -> None:
    assert asked_of(text) == Asked()


@pytest.mark.parametrize(
    "result", [BAD, OK, Result(State.FAILED, "IdleTimeout"), Result(State.FAILED, "Signal", 143)], ids=str
)
def test_without_any_other_word_standard_error_tells(result: Result) -> None:
    tool = Adapter("tool", "tool", lambda order: Command(()), lambda output: Reading(), str)
    output = Output(stderr=b"error: unexpected argument '--nope' found\n\n  For more information, try '--help'.\n")
    said = judge(result, None, Asked("tool", "claude"), tool, Evidence(output), SCHEMA).summary
    assert said.endswith("error: unexpected argument '--nope' found · For more information, try '--help'.")
