"""What is old goes, and what must be known for ever stays."""

import os
import time
from pathlib import Path

import pytest

from reconciler.model.fleet import DAY, Retention
from reconciler.model.rows import Event, EventType
from reconciler.model.run import Result, State
from reconciler.record.archive import Archive
from reconciler.record.ledger import Ledger
from tests.record.builders import desired, ended, host, intent, mark, name, plan, seen, task

RUN = str(name())
NOW = 100.0 * DAY
RETENTION = Retention(age=30 * DAY)


@pytest.fixture
def archive(file: Path) -> Archive:
    return Archive(file.parent / "runs")


def collect(archive: Archive, run: str = RUN) -> None:
    archive.write(run, "stdout.log", 0, b"hello\n")


def test_the_archive_of_a_run_that_is_cleaned_goes_with_its_age(ledger: Ledger, archive: Archive) -> None:
    ledger.observe(host(), seen(ended(name(), ended_at=20.0)), 30.0)
    collect(archive)
    ledger.expire(RETENTION, NOW)
    assert archive.has(RUN)  # its host keeps it too
    ledger.observe(host(), seen(mark(name())), NOW)
    ledger.expire(RETENTION, NOW + DAY)
    assert not archive.has(RUN)
    assert RUN in ledger.memory().runs  # its mark is there: the step is done


def test_not_before_its_age(ledger: Ledger, archive: Archive) -> None:
    ledger.observe(host(), seen(ended(name(), ended_at=NOW - DAY)), NOW)
    ledger.cleaned(RUN, NOW)
    collect(archive)
    ledger.expire(RETENTION, NOW)
    assert archive.has(RUN)


def test_an_archive_that_no_ledger_knows_goes_by_its_own_age(ledger: Ledger, archive: Archive, file: Path) -> None:
    collect(archive, "old-1a2b3c4d-1")
    collect(archive, "new-1a2b3c4d-1")
    for entry in ("old-1a2b3c4d-1/stdout.log", "new-1a2b3c4d-1/stdout.log"):
        os.utime(file.parent / "runs" / entry, (1.0, 1.0) if "old" in entry else (NOW, NOW))
    ledger.expire(RETENTION, NOW)
    assert archive.runs() == ("new-1a2b3c4d-1",)


@pytest.mark.parametrize(
    "in_git, on_books, kept",
    [(True, True, True), (True, False, True), (False, True, True), (False, False, False)],
    ids=["in git", "in git, host forgotten", "left git, host may show its mark", "left git, host forgotten"],
)
def test_a_done_step_is_known_while_it_could_look_new(ledger: Ledger, in_git: bool, on_books: bool, kept: bool) -> None:
    ledger.observe(host(), seen(mark(name())), 30.0)
    ledger.tasks_seen(desired(task()), 30.0)
    if not in_git:
        ledger.tasks_seen(desired(), 31.0)
    if not on_books:
        ledger.forget(["h1"])
    ledger.expire(RETENTION, NOW)
    assert (RUN in ledger.memory().runs) is kept


def test_intents_that_never_arrived_go_with_their_task(ledger: Ledger) -> None:
    ledger.intend([intent(name(), host())], 10.0)
    ledger.settle(RUN, Result(State.VOID), 11.0)
    ledger.expire(RETENTION, NOW)
    assert not ledger.memory().runs


def test_events_stay_a_month_at_least(ledger: Ledger) -> None:
    for days in (10, 69, 71, 99):
        ledger.add_event(Event(days * float(DAY), EventType.HELD))
    ledger.expire(Retention(age=1), NOW)
    assert [event.time / DAY for event in ledger.events()] == [71, 99]


def test_after_everything_was_deleted_nothing_is_open(ledger: Ledger) -> None:
    ledger.observe(host(), seen(ended(name("a")), ended(name("b"))), 30.0)
    ledger.save_cycle(desired(), plan(), 31.0, {})
    for run in ("a-1a2b3c4d-1", "b-1a2b3c4d-1"):
        ledger.cleaned(run, 32.0)
    assert ledger.run_rows() == ()
    assert all(run.result and run.cleaned for run in ledger.memory().runs.values())


def test_often_is_cheap(ledger: Ledger) -> None:
    ledger.expire(RETENTION, NOW)
    ledger.add_event(Event(1.0, EventType.HELD))
    ledger.expire(RETENTION, NOW + 60)
    assert len(ledger.events()) == 1
    ledger.expire(RETENTION, NOW + 3601)
    assert not ledger.events()


def test_a_reader_removes_no_archive(file: Path, archive: Archive) -> None:
    Ledger.open(file).close()
    collect(archive)
    os.utime(file.parent / "runs" / RUN / "stdout.log", (1.0, 1.0))
    with Ledger.open(file, readonly=True) as reader:
        reader.expire(RETENTION, NOW)
    assert archive.has(RUN)


def old_run(ledger: Ledger, archive: Archive) -> None:
    ledger.observe(host(), seen(ended(name(), ended_at=NOW - DAY)), NOW)
    ledger.cleaned(RUN, NOW)
    collect(archive)
    assert ledger.expire(RETENTION, NOW) == ""


def test_a_clock_that_leaps_and_is_set_back_costs_nothing(ledger: Ledger, archive: Archive, file: Path) -> None:
    old_run(ledger, archive)
    ledger.add_event(Event(NOW, EventType.LAUNCHED))
    assert "leapt ahead" in ledger.expire(RETENTION, NOW + 365 * DAY)
    ledger.close()
    with Ledger.open(file) as again:  # the next controller knows it too
        assert "nothing is removed" in again.expire(RETENTION, NOW + 365.5 * DAY)
        assert archive.has(RUN)
        assert again.expire(RETENTION, NOW + DAY) == ""  # it is set back
        assert archive.has(RUN)
        assert [event.type for event in again.events()][-1] is EventType.LAUNCHED
        assert again.expire(RETENTION, NOW + 2 * DAY) == ""


def test_a_controller_that_was_away_for_long_goes_on_after_a_day(ledger: Ledger, archive: Archive) -> None:
    old_run(ledger, archive)
    for hours in (0, 5, 23):
        assert ledger.expire(RETENTION, NOW + 90 * DAY + hours * 3600) != ""
        assert archive.has(RUN)
    assert ledger.expire(RETENTION, NOW + 91 * DAY) == ""
    assert not archive.has(RUN)


def test_one_that_is_called_seldom_lets_go_at_the_second_time(ledger: Ledger, archive: Archive) -> None:
    old_run(ledger, archive)
    assert ledger.expire(RETENTION, NOW + 40 * DAY) != ""
    assert ledger.expire(RETENTION, NOW + 80 * DAY) == ""
    assert not archive.has(RUN)


def test_a_clock_that_was_set_back_by_a_year_stops_nothing(ledger: Ledger, archive: Archive) -> None:
    old_run(ledger, archive)
    assert ledger.expire(RETENTION, NOW - 365 * DAY) == ""
    assert ledger.expire(RETENTION, NOW - 364 * DAY) == ""
    assert archive.has(RUN)


def test_however_many_events_there_are_a_hundred_thousand_stay(ledger: Ledger) -> None:
    for _ in range(102):
        ledger.add_events([Event(NOW, EventType.SEEN, host="h1")] * 1000)
    ledger.expire(RETENTION, NOW)
    kept = ledger.events()
    assert (len(kept), kept[-1].number) == (100_000, 102_000)


def test_twenty_thousand_runs_are_let_go_of_at_once(ledger: Ledger, archive: Archive) -> None:
    runs = [name(f"t{number}") for number in range(20_000)]
    ledger.observe(host(), seen(*(ended(run, ended_at=20.0) for run in runs)), 30.0)
    ledger.observe(host(), seen(), 40.0)  # nothing of them is left there
    ledger.forget(["h1"])
    for run in runs[:200]:
        collect(archive, str(run))
    began = time.process_time()
    ledger.expire(RETENTION, NOW)
    assert time.process_time() - began < 5
    assert (len(ledger.memory().runs), archive.runs()) == (0, ())
