"""Whatever happens in whatever order: what is held is what is on disk, and what was promised of runs stays true."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from reconciler.model.fleet import Retention
from reconciler.model.memory import RunMemory
from reconciler.model.run import Result, RunReport, State
from reconciler.record.ledger import Ledger
from reconciler.record.outcome import Told
from tests.record.builders import (
    BAD_REPORT,
    VANISHED,
    desired,
    ended,
    host,
    intent,
    mark,
    name,
    plan,
    preparing,
    running,
    seen,
    task,
    void,
)

TASKS = ("a", "b", "c")
RUNS = [name(task, attempt) for task in TASKS for attempt in (1, 2)]
HOSTS = [
    host("h1", "10.0.0.1"),
    host("h2", "10.0.0.2"),
    host("h1", "10.0.0.3"),  # h1, moved
    host("h3", "10.0.0.2"),  # h2, renamed
    replace(host("h1", "10.0.0.1"), former=True),
]
WORKSPACES = ["w1", "w2", "w3", ""]
STATES = [State.SUCCEEDED, State.FAILED, State.BLOCKED, State.LOST, State.CANCELED]

runs = st.sampled_from(RUNS)
hosts = st.sampled_from(HOSTS)
results = st.builds(Result, st.sampled_from(STATES), st.sampled_from(["", "ExitCode"]), st.sampled_from([None, 0, 3]))


@st.composite
def reports(draw: st.DrawFn) -> RunReport:
    run = draw(runs)
    kind = draw(st.sampled_from(["preparing", "running", "ended", "mark", "void", "bad"]))
    match kind:
        case "preparing":
            return preparing(run)
        case "running":
            return running(run, started_at=draw(st.floats(1, 99)), cancel=draw(st.sampled_from(["", "closed"])))
        case "ended":
            return ended(run, draw(results), ended_at=draw(st.floats(1, 99)))
        case "mark":
            return mark(run, draw(results))
        case "void":
            return void(run)
    return replace(BAD_REPORT, name=run)


class AnyOrder(RuleBasedStateMachine):
    """Every public method that writes, with any arguments, and the file closed and opened in between."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.file = Path(self.folder.name) / "ledger.db"
        self.ledger = Ledger.open(self.file)
        self.clock = 100.0
        self.before: dict[str, RunMemory] = {}

    def teardown(self) -> None:
        self.ledger.close()
        self.folder.cleanup()

    def now(self) -> float:
        self.clock += 1
        return self.clock

    @rule(number=st.integers(1, 9), fresh=st.booleans())
    def number_to_take(self, number: int, fresh: bool) -> None:
        self.ledger.number_to_take(number, fresh)

    @rule(where=hosts, workspace=st.sampled_from(WORKSPACES), number=st.integers(1, 9))
    def taken(self, where: object, workspace: str, number: int) -> None:
        self.ledger.taken(where, workspace, number, self.now())  # type: ignore[arg-type]

    @rule()
    def whole(self) -> None:
        self.ledger.whole()

    @rule(which=st.lists(runs, max_size=3, unique=True), where=hosts)
    def intend(self, which: list[object], where: object) -> None:
        fresh = [run for run in which if str(run) not in self.ledger.memory().runs]
        self.ledger.intend([intent(run, where) for run in fresh], self.now())  # type: ignore[arg-type]

    @rule(run=runs, word=st.sampled_from(["accepted", "refused", "cleaned"]))
    def answered(self, run: object, word: str) -> None:
        getattr(self.ledger, word)(str(run), self.now())

    @rule(run=runs, result=st.sampled_from([VANISHED, Result(State.LOST, "HostGone"), Result(State.VOID)]))
    def settle(self, run: object, result: Result) -> None:
        self.ledger.settle(str(run), result, self.now(), "why")

    @rule(run=runs)
    def cancel(self, run: object) -> None:
        self.ledger.cancel_sent(str(run), "closed\x07", self.now())

    @rule(run=runs, summary=st.text(max_size=5))
    def collected(self, run: object, summary: str) -> None:
        self.ledger.collected(str(run), self.now(), Told(summary))

    @rule(
        where=hosts,
        found=st.lists(reports(), max_size=5),
        workspace=st.sampled_from(WORKSPACES),
        of=st.sampled_from(["h1", "h2", "h3", ""]),
        taken=st.sampled_from([0, 0, 5]),
    )
    def observe(self, where: object, found: list[RunReport], workspace: str, of: str, taken: int) -> None:
        now = self.now()
        look = seen(*found, workspace=workspace, of=of, taken=taken)
        self.ledger.observe(where, look, now)  # type: ignore[arg-type]
        assert self.ledger.observe(where, look, now) == []  # type: ignore[arg-type]

    @rule(where=hosts, why=st.text(max_size=5))
    def unseen(self, where: object, why: str) -> None:
        self.ledger.unseen(where, why, self.now())  # type: ignore[arg-type]
        assert self.ledger.unseen(where, why, self.now()) == []  # type: ignore[arg-type]

    @rule(names=st.sets(st.sampled_from(["h1", "h2", "h3"])))
    def drains(self, names: set[str]) -> None:
        self.ledger.drains(names, self.now())

    @rule(names=st.sets(st.sampled_from(TASKS)), complete=st.booleans(), gone=st.booleans())
    def commit(self, names: set[str], complete: bool, gone: bool) -> None:
        wanted = desired(*map(task, sorted(names)), hosts=(host(gone=gone),), complete=complete)
        self.ledger.tasks_seen(wanted, self.now())
        self.ledger.save_cycle(wanted, plan(), self.now(), {})

    @rule(key=st.sampled_from(["h1", "h2", "h1@10.0.0.1", "h1@10.0.0.3"]))
    def forget(self, key: str) -> None:
        self.ledger.forget([key])

    @rule(age=st.sampled_from([1, 86_400]))
    def expire(self, age: int) -> None:
        self.ledger.expire(Retention(age=age), self.now())
        self.before = {}

    @rule()
    def reopen(self) -> None:
        self.ledger.close()
        self.ledger = Ledger.open(self.file)

    @invariant()
    def held_is_what_is_on_disk(self) -> None:
        held = self.ledger.memory()
        self.ledger.flush()
        with Ledger.open(self.file, readonly=True) as reader:
            assert reader.memory() == held
            assert reader.run_rows(include_cleaned=True) == self.ledger.run_rows(include_cleaned=True)
            assert reader.host_rows() == self.ledger.host_rows()

    @invariant()
    def nothing_is_forgotten_or_taken_back(self) -> None:
        runs = dict(self.ledger.memory().runs)
        for key, old in self.before.items():
            new = runs[key]
            assert new.sent_at == old.sent_at
            assert new.accepted >= old.accepted
            assert new.started_at == old.started_at or old.started_at is None
            assert (new.result is None) == (new.ended_at is None)
            assert new.state is new.result.state if new.result else new.state not in STATES
        self.before = runs


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=40, stateful_step_count=25, suppress_health_check=list(HealthCheck))
