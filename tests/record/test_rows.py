"""The tables of `get`, what git asked for, and the fleet's history."""

from dataclasses import replace

import pytest

from reconciler.model.change import TaskStatus
from reconciler.model.fleet import Suspend
from reconciler.model.host import Drain, Facts
from reconciler.model.memory import TaskMemory
from reconciler.model.problem import Source
from reconciler.model.rows import Event, EventType
from reconciler.model.run import State
from reconciler.record.ledger import Ledger
from reconciler.record.outcome import Told
from tests.record.builders import (
    DIGEST,
    VANISHED,
    desired,
    ended,
    host,
    intent,
    name,
    plan,
    running,
    seen,
    task,
)

RUN = str(name())
BUILD = task(labels={"team": "web"}, title="Build it", source=Source("tasks/build.yaml", 3), closed=True)
STATUS = TaskStatus("build", State.RUNNING, "", "since 5 s", RUN, "h1", 1, 11.0, None)


class TestTasks:
    """Tasks as the last cycle left them."""

    def test_a_row(self, ledger: Ledger) -> None:
        ledger.observe(host(), seen(running(name())), 30.0)
        ledger.save_cycle(desired(BUILD, hosts=(host(),)), plan(STATUS), 31.0, {"build": "Ann"})
        ledger.observe(host(), seen(running(name())), 35.0)
        (row,) = ledger.task_rows()
        assert (row.name, row.state, row.why, row.run, row.host, row.attempt) == (
            "build",
            State.RUNNING,
            "since 5 s",
            RUN,
            "h1",
            1,
        )
        assert (row.author, row.labels, row.title, row.file, row.line) == (
            "Ann",
            {"team": "web"},
            "Build it",
            "tasks/build.yaml",
            3,
        )
        assert (row.closed, row.suspended, row.digest, row.revision) == (True, False, DIGEST, "c" * 40)
        assert (row.started_at, row.finished_at, row.observed_at) == (11.0, None, 35.0)

    def test_the_summary_comes_with_the_run(self, ledger: Ledger) -> None:
        ledger.observe(host(), seen(ended(name())), 30.0)
        ledger.save_cycle(desired(BUILD), plan(STATUS), 31.0, {})
        ledger.collected(RUN, 32.0, Told("all done"))
        assert ledger.task_rows()[0].summary == "all done"

    def test_who_worked_and_where_is_that_of_the_run_that_is_shown(self, ledger: Ledger) -> None:
        reports = [ended(name(), agent="codex", worktree=RUN), ended(name(attempt=2), agent="claude", started_at=25.0)]
        ledger.observe(host(), seen(*reports), 30.0)
        ledger.save_cycle(desired(replace(BUILD, project="app")), plan(STATUS), 31.0, {})
        ledger.collected(RUN, 32.0, Told(branch="one", cost_usd=0.5))
        ledger.collected(str(name(attempt=2)), 33.0, Told(branch="two", pull_request_url="https://x/2", cost_usd=0.25))
        (row,) = ledger.task_rows()
        assert (row.run, row.agent, row.branch) == (RUN, "codex", "one")
        assert (row.pull_request_url, row.cost_usd) == ("https://x/2", 0.75), "the task's, whichever run told of it"

    def test_suspended_by_the_task(self, ledger: Ledger) -> None:
        ledger.save_cycle(desired(task(suspend=Suspend.HOLD)), plan(STATUS), 31.0, {})
        assert ledger.task_rows()[0].suspended

    def test_what_left_git_is_in_no_table(self, ledger: Ledger) -> None:
        ledger.save_cycle(desired(BUILD, hosts=(host(),)), plan(STATUS), 31.0, {})
        ledger.save_cycle(desired(), plan(), 32.0, {})
        assert ledger.task_rows() == ()
        assert ledger.host_rows() == ()
        assert ledger.memory().tasks.keys() == {"build"}  # a rename is told from the digest of what is gone

    def test_an_invalid_task_has_a_row_that_says_so(self, ledger: Ledger) -> None:
        status = TaskStatus("bad", State.PENDING, why="its file is invalid")
        ledger.save_cycle(desired(invalid={"bad": "no"}), plan(status), 31.0, {})
        assert [(row.name, row.why) for row in ledger.task_rows()] == [("bad", "its file is invalid")]

    def test_first_seen_stays_and_the_digest_follows(self, ledger: Ledger) -> None:
        ledger.tasks_seen(desired(task()), 10.0)
        ledger.tasks_seen(desired(task(digest="99999999")), 11.0)
        ledger.tasks_seen(desired(), 12.0)
        ledger.tasks_seen(desired(task()), 13.0)
        assert ledger.memory().tasks == {"build": TaskMemory(10.0, DIGEST)}

    def test_an_unchanged_commit_costs_no_transaction(self, ledger: Ledger) -> None:
        ledger.tasks_seen(desired(task()), 10.0)
        before = ledger.memory()
        ledger.tasks_seen(desired(task()), 11.0)
        assert ledger.memory() is before

    def test_when_the_last_cycle_was(self, ledger: Ledger) -> None:
        assert ledger.last_cycle_at() is None
        ledger.save_cycle(desired(), plan(), 31.25, {})
        assert ledger.last_cycle_at() == 31.25


class TestRuns:
    """Attempts."""

    def test_a_row(self, ledger: Ledger) -> None:
        ledger.observe(host(), seen(ended(name(), VANISHED, cancel="closed")), 30.0)
        (row,) = ledger.run_rows()
        assert (row.name, row.task, row.digest, row.attempt, row.host) == (RUN, "build", DIGEST, 1, "h1")
        assert (row.state, row.reason, row.why, row.directory) == (State.LOST, "Vanished", "closed", f"_/runs/{RUN}")
        assert (row.started_at, row.finished_at, row.observed_at) == (11.0, 20.0, 30.0)

    def test_unknown_while_its_host_cannot_be_asked(self, ledger: Ledger) -> None:
        ledger.observe(host(), seen(running(name("a")), ended(name("b"))), 30.0)
        ledger.unseen(host(), "no route", 35.0)
        assert [(row.task, row.state, row.observed_at) for row in ledger.run_rows()] == [
            ("a", State.UNKNOWN, 30.0),
            ("b", State.SUCCEEDED, 30.0),
        ]
        ledger.observe(host(), seen(running(name("a")), ended(name("b"))), 40.0)
        assert ledger.run_rows()[0].state is State.RUNNING

    def test_of_one_task_by_attempt(self, ledger: Ledger) -> None:
        attempts = [intent(name("a", attempt), host()) for attempt in (10, 9, 2)]
        ledger.intend([*attempts, intent(name("b"), host())], 1.0)
        assert [row.attempt for row in ledger.run_rows(task="a")] == [2, 9, 10]
        assert len(ledger.run_rows()) == 4

    def test_a_vanished_run_stays_in_the_table_while_its_task_is_in_git(self, ledger: Ledger) -> None:
        ledger.observe(host(), seen(running(name())), 30.0)
        ledger.settle(RUN, VANISHED, 31.0)
        ledger.observe(host(), seen(), 32.0)
        ledger.save_cycle(desired(BUILD), plan(STATUS), 33.0, {})
        assert [row.name for row in ledger.run_rows()] == [RUN]
        ledger.save_cycle(desired(), plan(), 34.0, {})
        assert ledger.run_rows() == ()


class TestHosts:
    """Hosts."""

    def test_a_row(self, ledger: Ledger) -> None:
        box = host(slots=3, labels={"gpu": "no"}, drain=Drain())
        ledger.observe(box, seen(running(name()), facts=Facts(load1=0.5)), 30.0)
        ledger.save_cycle(desired(hosts=(box,)), plan(), 31.0, {})
        (row,) = ledger.host_rows()
        assert (row.name, row.address, row.reachable, row.why, row.slots, row.active) == (
            "h1",
            "10.0.0.1",
            True,
            "",
            3,
            1,
        )
        assert (row.cordoned, row.draining, row.observed_at, row.labels) == (True, True, 30.0, {"gpu": "no"})
        assert row.facts == Facts(load1=0.5)

    def test_reachable(self, ledger: Ledger) -> None:
        ledger.save_cycle(desired(hosts=(host(),)), plan(), 31.0, {})
        assert ledger.host_rows()[0].reachable is None
        ledger.unseen(host(), "no route", 32.0)
        assert (ledger.host_rows()[0].reachable, ledger.host_rows()[0].why) == (False, "no route")
        ledger.observe(host(), seen(), 33.0)
        assert (ledger.host_rows()[0].reachable, ledger.host_rows()[0].why) == (True, "")

    def test_survivors_of_kill_show_as_cordoned(self, ledger: Ledger) -> None:
        ledger.save_cycle(desired(hosts=(host(),)), plan(), 31.0, {})
        ledger.observe(host(), seen(stuck=(RUN,)), 32.0)
        (row,) = ledger.host_rows()
        assert row.cordoned
        assert RUN in row.why

    def test_a_former_place_is_shown_while_something_is_left_there(self, ledger: Ledger) -> None:
        ledger.observe(host(), seen(ended(name())), 30.0)
        ledger.save_cycle(desired(), plan(), 31.0, {})
        assert [(row.name, row.why) for row in ledger.host_rows()] == [("h1", "no Host names this place any more")]
        ledger.cleaned(RUN, 32.0)
        assert ledger.host_rows() == ()


class TestLease:
    """Numbers and commits."""

    def test_a_new_epoch_is_not_whole(self, ledger: Ledger) -> None:
        ledger.number_to_take(3, True)
        ledger.whole()
        ledger.number_to_take(4, False)
        memory = ledger.memory()
        assert (memory.number, memory.epoch, memory.whole) == (4, 3, True)
        ledger.number_to_take(9, True)
        memory = ledger.memory()
        assert (memory.number, memory.epoch, memory.whole) == (9, 9, False)

    def test_commits_acted_on(self, ledger: Ledger) -> None:
        assert (ledger.last_revision(), ledger.own_revisions()) == ("", frozenset())
        for revision in ("aaa", "bbb", "aaa"):
            ledger.revision_acted(revision, 1.0)
        assert (ledger.last_revision(), ledger.own_revisions()) == ("aaa", {"aaa", "bbb"})

    def test_a_commit_acted_on_in_part_is_what_later_history_has_to_contain(self, ledger: Ledger) -> None:
        ledger.revision_acted("aaa", 1.0)
        ledger.revision_sent("bbb", 2.0)
        assert (ledger.last_revision(), ledger.begun_revision()) == ("aaa", "bbb")
        ledger.revision_sent("aaa", 3.0, whole=False)  # history was rewritten, and something is held
        assert ledger.begun_revision() == "bbb"
        ledger.revision_acted("aaa", 4.0)
        assert ledger.begun_revision() == "aaa"


class TestDocuments:
    """Last good versions."""

    def test_kept_until_the_document_leaves_git(self, ledger: Ledger) -> None:
        ledger.remember_documents({("Task", "build"): "{1}", ("Host", "h1"): "{2}", ("Fleet", "demo"): "{3}"})
        ledger.remember_documents({("Task", "build"): "{4}"})
        ledger.tasks_seen(desired(task(), hosts=(host(),)), 1.0)
        assert ledger.documents() == {("Task", "build"): "{4}", ("Host", "h1"): "{2}", ("Fleet", "demo"): "{3}"}
        ledger.tasks_seen(desired(complete=False), 2.0)
        assert len(ledger.documents()) == 3  # a file that cannot be read may declare them
        ledger.tasks_seen(desired(), 3.0)
        assert ledger.documents() == {("Fleet", "demo"): "{3}"}


class TestEvents:
    """History."""

    @pytest.fixture
    def history(self, ledger: Ledger) -> Ledger:
        ledger.add_events(
            Event(float(number), [EventType.LAUNCHED, EventType.ENDED][number % 2], f"t{number % 3}")
            for number in range(12)
        )
        return ledger

    @pytest.mark.parametrize(
        "asked, times",
        [
            ({}, list(range(12))),
            ({"after": 9}, [9, 10, 11]),
            ({"types": {EventType.ENDED}}, [1, 3, 5, 7, 9, 11]),
            ({"task": "t0"}, [0, 3, 6, 9]),
            ({"types": frozenset({EventType.ENDED}), "task": "t0", "after": 4}, [9]),
            ({"limit": 2}, [10, 11]),
            ({"after": 3, "limit": 2}, [3, 4]),
            ({"limit": 0}, []),
            ({"after": 99}, []),
        ],
    )
    def test_asked(self, history: Ledger, asked: dict[str, object], times: list[float]) -> None:
        assert [event.time for event in history.events(**asked)] == times  # type: ignore[arg-type]

    def test_numbers_go_up(self, history: Ledger) -> None:
        event = history.add_event(Event(99.0, EventType.HELD, message="2 tasks\x1b[2J"))
        assert event.number == 13
        assert history.events(after=12)[0].message == "2 tasks\\x1b[2J"
        assert history.add_events([]) == []
