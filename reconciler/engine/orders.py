"""A plan's changes → intents in the ledger, calls to hosts, and outcomes on record."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from reconciler.act.apply import Warrant
from reconciler.act.collect import ASKED, Portion, secrets_of
from reconciler.engine.answers import Answers
from reconciler.engine.desired import Wanted
from reconciler.engine.events import Collected
from reconciler.engine.launches import Launches, named, origins
from reconciler.engine.operations import Operations
from reconciler.engine.sights import Sights
from reconciler.engine.world import World
from reconciler.model.change import Action, Answer, Change, Options, Outcome, Plan
from reconciler.model.desired import Desired
from reconciler.model.host import Host
from reconciler.model.observed import LeaseMark
from reconciler.model.rows import Event, EventType
from reconciler.model.run import Result, State
from reconciler.observe.parse import run_name
from reconciler.record.reading import unveiled, what_was_told

# What a local verdict (no host to ask) records.
LOCAL = {
    "NeverArrived": Result(State.VOID),
    "Vanished": Result(State.LOST, "Vanished"),
    "HostGone": Result(State.LOST, "HostGone"),
}

MOST_REMEMBERED = 10_000  # failures; a daemon lives long


class Orders:
    """Carries plans out. A change that failed is not tried again before the next round (`again`)."""

    def __init__(self, world: World, wanted: Wanted, operations: Operations, monotonic: Callable[[], float]) -> None:
        self._world = world
        self._wanted = wanted
        self._operations = operations
        self._tried: set[tuple[str, str, str]] = set()
        self._failed: dict[str, int] = {}  # change or task -> times
        self._refusals: dict[str, str] = {}  # change or task -> what its host said last
        self.answers = Answers(world, operations, monotonic)
        self._launches = Launches(world, wanted, self.answers)
        self.launched: set[str] = set()  # tasks, in a single cycle

    def again(self) -> None:
        """A new round: what failed may be tried again."""
        self._tried.clear()
        if len(self._failed) > MOST_REMEMBERED:  # of what is long gone; it only costs a few more rounds of patience
            self._failed.clear()
            self._refusals.clear()
        self._launches.lacking.clear()
        self.answers.again()

    def options(self, asked: Options, desired: Desired, newer: Mapping[str, str]) -> Options:
        """The caller's options with what git and the secrets' configuration say now."""
        last = self._world.ledger.begun_revision()
        rewritten = bool(last) and self._wanted.contains(last, desired.revision) is not True
        shallow = bool(newer or rewritten) and self._wanted.repository.shallow()
        return replace(
            asked, newer=newer, rewritten=rewritten, shallow=shallow, secrets_missing=self._launches.missing(desired)
        )

    def settle_here(self, plan: Plan, now: float) -> list[Outcome]:
        """Record the verdicts that no host has to carry out."""
        outcomes = []
        for change in plan.changes:
            if change.action is Action.SETTLE and not change.host:
                for event in self._world.ledger.settle(
                    change.run, replace(LOCAL[change.detail], last=change.last), now, why=change.why
                ):
                    self._world.listen(event)
                outcomes.append(Outcome(change, Answer.OK, change.detail))
        return outcomes

    def collect(self, plan: Plan, desired: Desired, hosts: Mapping[str, Host], sights: Sights) -> None:
        """Start bringing ended runs' results home."""
        found: dict[str, dict[str, str]] = {}
        named: dict[str, list[str]] = {}
        known = self._world.ledger.memory().runs if any(c.action is Action.COLLECT for c in plan.changes) else {}
        for change in plan.changes:
            if change.action is not Action.COLLECT or change.run in self._operations.collecting:
                continue
            if change.host in hosts and self._first_try(change):
                found.setdefault(change.host, {})[change.run] = sights.directory(change.host, change.run)
                memory = known.get(change.run)
                named[change.run] = origins(desired, change.task, memory.agent if memory else "")
        for host, directories in found.items():
            self._operations.collect(host, hosts[host], directories, self._world.archive.size, self._keeper(named))

    def brought(self, event: Collected, now: float) -> list[Outcome]:
        """Results are here, or not: read what the workers said of themselves."""
        return [self._collected(run, event.host, event.held.get(run, event.why), now) for run in event.runs]

    def _collected(self, run: str, host: str, why: str, now: float) -> Outcome:
        self._operations.collecting.discard(run)
        name = run_name(run)
        change = Change(Action.COLLECT, name.task if name else "", run, host, "it has ended")
        if why:
            self._failed[_key(change)] = self._failed.get(_key(change), 0) + 1
            return Outcome(change, Answer.UNKNOWN, why)
        self._failed.pop(_key(change), None)
        memory = self._world.ledger.memory().runs.get(run)
        told = unveiled(what_was_told(self._world.archive, run, memory), self._world.redactor)
        for event in self._world.ledger.collected(run, now, told):
            self._world.listen(event)
        return Outcome(change, Answer.OK, "collected")

    def send(
        self,
        plan: Plan,
        hosts: Mapping[str, Host],
        desired: Desired,
        sights: Sights,
        warrant: Warrant,
        now: float,
        *,
        single: bool,
    ) -> bool:
        """One call to every host that has changes and is not busy; False when a secret turned out to be missing.

        What waits for a secret's command is sent when that has answered.
        """
        chosen: dict[str, list[Change]] = {}
        for change in plan.changes:
            if change.action is Action.COLLECT or change.host not in hosts or change.host in self._operations.busy:
                continue
            if single and change.action is Action.LAUNCH and change.task in self.launched:
                continue
            if self._first_try(change):
                chosen.setdefault(change.host, []).append(change)
        if any(change.action is Action.LAUNCH for changes in chosen.values() for change in changes):
            chosen.update({name: [] for name in self._behind(hosts, sights, warrant) if name not in chosen})
        lacking = len(self._launches.lacking)
        launches, unsent = self._launches.make(chosen, desired)
        for change in unsent:
            if change.task not in self._launches.lacking:
                self._tried.discard(_mark(change))
        intents = self._launches.intents(chosen, launches, hosts, sights, desired, warrant.number)
        self._world.ledger.intend(intents, now)
        self._announce(chosen, unsent, now)
        if single:
            self.launched.update(launch.task.name for launch in launches.values())
        for name, changes in chosen.items():
            todo = [change for change in changes if change not in unsent]
            if changes and not todo:
                continue
            directories = {change.run: sights.directory(name, change.run) for change in todo}
            mine = {change.run: launches[change.run] for change in todo if change.run in launches}
            sight = sights.get(name)
            workspace = sight.workspace_id if sight else ""
            self._operations.act(name, hosts[name], workspace, todo, warrant, directories, mine)
        return len(self._launches.lacking) == lacking

    def _behind(self, hosts: Mapping[str, Host], sights: Sights, warrant: Warrant) -> list[str]:
        """Hosts of ours that show an older commit than the one that starts something somewhere now.

        They are told of it by a call without changes, so that a controller at an older commit, which may not know the
        host that the work went to, sees on any of them that it is behind.
        """
        ours = LeaseMark(warrant.number, warrant.ledger)
        idle = [name for name, host in hosts.items() if not host.former and name not in self._operations.busy]
        seen = ((name, sights.get(name)) for name in idle)
        return [name for name, sight in seen if sight and sight.lease == ours and sight.revision != warrant.revision]

    def outcomes(self, outcomes: Iterable[Outcome], now: float) -> list[Outcome]:
        """Record what hosts answered."""
        done = []
        ledger = self._world.ledger
        for outcome in outcomes:
            change = outcome.change
            if outcome.answer is Answer.OK:
                self._failed.pop(_key(change), None)
                self._refusals.pop(_key(change), None)
                if change.action is Action.LAUNCH:
                    ledger.accepted(change.run, now)
                elif change.action is Action.CANCEL:
                    ledger.cancel_sent(change.run, change.detail, now)
                elif change.action is Action.CLEANUP:
                    if not change.worktree:
                        ledger.cleaned(change.run, now)
                    self._world.tell([_event(EventType.CLEANED, change, now)])
            elif outcome.answer is Answer.FAILED:
                self._tell_refusal(outcome, now)
                if change.action is Action.LAUNCH:
                    ledger.refused(change.run, now, outcome.note)
                    self._tried.add(("task", change.task, ""))
                self._failed[_key(change)] = self._failed.get(_key(change), 0) + 1
            elif (
                change.action is Action.LAUNCH
            ):  # should it never have arrived it is sent again, a third time next round
                again = ("unknown", change.task, "") in self._tried
                self._tried.add(("task" if again else "unknown", change.task, ""))
            done.append(outcome)
        return done

    def _tell_refusal(self, outcome: Outcome, now: float) -> None:
        """Why a host did not do what it was asked to; once for as long as it says the same."""
        key = _key(outcome.change)
        if self._refusals.get(key) != outcome.note:
            self._refusals[key] = outcome.note
            self._world.tell([replace(_event(EventType.REFUSED, outcome.change, now), why=outcome.note)])

    def hopeless(self, change: Change) -> bool:
        """It has failed three rounds in a row: waiting longer is no use."""
        return self._failed.get(_key(change), 0) >= 3

    def _keeper(self, named: dict[str, list[str]]) -> Callable[[Portion], str]:
        """What keeps portions of runs whose documents name these secrets, and says why not where it must not."""

        def keep(portion: Portion) -> str:
            # What its run.json says of secrets the worker may have rewritten; its documents may have changed since.
            self._world.learn(named.pop(portion.run, ()))
            if portion.file == ASKED and (why := self._world.learn(secrets_of(portion.data))):
                return f"{why}; what {portion.run} printed stays on its host until it can be masked"
            self._world.archive.write(portion.run, portion.file, portion.offset, portion.data, more=portion.more)
            return ""

        return keep

    def _first_try(self, change: Change) -> bool:
        key = _mark(change)
        if key in self._tried or (change.action is Action.LAUNCH and ("task", change.task, "") in self._tried):
            return False
        self._tried.add(key)
        return True

    def _announce(self, chosen: Mapping[str, Sequence[Change]], unsent: set[Change], now: float) -> None:
        events = []
        for changes in chosen.values():
            for change in changes:
                if change.action is Action.LAUNCH and change not in unsent:
                    kind = EventType.RETRIED if named(change.run).attempt > 1 else EventType.LAUNCHED
                    events.append(_event(kind, change, now))
        if events:
            self._world.tell(events)


def _mark(change: Change) -> tuple[str, str, str]:
    return change.action.value, change.worktree or change.run, change.host


def _key(change: Change) -> str:
    thing = change.task if change.action is Action.LAUNCH else change.worktree or change.run
    return f"{change.action.value}/{thing}/{change.host}"


def _event(kind: EventType, change: Change, now: float) -> Event:
    return Event(now, kind, change.task, change.run, change.host, change.why)
