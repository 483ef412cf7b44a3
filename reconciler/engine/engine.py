"""A controller at work on one fleet: events in, decisions out, operations started.

Everything that happens comes through one queue; after each handful of events it is decided from scratch on what is
known then. A single cycle, `--wait` and the daemon differ only in what ends them (loop.py).
"""

import math
import random
from collections.abc import Callable, Iterable

from reconciler.act.apply import Warrant
from reconciler.decide import decide, without_launches
from reconciler.engine.books import Books
from reconciler.engine.desired import Wanted
from reconciler.engine.events import (
    Acted,
    Answered,
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
from reconciler.engine.garbage import uncollected
from reconciler.engine.hosts import FIRST, Hosts
from reconciler.engine.means import Means
from reconciler.engine.operations import Operations
from reconciler.engine.orders import Orders
from reconciler.engine.tally import Tally
from reconciler.engine.world import World
from reconciler.errors import LeaseLost, ReconcilerError
from reconciler.model.change import Action, Options, Outcome, Plan
from reconciler.model.desired import Desired
from reconciler.model.rows import Event as Entry
from reconciler.model.rows import EventType
from reconciler.record.ledger import LedgerError


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
        means: Means | None = None,
    ) -> None:
        """`acting` False: only look and decide, nothing changes on hosts; `recording`: the ledger learns of it."""
        self.world = world
        self.wanted = wanted
        self.options = options
        self.clock = clock
        self.acting = acting
        self.recording = acting or recording
        self.means = means = means or Means()
        self.queue = means.inbox()
        self.operations = Operations(world.remote, self.queue, clock, means.start, world.hide)
        self.orders = Orders(world, wanted, self.operations, means.monotonic)
        self.hosts = Hosts(world, self.operations, clock, means.monotonic, recording=self.recording)
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
        self._rewritten = False  # the history of the branch was, and what has left git is still to be looked at
        self._stale = True  # something came in that has not been decided on
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
        self.round_at = self.means.monotonic()
        self.orders.again()
        self.hosts.ask([name for name in self.hosts.all() if busy_too or name not in self.operations.busy])
        self._stale = True

    def read_commit(self) -> None:
        """Take up the newest commit. Raises ReconcilerError when it cannot be read."""
        before = getattr(self, "desired", None)
        desired, documents = self.wanted.read(self.world.ledger, before)
        self.desired = desired
        if desired is not before:
            self._stale = True
            self.hosts.of(desired)
            self.world.learn_at_hand(desired)
            if self.recording:
                self.world.remember(desired, documents, self.clock())

    def trust(self, commit: str) -> None:
        """A person vouches for a commit of the branch; the next reading goes on from it. Raises ReconcilerError."""
        found = self.wanted.trust(self.world.ledger, commit)
        if self.recording:
            self.world.tell([Entry(self.clock(), EventType.APPROVED, message=f"commit {found[:12]} as verified")])

    def step(self, timeout: float) -> None:
        """Wait for events for at most `timeout` seconds, take them in, decide when something is new, and act."""
        for event in self.queue.take(min(timeout, self._patience(), self.hosts.next_rung())):
            self._take_in(event)
            self._stale = True
        self.hosts.ask_rung()
        if self._stale and not self.early():
            self._stale = False
            self._decide()

    def awaken(self) -> None:
        """Decide again at the next step although nothing came in: a time has come."""
        self._stale = True

    def _decide(self) -> None:
        moment = self.clock()
        observed = self.hosts.observed()
        newer = self.wanted.newer(self.desired, observed, self.world.ledger.own_revisions())
        options = self.orders.options(self.options, self.desired, newer)
        self._rewritten = options.rewritten
        memory = self.world.ledger.memory()
        with uncollected():
            plan = decide(self.desired, observed, memory, moment, options)
        self.plan = plan if self.launching else without_launches(plan)
        if self.acting and not self.stopped:
            if options.allow_prune:
                self.world.ledger.overruled(newer.values(), moment)
            self._act(self.plan, moment)

    def _act(self, plan: Plan, moment: float) -> None:
        hosts, ledger = self.hosts.all(), self.world.ledger
        settled = self.orders.settle_here(plan, moment)
        self._note(settled)
        self._stale = bool(settled or plan.forget)  # the ledger knows more now than this plan was made of
        for name in plan.forget:
            ledger.forget([name])
            self.hosts.sights.forget(name)
        self.orders.collect(plan, self.desired, hosts, self.hosts.sights)
        if plan.takes or any(change.host for change in plan.changes):
            # What has to be collected first is pruned later: rewritten history is not forgotten before that.
            ledger.revision_sent(self.desired.revision, moment, whole=not (plan.held or self._rewritten))
        if plan.takes:
            ledger.number_to_take(plan.number, plan.fresh)
            for name in plan.takes:
                if name in hosts and name not in self.operations.busy:
                    former = self.hosts.sights.named(name)
                    warrant = self._warrant(plan.number)
                    self.operations.take(name, hosts[name], warrant, rename_from=former, take_over=self.take_over)
            return  # the takes answer with newer reports; then it is decided again
        if not ledger.memory().whole and any(change.action is Action.LAUNCH for change in plan.changes):
            ledger.whole()
        warrant = self._warrant(ledger.memory().number)
        sent = self.orders.send(plan, hosts, self.desired, self.hosts.sights, warrant, moment, single=self.single)
        self._stale = self._stale or not sent

    # --- what comes in -----------------------------------------------------------------------------------------

    def _take_in(self, event: Event) -> None:
        """Note one event. Raises LeaseLost when another controller has taken the fleet."""
        match event:
            case Looked() | Took() | Acted():
                current = self.hosts.free(event.host)
                if isinstance(event, Acted):
                    self._note(self.orders.outcomes(event.applied.outcomes, self.clock()))
                if current:
                    self.hosts.answered(event)
            case Collected():
                self._note(self.orders.brought(event, self.clock()))
            case Answered():
                self.orders.answers.answered(event)
            case CommitSeen(trouble):
                self._commit_seen(trouble)
            case BellRang(host, is_open, held_by):
                if held_by:
                    raise LeaseLost(f"{host} is held by {held_by}, whose `watch` is running")
                if is_open:
                    self.hosts.rang(host)
            case Reread():
                self.world.reread()
                self.hosts.ask_anybody()
                self.round()
            case Requested():
                self.requests.append(event)
            case Stopped():
                self.stopped = self.hosts.closed = True
            case Failed(error):
                raise error

    def _commit_seen(self, trouble: str) -> None:
        if self.wanted.repository.url:
            self.world.trouble_with("the remote", trouble)
        self._newest()

    def _newest(self) -> None:
        try:
            self.read_commit()
        except LedgerError:
            raise  # what cannot be recorded must not go on
        except ReconcilerError as problem:
            self.world.trouble_with("the repository", str(problem))
        else:
            self.world.trouble_with("the repository", "")

    def _note(self, outcomes: Iterable[Outcome]) -> None:
        for outcome in outcomes:
            for tally in self.tallies:
                tally.add(outcome)

    # --- when ---------------------------------------------------------------------------------------------------

    def early(self) -> bool:
        """A round is young and hosts are still answering: better to decide on all of them at once."""
        hosts, age = self.hosts.all(), self.means.monotonic() - self.round_at
        return age < FIRST and any(not hosts[name].gone for name in self.hosts.looking())

    def _patience(self) -> float:
        """For how many seconds it may be put off to decide."""
        if not self._stale:
            return math.inf
        return max(0.0, self.round_at + FIRST - self.means.monotonic()) if self.early() else 0.0

    def resting(self) -> bool:
        """Nothing is under way, and all that is known has been decided on."""
        under_way = self.hosts.looking() or self.hosts.rung or self.operations.collecting or self.operations.asking
        return not (self._stale or under_way or self.queue)

    def next_round(self) -> float:
        """Seconds from one full look to the next: the interval, ± a tenth so that controllers do not march in step."""
        return (self.interval or self.desired.fleet.interval) * random.uniform(0.9, 1.1)  # noqa: S311 (no secret)

    def save(self) -> None:
        """Keep how everything stands; cheap when nothing changed."""
        if self.recording:
            pending = self._rewritten and (self.plan.unreachable or self.plan.changes)
            acted = self.acting and not pending
            self._books.save(self.desired, self.plan, self.clock(), whole=self.resting(), acted=acted)

    def _warrant(self, number: int) -> Warrant:
        return Warrant(self.desired.fleet, self.world.ledger.id, number, self.desired.revision)
