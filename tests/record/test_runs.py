"""From the intent to the end: what this controller itself writes down of a run."""

import pytest

from reconciler.model.rows import EventType
from reconciler.model.run import Result, RunName, State
from reconciler.record.ledger import Ledger
from reconciler.record.outcome import Told
from tests.record.builders import (
    FAILED,
    SUCCEEDED,
    VANISHED,
    ended,
    host,
    intent,
    mark,
    name,
    place,
    running,
    seen,
    void,
)

RUN = str(name())


@pytest.fixture
def sent(ledger: Ledger) -> Ledger:
    ledger.intend(
        [intent(name(), host(), 3, rerun_key="abcd1234", revision="c" * 40, author="Ann", labels={"a": "b"})], 9
    )
    return ledger


def test_an_intent_is_all_that_is_known_of_a_launch(sent: Ledger) -> None:
    run = sent.memory().runs[RUN]
    assert (run.name, run.place, run.lease, run.rerun_key) == (name(), place(host()), 3, "abcd1234")
    assert (run.accepted, run.result, run.sent_at, run.state) == (False, None, 9, State.PREPARING)
    (row,) = sent.run_rows()
    assert (row.author, row.revision, row.labels, row.state) == ("Ann", "c" * 40, {"a": "b"}, State.PREPARING)


def test_no_intents_cost_nothing(ledger: Ledger) -> None:
    before = ledger.memory()
    ledger.intend([], 1.0)
    assert ledger.memory() is before


def test_accepted(sent: Ledger) -> None:
    sent.accepted(RUN, 10.0)
    assert sent.memory().runs[RUN].accepted


def test_refused_is_void_until_its_host_says_more(sent: Ledger) -> None:
    sent.refused(RUN, 10.0)
    run = sent.memory().runs[RUN]
    assert (run.result, run.ended_at, run.cleaned) == (Result(State.VOID), 10.0, False)
    sent.observe(host(), seen(ended(name())), 30.0)
    assert sent.memory().runs[RUN].result == SUCCEEDED


def test_refused_for_its_mark_is_how_that_ended(sent: Ledger) -> None:
    sent.refused(RUN, 10.0)
    news = sent.observe(host(), seen(mark(name(), FAILED)), 30.0)
    run = sent.memory().runs[RUN]
    assert (run.result, run.cleaned, run.ended_at) == (FAILED, True, 20.0)
    assert [event.type for event in news] == [EventType.FAILED]


@pytest.mark.parametrize(
    "result, cleaned, events",
    [
        (VANISHED, False, [EventType.LOST]),
        (Result(State.LOST, "HostGone"), False, [EventType.LOST]),
        (Result(State.VOID, "NeverArrived"), True, []),
    ],
    ids=["Vanished", "HostGone", "NeverArrived"],
)
def test_verdicts_that_no_host_gave(sent: Ledger, result: Result, cleaned: bool, events: list[EventType]) -> None:
    news = sent.settle(RUN, result, 40.0, why="h1 does not have it")
    run = sent.memory().runs[RUN]
    assert (run.result, run.state, run.ended_at, run.cleaned) == (result, result.state, 40.0, cleaned)
    assert [event.type for event in news] == events
    assert all(event.run == RUN and event.task == "build" and event.host == "h1" for event in news)
    assert sent.settle(RUN, result, 41.0) == []


def test_a_verdict_never_overrules_the_host(sent: Ledger) -> None:
    sent.observe(host(), seen(ended(name(), FAILED)), 30.0)
    assert sent.settle(RUN, VANISHED, 40.0) == []
    sent.refused(RUN, 41.0)
    assert sent.memory().runs[RUN].result == FAILED


def test_the_first_reason_of_a_cancel_stays(sent: Ledger) -> None:
    sent.cancel_sent(RUN, "closed", 10.0)
    sent.cancel_sent(RUN, "drained", 11.0)
    assert sent.memory().runs[RUN].cancel == "closed"
    (event,) = sent.observe(host(), seen(ended(name(), Result(State.CANCELED))), 30.0)[-1:]
    assert (event.type, event.why) == (EventType.CANCELED, "closed")


def test_cleaned_leaves_the_table_and_stays_in_memory(sent: Ledger) -> None:
    sent.observe(host(), seen(ended(name())), 30.0)
    sent.cleaned(RUN, 31.0)
    assert sent.memory().runs[RUN].cleaned
    assert sent.run_rows() == ()
    assert [row.name for row in sent.run_rows(include_cleaned=True)] == [RUN]


def test_what_is_cleaned_but_there_again_is_not_cleaned(sent: Ledger) -> None:
    sent.observe(host(), seen(ended(name())), 30.0)
    sent.cleaned(RUN, 31.0)
    sent.observe(host(), seen(ended(name())), 32.0)
    assert not sent.memory().runs[RUN].cleaned


def test_collected_brings_the_summary(sent: Ledger) -> None:
    sent.observe(host(), seen(ended(name())), 30.0)
    assert sent.collected(RUN, 31.0, Told("all done")) == []
    assert sent.memory().runs[RUN].collected
    assert sent.run_rows()[0].summary == "all done"


def test_what_the_worker_said_outlasts_the_next_report(sent: Ledger) -> None:
    sent.observe(host(), seen(ended(name())), 30.0)
    (event,) = sent.collected(RUN, 31.0, Told("which branch?", Result(State.BLOCKED, exit_code=0)))
    assert (event.type, event.message) == (EventType.BLOCKED, "which branch?")
    for report in (ended(name()), mark(name())):
        sent.observe(host(), seen(report), 32.0)
        assert sent.memory().runs[RUN].result == Result(State.BLOCKED, exit_code=0)


@pytest.mark.parametrize(
    "told, type, why",
    [
        (Told("done"), EventType.ENDED, ""),
        (Told("no answer", Result(State.FAILED, "InvalidResult", 0)), EventType.FAILED, "InvalidResult"),
        (Told("which?", Result(State.BLOCKED, exit_code=0)), EventType.BLOCKED, ""),
    ],
)
def test_the_end_of_an_agent_is_news_once_its_output_was_read(
    ledger: Ledger, told: Told, type: EventType, why: str
) -> None:
    assert [event.type for event in ledger.observe(host(), seen(running(name(), agent="codex")), 29.0)] == [
        EventType.STARTED
    ]
    assert ledger.observe(host(), seen(ended(name(), agent="codex")), 30.0) == []
    (event,) = ledger.collected(RUN, 31.0, told)
    assert (event.type, event.why, event.message) == (type, why, told.summary)


def test_a_question_that_the_host_found_is_told_with_its_words(ledger: Ledger) -> None:
    ledger.observe(host(), seen(running(name(), agent="codex")), 29.0)
    assert ledger.observe(host(), seen(ended(name(), Result(State.BLOCKED), agent="codex")), 30.0) == []
    (event,) = ledger.collected(RUN, 31.0, Told("which?"))
    assert (event.type, event.message) == (EventType.BLOCKED, "which?")


def test_control_characters_are_spelled_out(sent: Ledger) -> None:
    sent.observe(host(), seen(ended(name())), 30.0)
    sent.collected(RUN, 31.0, Told("red \x1b[31m \udcff"))
    assert sent.run_rows()[0].summary == "red \x1b[31m \udcff".replace("\x1b", "\\x1b").replace("\udcff", "\\udcff")


@pytest.mark.parametrize("word", ["accepted", "refused", "cleaned"])
def test_a_run_that_nobody_knows_is_passed_over(ledger: Ledger, word: str) -> None:
    getattr(ledger, word)("ghost-1a2b3c4d-1", 1.0)
    assert not ledger.memory().runs
    assert ledger.settle("ghost-1a2b3c4d-1", VANISHED, 1.0) == []
    assert ledger.collected("ghost-1a2b3c4d-1", 1.0, Told()) == []


def test_a_memory_once_given_never_changes(sent: Ledger) -> None:
    before = sent.memory()
    run = before.runs[RUN]
    sent.observe(host(), seen(running(name()), running(RunName("other", "99999999", 1))), 12.0)
    assert (dict(before.runs), dict(before.hosts)) == ({RUN: run}, {})
    with pytest.raises(TypeError):
        before.runs["x"] = run  # type: ignore[index]


def test_nothing_changed_is_the_very_same_memory(sent: Ledger) -> None:
    assert sent.memory() is sent.memory()


def test_void_on_the_host(sent: Ledger) -> None:
    assert sent.observe(host(), seen(void(name())), 12.0) == []
    run = sent.memory().runs[RUN]
    assert (run.result, run.accepted, run.cleaned) == (Result(State.VOID), True, False)
