"""The hosts as the loop deals with them: who is asked when, and what an answer means."""

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace

from reconciler.act.apply import Applied
from reconciler.decide import doubt, former_places, same_books, wanted_programs
from reconciler.engine.denials import Denials
from reconciler.engine.events import Acted, Looked, Took
from reconciler.engine.operations import Operations
from reconciler.engine.sights import Sights
from reconciler.engine.world import World
from reconciler.errors import LeaseLost
from reconciler.model.desired import Desired
from reconciler.model.host import Host
from reconciler.model.memory import Memory
from reconciler.model.observed import Seen, Unseen
from reconciler.observe.parse import parse_report

FIRST = 2.0  # seconds after which a round acts on what has answered
BREATH = 0.25  # seconds from a host's answer to the next look that its doorbell brings: of many rings it hears the last


class Hosts:
    """Asks hosts and takes in what they say. `recording`: the ledger learns of it."""

    def __init__(
        self,
        world: World,
        operations: Operations,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
        *,
        recording: bool,
    ) -> None:
        self.operations = operations
        self.sights = Sights(world.ledger.id)
        self.closed = False  # nobody is asked any more
        self._world = world
        self._clock = clock
        self._monotonic = monotonic
        self._recording = recording
        self._denials = Denials()
        self._desired: Desired
        self._all: tuple[Desired, Memory, dict[str, Host]] | None = None  # as of this commit and that ledger
        self._programs: frozenset[str] = frozenset()  # that agents need there
        self._again: set[str] = set()  # to be asked once they are not busy any more
        self._answered: dict[str, float] = {}  # monotonic
        self._due: dict[str, float] = {}  # rang, and are asked then

    def of(self, desired: Desired) -> None:
        """A commit was taken up: from now on these are the hosts. Those of which we know too little now are asked."""
        before = self._desired.hosts if hasattr(self, "_desired") else None
        known = self._all[2].keys() if self._all else desired.hosts.keys()
        self._desired = desired
        self._programs = wanted_programs(desired)
        if before is None:
            return  # everybody is about to be asked
        there = self.all().keys()
        self.sights.keep(there)
        self._denials.keep(there)
        self._again &= there
        for times in (self._answered, self._due):
            for name in times.keys() - there:
                del times[name]
        for name, host in desired.hosts.items():
            old = before.get(name)
            if old and old.shell_prelude != host.shell_prelude:
                self.sights.forget_programs(name)
            if old is None or old.place != host.place or self.sights.unasked(name, self._programs):
                self.ask([name])
        self.ask(there - known - desired.hosts.keys())  # what the commit has made a former place

    def all(self) -> dict[str, Host]:
        """The hosts of the fleet, and the places on the books that no Host names any more."""
        desired, memory = self._desired, self._world.ledger.memory()
        if self._all is None or self._all[0] is not desired or not same_books(self._all[1], memory):
            self._all = desired, memory, {**desired.hosts, **former_places(desired, memory)}
        return self._all[2]

    def observed(self) -> dict[str, Seen | Unseen]:
        """What is known of each now."""
        return self.sights.observed(self.all(), self.operations.busy)

    def looking(self) -> set[str]:
        """Those that are busy."""
        return self.operations.busy.keys() & self.all().keys()

    def reachable(self, among: Collection[str] | None = None) -> dict[str, Host]:
        """Hosts whose workspace was seen (of `among`, when given): their doorbell is worth an open channel."""
        there = self.sights.with_workspace()
        hosts = {name: host for name, host in self.all().items() if name in there and not host.gone}
        return hosts if among is None else {name: host for name, host in hosts.items() if name in among}

    def ask(self, names: Iterable[str]) -> None:
        """Ask for a report; a busy host is asked as soon as it is not."""
        hosts = self.all()
        patient = self._denials.patient(hosts, self._monotonic())
        for name in () if self.closed else sorted(set(names) - patient):
            if name in self.operations.busy:
                self._again.add(name)  # what it is busy with may answer with what was true before
            elif name in hosts:
                host = hosts[name]
                # Nobody waits for a host that is declared gone; it gets the time that everybody gets.
                host = replace(host, deadline=min(host.deadline, FIRST)) if host.gone else host
                lacking, only = self.sights.lacking(name, self._programs), len(self._desired.hosts) == 1
                self.operations.look(name, host, self._desired.fleet.id, only=only, programs=lacking)

    def rang(self, name: str) -> None:
        """Its doorbell did: it is asked at once, or, when it has just answered, after a breath."""
        if name in self.all():
            self._due.setdefault(name, self._answered.get(name, -BREATH) + BREATH)
            self.ask_rung()

    def ask_rung(self) -> None:
        """Ask those that rang and have had their breath; who is still busy has it after that."""
        moment = self._monotonic()
        ready = [name for name, at in self._due.items() if at <= moment and name not in self.operations.busy]
        for name in ready:
            del self._due[name]
        self.ask(ready)

    def next_rung(self) -> float:
        """Seconds until somebody who rang is to be asked; infinite when nobody is, or they are busy."""
        waiting = [at for name, at in self._due.items() if name not in self.operations.busy]
        return max(0.0, min(waiting, default=math.inf) - self._monotonic())

    @property
    def rung(self) -> bool:
        """Somebody rang and was not asked yet."""
        return bool(self._due)

    def ask_anybody(self) -> None:
        """A person has asked: those who refused the login may be tried again."""
        self._denials.clear()

    def free(self, name: str) -> bool:
        """An operation on it is over; False: its answer is of a place that this name does not stand for any more."""
        asked, host = self.operations.free(name), self.all().get(name)
        self._answered[name] = self._monotonic()
        if name in self._due:
            self._due[name] = self._answered[name] + BREATH
        stale = asked is not None and host is not None and asked.place.door != host.place.door
        if stale or name in self._again:
            self._again.discard(name)
            self.ask([name])
        if stale and asked is not None:  # the place is a former one by now, and may have been looked at meanwhile
            self.ask(other for other, former in self.all().items() if former.place.door == asked.place.door)
        return not stale

    def answered(self, event: Looked | Took | Acted) -> None:
        """What an operation has brought. Raises LeaseLost when another controller has taken the fleet."""
        match event:
            case Looked(name, sight):
                self.saw(name, sight)
            case Took(name, number, applied, asked_at):
                self.took(name, number, applied, asked_at)
            case Acted(name, applied, asked_at):
                self.acted(name, applied, asked_at)

    def saw(self, name: str, sight: Seen | Unseen) -> None:
        """A host answered, or did not. Raises LeaseLost when another controller has taken the fleet."""
        hosts = self.all()
        host = hosts.get(name)
        if host is None:
            return
        looks = {**self.sights.observed(hosts, {}), name: sight}
        if why := doubt(self._desired, self._world.ledger.memory(), looks, name):
            sight = Unseen(why, answered=True)
        self._denials.note(name, host, sight, self._monotonic())
        if lost := self.sights.note(name, sight):
            raise LeaseLost(lost)
        if self._recording:
            self._world.saw(host, sight, self._clock())

    def took(self, name: str, number: int, applied: Applied, asked_at: float) -> None:
        """The answer to taking its lease. Raises LeaseLost."""
        if applied.frames is None:
            self._refused(name, applied)
            return
        sight, host = self._report(applied.frames, asked_at, number), self.all().get(name)
        if isinstance(sight, Seen) and host:  # it may have left git, or the books, while it was asked
            self.sights.held[name] = number
            self._world.took(host, sight, number, self._clock())
        self.saw(name, sight)

    def acted(self, name: str, applied: Applied, asked_at: float) -> None:
        """The answer to its changes. Raises LeaseLost."""
        if applied.frames is None and applied.holder is None:
            self.ask([name])  # what became of it is not known; whether the host can be asked is another question
        elif applied.frames is None:
            self._refused(name, applied)
        else:
            number = self.sights.held.get(name, self._world.ledger.memory().number)
            self.saw(name, self._report(applied.frames, asked_at, number))

    def _report(self, frames: Mapping[str, bytes], asked_at: float, number: int) -> Seen | Unseen:
        fleet = self._desired.fleet.id
        return parse_report(frames, fleet_id=fleet, now=self._clock(), asked_at=asked_at, taken=number)

    def _refused(self, name: str, applied: Applied) -> None:
        if applied.holder is None:
            self.saw(name, Unseen(applied.why))
        elif applied.holder.ledger not in ("", self._world.ledger.id) and self._lost(name, applied):
            raise LeaseLost(f"another controller holds {name}: {applied.why}")
        else:
            self.ask([name])  # somebody was there in between; look, then take a higher number

    def _lost(self, name: str, applied: Applied) -> bool:
        """Whether another controller is at work: it took what was ours, with a higher number, or is listening there."""
        ours = self.sights.held.get(name)
        return applied.doorbell or (ours is not None and applied.holder is not None and applied.holder.number > ours)
