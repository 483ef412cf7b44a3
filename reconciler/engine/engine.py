"""A controller at work on one fleet: events in, decisions out, operations started.

Everything that happens comes through one queue; after each handful of events it is decided from scratch on what is
known then. A single cycle, `--wait` and the daemon differ only in what ends them (loop.py).
"""

import math
import random
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace

from reconciler.act.apply import Applied, Warrant
from reconciler.decide import decide, former_places, wanted_programs, without_launches
from reconciler.engine.books import Books
from reconciler.engine.denials import Denials
from reconciler.engine.desired import Wanted
from reconciler.engine.events import (
    Acted,
    BellRang,
    Collected,
    CommitSeen,
    Event,
    Failed,
    Looked,
    Requested,
    Reread,
    Stopped,
    Took,
)
from reconciler.engine.inbox import Inbox
from reconciler.engine.operations import Operations
from reconciler.engine.orders import Orders
from reconciler.engine.sights import Sights
from reconciler.engine.tally import Tally
from reconciler.engine.world import World
from reconciler.errors import LeaseLost, ReconcilerError
from reconciler.model.change import Action, Options, Outcome, Plan
from reconciler.model.desired import Desired
from reconciler.model.host import Host
from reconciler.model.observed import Seen, Unseen
from reconciler.observe.parse import parse_report
from reconciler.record.ledger import LedgerError

FIRST = 2.0  # seconds after which a round acts on what has answered


class Engine:
    """A controller at work on one fleet. One thread calls it."""

    def __init__(
        self,
        world: World,
        wanted: Wanted,
        options: Options,
        clock: Callable[[], float],
        *,
        acting: bool = True,
        recording: bool = False,
    ) -> None:
        """`acting` False: only look and decide, nothing changes on hosts; `recording`: the ledger learns of it."""
        self.world = world
        self.wanted = wanted
        self.options = options
        self.clock = clock
        self.acting = acting
        self.recording = acting or recording
        self.queue = Inbox()
        self.operations = Operations(world.remote, self.queue, clock)
        self.orders = Orders(world, wanted, self.operations)
        self.sights = Sights(world.ledger.id)
        self._denials = Denials()
        self.desired: Desired
        self.plan = Plan()
        self.tallies: list[Tally] = []
        self.requests: list[Requested] = []
        self.stopped = False
        self.take_over = False
        self.interval: float | None = None  # seconds; instead of the fleet's own
        self.launching = True
        self.single = False  # one cycle: a task is launched at most once
        self.round_at = 0.0  # monotonic; when the hosts were last asked all together
        self._again: set[str] = set()  # hosts to be asked once they are not busy any more
        self._rewritten = False  # the history of the branch was, and what has left git is still to be looked at
        self._stale = True  # something came in that has not been decided on
        self._programs: frozenset[str] = frozenset()  # that agents need on their hosts
        self._books = Books(world, wanted)

    # --- the story ---------------------------------------------------------------------------------------------

    def round(self, *, busy_too: bool = True) -> None:
        """Read the newest commit and ask every host (or those that are not busy); what failed may be tried again.

        Raises ReconcilerError when there is no commit to go by; later, one that cannot be read changes nothing.
        """
        self.world.check()
        if hasattr(self, "desired"):
            self._newest()
        else:
            self.read_commit()
        self.round_at = time.monotonic()
        self.orders.again()
        self.ask([name for name in self.hosts() if busy_too or name not in self.operations.busy])
        self._stale = True

    def read_commit(self) -> None:
        """Take up the newest commit. Raises ReconcilerError when it cannot be read."""
        before = getattr(self, "desired", None)
        desired, documents = self.wanted.read(self.world.ledger, before)
        self.desired = desired
        if desired is not before:
            self._stale = True
            self._programs = wanted_programs(desired)
            if self.recording:
                self.world.remember(desired, documents, self.clock())

    def ask(self, names: Iterable[str]) -> None:
        """Ask hosts for their report; a busy one is asked as soon as it is not."""
        hosts = self.hosts()
        patient = self._denials.patient(hosts, time.monotonic())
        for name in () if self.stopped else set(names) - patient:
            if name in self.operations.busy:
                self._again.add(name)  # what it is busy with may answer with what was true before
            elif name in hosts:
                host = hosts[name]
                # Nobody waits for a host that is declared gone; it gets the time that everybody gets.
                host = replace(host, deadline=min(host.deadline, FIRST)) if host.gone else host
                lacking, only = self.sights.lacking(name, self._programs), len(self.desired.hosts) == 1
                self.operations.look(name, host, self.desired.fleet.id, only=only, programs=lacking)

    def step(self, timeout: float) -> None:
        """Wait for events for at most `timeout` seconds, take them in, decide when something is new, and act."""
        for event in self.queue.take(min(timeout, self._patience())):
            self._take_in(event)
            self._stale = True
        if self._stale and not self.early():
            self._stale = False
            self._decide()

    def awaken(self) -> None:
        """Decide again at the next step although nothing came in: a time has come."""
        self._stale = True

    def _decide(self) -> None:
        moment = self.clock()
        observed = self.sights.observed(self.hosts(), self.operations.busy)
        newer = self.wanted.newer(self.desired, observed, self.world.ledger.own_revisions())
        options = self.orders.options(self.options, self.desired, newer)
        self._rewritten = options.rewritten
        plan = decide(self.desired, observed, self.world.ledger.memory(), moment, options)
        self.plan = plan if self.launching else without_launches(plan)
        if self.acting and not self.stopped:
            self._act(self.plan, moment)

    def _act(self, plan: Plan, moment: float) -> None:
        hosts, ledger = self.hosts(), self.world.ledger
        settled = self.orders.settle_here(plan, moment)
        self._note(settled)
        self._stale = bool(settled or plan.forget)  # the ledger knows more now than this plan was made of
        for name in plan.forget:
            ledger.forget([name])
            self.sights.forget(name)
        self.orders.collect(plan, hosts, self.sights)
        if plan.takes or any(change.host for change in plan.changes):
            # What has to be collected first is pruned later: rewritten history is not forgotten before that.
            ledger.revision_sent(self.desired.revision, moment, whole=not (plan.held or self._rewritten))
        if plan.takes:
            ledger.number_to_take(plan.number, plan.fresh)
            for name in plan.takes:
                if name in hosts and name not in self.operations.busy:
                    former = self.sights.named(name)
                    warrant = self._warrant(plan.number)
                    self.operations.take(name, hosts[name], warrant, rename_from=former, take_over=self.take_over)
            return  # the takes answer with newer reports; then it is decided again
        if not ledger.memory().whole and any(change.action is Action.LAUNCH for change in plan.changes):
            ledger.whole()
        warrant = self._warrant(ledger.memory().number)
        sent = self.orders.send(plan, hosts, self.desired, self.sights, warrant, moment, single=self.single)
        self._stale = self._stale or not sent

    # --- what comes in -----------------------------------------------------------------------------------------

    def _take_in(self, event: Event) -> None:
        """Note one event. Raises LeaseLost when another controller has taken the fleet."""
        match event:
            case Looked(host, sight):
                self._free(host)
                self._saw(host, sight)
            case Took(host, number, applied, asked_at):
                self._free(host)
                self._took(host, number, applied, asked_at)
            case Acted(host, applied, asked_at):
                self._free(host)
                self._acted(host, applied, asked_at)
            case Collected(runs, host, why):
                self._note([self.orders.collected(run, host, why, self.clock()) for run in runs])
            case CommitSeen(trouble):
                if self.wanted.repository.url:
                    self.world.trouble_with("the remote", trouble)
                self._newest()
            case BellRang(host, is_open, held_by):
                if held_by:
                    raise LeaseLost(f"{host} is held by {held_by}, whose `watch` is running")
                if is_open:
                    self.ask([host])
            case Reread():
                self.world.reread()
                self._denials.clear()
                self.round()
            case Requested():
                self.requests.append(event)
            case Stopped():
                self.stopped = True
            case Failed(error):
                raise error

    def _free(self, host: str) -> None:
        self.operations.busy.pop(host, None)
        if host in self._again:
            self._again.discard(host)
            self.ask([host])

    def _newest(self) -> None:
        try:
            self.read_commit()
        except LedgerError:
            raise  # what cannot be recorded must not go on
        except ReconcilerError as problem:
            self.world.trouble_with("the repository", str(problem))
        else:
            self.world.trouble_with("the repository", "")

    def _saw(self, name: str, sight: Seen | Unseen) -> None:
        host = self.hosts().get(name)
        if host is None:
            return
        self._denials.note(name, host, sight, time.monotonic())
        if lost := self.sights.note(name, sight):
            raise LeaseLost(lost)
        if self.recording:
            self.world.saw(host, sight, self.clock())

    def _took(self, name: str, number: int, applied: Applied, asked_at: float) -> None:
        if applied.frames is None:
            self._refused(name, applied)
            return
        sight = self._report(applied.frames, asked_at, number)
        if isinstance(sight, Seen):
            self.sights.held[name] = number
            self.world.took(self.hosts()[name], sight, number, self.clock())
        self._saw(name, sight)

    def _acted(self, name: str, applied: Applied, asked_at: float) -> None:
        self._note(self.orders.outcomes(applied.outcomes, self.clock()))
        if applied.frames is None and applied.holder is None:
            self.ask([name])  # what became of it is not known; whether the host can be asked is another question
            return
        if applied.frames is None:
            self._refused(name, applied)
            return
        number = self.sights.held.get(name, self.world.ledger.memory().number)
        self._saw(name, self._report(applied.frames, asked_at, number))

    def _report(self, frames: Mapping[str, bytes], asked_at: float, number: int) -> Seen | Unseen:
        fleet = self.desired.fleet.id
        return parse_report(frames, fleet_id=fleet, now=self.clock(), asked_at=asked_at, taken=number)

    def _refused(self, name: str, applied: Applied) -> None:
        if applied.holder is None:
            self._saw(name, Unseen(applied.why))
        elif applied.holder.ledger != self.world.ledger.id and (name in self.sights.held or applied.doorbell):
            raise LeaseLost(f"another controller holds {name}: {applied.why}")
        else:
            self.ask([name])  # somebody was there in between; look, then take a higher number

    def _note(self, outcomes: Iterable[Outcome]) -> None:
        for outcome in outcomes:
            for tally in self.tallies:
                tally.add(outcome)

    # --- when ---------------------------------------------------------------------------------------------------

    def early(self) -> bool:
        """A round is young and hosts are still answering: better to decide on all of them at once."""
        hosts = self.hosts()
        return time.monotonic() - self.round_at < FIRST and any(not hosts[name].gone for name in self.looking())

    def _patience(self) -> float:
        """For how many seconds it may be put off to decide."""
        if not self._stale:
            return math.inf
        return max(0.0, self.round_at + FIRST - time.monotonic()) if self.early() else 0.0

    def looking(self) -> set[str]:
        """Busy hosts."""
        return self.operations.busy.keys() & self.hosts().keys()

    def resting(self) -> bool:
        """Nothing is under way, and all that is known has been decided on."""
        return not (self._stale or self.looking() or self.operations.collecting or self.queue)

    def next_round(self) -> float:
        """Seconds from one full look to the next: the interval, ± a tenth so that controllers do not march in step."""
        return (self.interval or self.desired.fleet.interval) * random.uniform(0.9, 1.1)  # noqa: S311 (no secret)

    def save(self) -> None:
        """Keep how everything stands; cheap when nothing changed."""
        if self.recording:
            pending = self._rewritten and (self.plan.unreachable or self.plan.changes)
            acted = self.acting and not pending
            self._books.save(self.desired, self.plan, self.clock(), whole=self.resting(), acted=acted)

    # --- small things -------------------------------------------------------------------------------------------

    def hosts(self) -> dict[str, Host]:
        """The hosts of the fleet, and the places on the books that no Host names any more."""
        return {**self.desired.hosts, **former_places(self.desired, self.world.ledger.memory())}

    def reachable(self, among: Collection[str] | None = None) -> dict[str, Host]:
        """Hosts whose workspace was seen (of `among`, when given): their doorbell is worth an open channel."""
        there = self.sights.with_workspace()
        hosts = {name: host for name, host in self.hosts().items() if name in there and not host.gone}
        return hosts if among is None else {name: host for name, host in hosts.items() if name in among}

    def _warrant(self, number: int) -> Warrant:
        return Warrant(self.desired.fleet, self.world.ledger.id, number, self.desired.revision)
