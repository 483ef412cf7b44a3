"""Reports merged: the first time stays, a result stays, and an event tells every transition once."""

import math
from dataclasses import replace

import pytest

from reconciler.model.host import Facts
from reconciler.model.observed import LeaseMark
from reconciler.model.rows import EventType
from reconciler.model.run import Result, RunReport, State
from reconciler.record.ledger import Ledger
from tests.record.builders import (
    BAD_REPORT,
    DIGEST,
    FAILED,
    SUCCEEDED,
    VANISHED,
    desired,
    ended,
    host,
    intent,
    mark,
    name,
    place,
    preparing,
    running,
    seen,
)

RUN = str(name())
BLOCKED = Result(State.BLOCKED, exit_code=0)
CANCELED = Result(State.CANCELED)
LOST = Result(State.LOST, "Rebooted")

STORIES: dict[str, tuple[list[RunReport | None], list[str]]] = {
    "a run's life": ([preparing(name()), running(name()), running(name()), ended(name())], ["started", "ended"]),
    "too quick to be seen at work": ([preparing(name()), ended(name())], ["started", "ended"]),
    "failed": ([running(name()), ended(name(), FAILED)], ["started", "failed"]),
    "blocked": ([running(name()), ended(name(), BLOCKED)], ["started", "blocked"]),
    "lost": ([running(name()), ended(name(), LOST)], ["started", "lost"]),
    "cancelled": (
        [running(name()), running(name(), cancel="closed"), ended(name(), CANCELED)],
        ["started", "canceled"],
    ),
    "ended, then cleaned by another controller": ([running(name()), ended(name()), mark(name())], ["started", "ended"]),
    "ended and cleaned between two looks": ([running(name()), mark(name(), FAILED)], ["started", "failed"]),
    "unreadable for a while": ([running(name()), BAD_REPORT, running(name()), ended(name())], ["started", "ended"]),
    "missing for a while": ([running(name()), None, running(name()), ended(name())], ["started", "ended"]),
    "over before it was heard of": ([ended(name()), ended(name())], []),
    "only its mark is left": ([mark(name())], []),
}


@pytest.mark.parametrize("reports, events", STORIES.values(), ids=STORIES)
def test_an_event_tells_every_transition_once(
    ledger: Ledger, reports: list[RunReport | None], events: list[str]
) -> None:
    news = []
    for report in reports:
        news += ledger.observe(host(), seen(*([report] if report else [])), 30.0)
    assert [event.type.value for event in news] == events
    assert all((event.task, event.run, event.host) == ("build", RUN, "h1") for event in news)


def test_the_past_of_an_unknown_run_is_on_record_but_no_news(ledger: Ledger) -> None:
    assert ledger.observe(host(), seen(ended(name(), FAILED)), 30.0) == []
    assert [(event.type, event.time) for event in ledger.events()] == [
        (EventType.STARTED, 11.0),
        (EventType.FAILED, 20.0),
    ]


def test_a_run_of_somebody_else_is_known_from_its_report(ledger: Ledger) -> None:
    ledger.observe(host(), seen(running(name(), rerun_key="abcd1234", lease=4)), 30.0)
    run = ledger.memory().runs[RUN]
    assert (run.accepted, run.lease, run.rerun_key, run.sent_at, run.started_at) == (True, 4, "abcd1234", 10.0, 11.0)
    assert (run.state, run.result, run.place) == (State.RUNNING, None, place(host()))


def test_a_mark_is_an_ended_cleaned_run(ledger: Ledger) -> None:
    ledger.observe(host(), seen(mark(name(), replace(FAILED, last=True))), 30.0)
    run = ledger.memory().runs[RUN]
    assert (run.result, run.cleaned, run.ended_at) == (replace(FAILED, last=True), True, 20.0)


def test_a_mark_that_says_nothing_is_still_an_end(ledger: Ledger) -> None:
    ledger.observe(host(), seen(RunReport(name(), done=True)), 30.0)
    result = ledger.memory().runs[RUN].result
    assert result is not None
    assert result.last


def test_first_times_stay(ledger: Ledger) -> None:
    ledger.observe(host(), seen(running(name(), started_at=11.0)), 30.0)
    ledger.observe(host(), seen(running(name(), started_at=11.004)), 31.0)
    ledger.observe(host(), seen(ended(name(), ended_at=20.0)), 32.0)
    ledger.observe(host(), seen(ended(name(), ended_at=20.003)), 33.0)
    run = ledger.memory().runs[RUN]
    assert (run.started_at, run.ended_at) == (11.0, 20.0)


@pytest.mark.parametrize("later", [ended(name(), FAILED), mark(name(), LOST), running(name()), BAD_REPORT], ids=str)
def test_a_result_never_changes(ledger: Ledger, later: RunReport) -> None:
    ledger.observe(host(), seen(ended(name())), 30.0)
    ledger.observe(host(), seen(later), 31.0)
    assert ledger.memory().runs[RUN].result == SUCCEEDED


class TestAGuess:
    """A verdict of ours gives way to what the host says."""

    @pytest.fixture
    def lost(self, ledger: Ledger) -> Ledger:
        ledger.observe(host(), seen(running(name())), 30.0)
        ledger.settle(RUN, VANISHED, 31.0)
        return ledger

    def test_to_a_result(self, lost: Ledger) -> None:
        news = lost.observe(host(), seen(ended(name())), 40.0)
        run = lost.memory().runs[RUN]
        assert (run.result, run.ended_at, run.state) == (SUCCEEDED, 20.0, State.SUCCEEDED)
        assert [event.type for event in news] == [EventType.ENDED]

    def test_to_a_living_run(self, lost: Ledger) -> None:
        (event,) = lost.observe(host(), seen(running(name())), 40.0)
        run = lost.memory().runs[RUN]
        assert (run.result, run.ended_at, run.state) == (None, None, State.RUNNING)
        assert (event.type, event.run) == (EventType.SEEN, RUN)

    def test_and_then_the_result_is_final(self, lost: Ledger) -> None:
        lost.observe(host(), seen(ended(name(), FAILED)), 40.0)
        lost.settle(RUN, VANISHED, 41.0)
        lost.observe(host(), seen(ended(name())), 42.0)
        assert lost.memory().runs[RUN].result == FAILED

    def test_not_to_records_that_cannot_be_read(self, lost: Ledger) -> None:
        lost.observe(host(), seen(BAD_REPORT), 40.0)
        assert lost.memory().runs[RUN].result == VANISHED

    def test_absent_from_a_full_report_means_nothing_is_left(self, lost: Ledger) -> None:
        lost.observe(host(), seen(), 40.0)
        run = lost.memory().runs[RUN]
        assert (run.result, run.cleaned) == (VANISHED, True)


def test_absent_is_no_verdict_on_a_living_run(ledger: Ledger) -> None:
    ledger.observe(host(), seen(running(name())), 30.0)
    before = ledger.memory().runs[RUN]
    ledger.observe(host(), seen(), 31.0)
    assert ledger.memory().runs[RUN] == before


def test_runs_of_other_hosts_are_untouched(ledger: Ledger) -> None:
    other = host("h2", "10.0.0.2")
    ledger.observe(other, seen(ended(name("b")), workspace="w2", of="h2"), 30.0)
    before = dict(ledger.memory().runs)
    ledger.observe(host(), seen(), 31.0)
    assert ledger.memory().runs == before


def test_a_copy_of_a_workspace_changes_nothing(ledger: Ledger) -> None:
    ledger.observe(host(), seen(running(name())), 30.0)
    ledger.observe(host("h2", "10.0.0.2"), seen(ended(name(), FAILED), workspace="w2", of="h2"), 31.0)
    run = ledger.memory().runs[RUN]
    assert (run.place.host, run.result) == ("h1", None)


def test_a_lost_reply_is_answered_by_the_report(ledger: Ledger) -> None:
    ledger.intend([intent(name(), host(), 2)], 9.0)
    ledger.observe(host(), seen(running(name(), lease=2)), 12.0)
    run = ledger.memory().runs[RUN]
    assert (run.accepted, run.sent_at, run.lease) == (True, 9.0, 2)


class TestHosts:
    """What is remembered of a place."""

    def test_seen(self, ledger: Ledger) -> None:
        ledger.observe(host(), seen(facts=Facts(boot_id="b")), 30.0)
        memory = ledger.memory().hosts["h1"]
        assert (memory.place, memory.seen_at, memory.taken) == (place(host()), 30.0, 0)

    def test_an_unchanged_report_costs_no_transaction(self, ledger: Ledger) -> None:
        ledger.observe(host(), seen(running(name()), facts=Facts(load1=0.1)), 30.0)
        version = _written(ledger)
        ledger.observe(host(), seen(running(name()), facts=Facts(load1=0.2)), 31.0)
        assert _written(ledger) == version
        assert ledger.memory().hosts["h1"].seen_at == 31.0

    @pytest.mark.parametrize("how", ["flush", "close"])
    def test_when_it_was_seen_is_kept(self, ledger: Ledger, how: str) -> None:
        ledger.observe(host(), seen(), 30.0)
        ledger.observe(host(), seen(facts=Facts(load1=0.2)), 31.0)
        getattr(ledger, how)()
        with Ledger.open(ledger.path, readonly=True) as reader:
            assert reader.memory().hosts["h1"].seen_at == 31.0

    def test_an_outage_is_told_once_and_its_end_too(self, ledger: Ledger) -> None:
        news = [*ledger.observe(host(), seen(), 30.0)]
        news += ledger.unseen(host(), "no route", 31.0)
        news += ledger.unseen(host(), "no route", 32.0)
        news += ledger.unseen(host(), "timed out", 33.0)
        assert ledger.host_rows() == () or ledger.memory().hosts["h1"].seen_at == 30.0
        news += ledger.observe(host(), seen(), 34.0)
        assert [(event.type, event.why) for event in news] == [(EventType.UNSEEN, "no route"), (EventType.SEEN, "")]

    def test_an_outage_outlives_the_controller(self, ledger: Ledger) -> None:
        ledger.unseen(host(), "no route", 31.0)
        ledger.close()
        with Ledger.open(ledger.path) as again:
            assert again.unseen(host(), "no route", 32.0) == []
            assert again.memory().hosts["h1"].seen_at is None

    def test_the_drain_counts_from_its_first_sight(self, ledger: Ledger) -> None:
        ledger.drains(["h1"], 20.0)
        ledger.observe(host(), seen(), 30.0)
        ledger.drains(["h1"], 31.0)
        assert ledger.memory().hosts["h1"].drain_since == 30.0
        ledger.drains([], 32.0)
        assert ledger.memory().hosts["h1"].drain_since is None
        ledger.drains(["h1"], 33.0)
        assert ledger.memory().hosts["h1"].drain_since == 33.0

    def test_survivors_of_kill_cordon_until_a_scan_finds_none(self, ledger: Ledger) -> None:
        ledger.observe(host(), seen(stuck=(RUN,)), 30.0)
        assert RUN in ledger.memory().hosts["h1"].stuck
        ledger.unseen(host(), "no route", 31.0)
        assert RUN in ledger.memory().hosts["h1"].stuck
        ledger.observe(host(), seen(), 32.0)
        assert ledger.memory().hosts["h1"].stuck == ""

    def test_taken(self, ledger: Ledger) -> None:
        ledger.taken(host(), "w1", 4, 30.0)
        ledger.observe(host(), seen(lease=LeaseMark(4, ledger.id), taken=4), 31.0)
        assert ledger.memory().hosts["h1"].taken == 4
        ledger.observe(host(), seen(lease=LeaseMark(4, ledger.id)), 32.0)
        assert ledger.memory().hosts["h1"].taken == 4

    def test_wiped(self, ledger: Ledger) -> None:
        ledger.taken(host(), "w1", 4, 30.0)
        ledger.observe(host(), seen(running(name()), ended(name("old"))), 31.0)
        ledger.observe(host(), seen(workspace="", of=""), 32.0)
        memory = ledger.memory()
        assert (memory.hosts["h1"].taken, memory.hosts["h1"].place.workspace_id) == (0, "")
        assert memory.runs[RUN].place.workspace_id == "w1"
        assert not memory.runs[RUN].cleaned
        assert memory.runs[str(name("old"))].cleaned

    def test_a_former_place_is_taken_beside_its_namesake(self, ledger: Ledger) -> None:
        ledger.observe(host(), seen(running(name())), 30.0)
        moved = host(address="10.0.0.2", identity_file="~/.ssh/new")
        ledger.observe(moved, seen(workspace="w2"), 31.0)
        ledger.taken(replace(host(), former=True), "w1", 4, 32.0)
        memory = ledger.memory()
        assert memory.hosts["h1"].place == place(moved, "w2")
        assert (memory.hosts["h1@10.0.0.1"].place, memory.hosts["h1@10.0.0.1"].taken) == (place(host()), 4)

    def test_how_a_place_was_reached_is_kept_for_when_no_document_names_it(self, ledger: Ledger) -> None:
        door = {
            "identity_file": "~/.ssh/key",
            "host_keys": ("ssh-ed25519 AAAA",),
            "ssh_options": {"Compression": "yes"},
        }
        ledger.observe(host(**door), seen(running(name())), 30.0)
        ledger.observe(replace(host(), former=True), seen(running(name())), 31.0)
        assert ledger.memory().hosts["h1"].reach == host(**door).reach

    def test_renamed_is_the_same_place_once_taken(self, ledger: Ledger) -> None:
        ledger.taken(host(), "w1", 4, 30.0)
        ledger.observe(host(), seen(running(name())), 31.0)
        renamed = host("h9", "10.0.0.1")
        ledger.observe(renamed, seen(running(name()), of="h1"), 32.0)  # its workspace goes by the old name
        assert ledger.memory().hosts["h1"].place.workspace_id == "w1"
        assert ledger.memory().hosts["h9"].place.workspace_id == ""
        ledger.taken(renamed, "w1", 5, 33.0)
        ledger.observe(renamed, seen(running(name()), of="h9"), 34.0)
        memory = ledger.memory()
        assert list(memory.hosts) == ["h9"]
        assert memory.runs[RUN].place == place(renamed)

    def test_moved_keeps_the_former_place_on_the_books(self, ledger: Ledger) -> None:
        ledger.observe(host(), seen(running(name())), 30.0)
        moved = host("h1", "10.0.0.2")
        ledger.observe(moved, seen(workspace="w2"), 31.0)
        memory = ledger.memory()
        assert memory.hosts["h1"].place == place(moved, "w2")
        assert memory.hosts["h1@10.0.0.1"].place == place(host())
        former = replace(host(), former=True)
        ledger.observe(former, seen(ended(name())), 32.0)
        memory = ledger.memory()
        assert sorted(memory.hosts) == ["h1", "h1@10.0.0.1"]
        assert memory.hosts["h1@10.0.0.1"].seen_at == 32.0
        assert memory.runs[RUN].place == place(host())
        ledger.forget(["h1@10.0.0.1"])
        memory = ledger.memory()
        assert list(memory.hosts) == ["h1"]
        assert memory.runs[RUN].cleaned

    def test_the_same_workspace_at_another_address_moved_with_its_runs(self, ledger: Ledger) -> None:
        ledger.observe(host(), seen(running(name())), 30.0)
        moved = host("h1", "10.0.0.2")
        ledger.observe(moved, seen(running(name())), 31.0)
        memory = ledger.memory()
        assert list(memory.hosts) == ["h1"]
        assert memory.runs[RUN].place == place(moved)

    def test_gone_outlasts_its_document(self, ledger: Ledger) -> None:
        ledger.observe(host(), seen(), 30.0)
        ledger.tasks_seen(desired(hosts=(host(gone=True),)), 31.0)
        ledger.tasks_seen(desired(), 32.0)
        assert ledger.memory().hosts["h1"].gone
        ledger.tasks_seen(desired(hosts=(host(),)), 33.0)
        assert not ledger.memory().hosts["h1"].gone

    def test_forgotten(self, ledger: Ledger) -> None:
        ledger.observe(host(), seen(ended(name())), 30.0)
        ledger.forget(["h1", "never-heard-of"])
        memory = ledger.memory()
        assert not memory.hosts
        assert memory.runs[RUN].cleaned


def test_numbers_that_nobody_means_do_no_harm(ledger: Ledger) -> None:
    huge = 10**30
    facts = Facts(load1=math.inf, uptime=math.nan, disk_free=huge)
    report = ended(name(), Result(State.FAILED, "ExitCode", huge), lease=huge)
    ledger.observe(host(), seen(report, lease=LeaseMark(huge, "ffffffff"), facts=facts), 30.0)
    ledger.close()
    with Ledger.open(ledger.path) as again:
        assert again.memory().runs[f"build-{DIGEST}-1"].lease > 0
        assert again.host_rows()


def _written(ledger: Ledger) -> int:
    """The number of changes that the ledger's own connection has made."""
    with ledger._database.reading() as connection:
        return connection.total_changes


def test_a_ledger_that_was_lost_knows_agent_worktree_and_branch_from_the_host(ledger: Ledger) -> None:
    alone = running(name(), agent="codex", worktree=str(name()))
    later = running(name(attempt=2), agent="codex", worktree=str(name()))
    ledger.observe(host(), seen(alone, later), 30.0)
    runs = ledger.memory().runs
    first, second = runs[str(name())], runs[str(name(attempt=2))]
    assert (first.agent, first.worktree, first.branch) == ("codex", str(name()), f"reconciler/{name()}")
    assert (second.agent, second.worktree, second.branch) == ("codex", str(name()), "")  # it goes on with another's
