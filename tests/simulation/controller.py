"""A controller process: the real engine, whose calls, answers and death are the scheduler's to arrange."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reconciler.engine.engine import Engine
from reconciler.engine.events import Event, Failed
from reconciler.engine.goals import next_time
from reconciler.engine.inbox import Inbox
from reconciler.engine.means import Means
from reconciler.engine.world import World as Outside
from reconciler.errors import ReconcilerError
from reconciler.model.change import Options
from reconciler.record.redactor import Redactor
from reconciler.record.secrets import Secrets
from tests.simulation.network import Wire
from tests.simulation.repository import Clone
from tests.simulation.state import State

if TYPE_CHECKING:
    from tests.simulation.world import World

ROUND = 30.0  # seconds between full looks


class Killed(BaseException):
    """kill -9."""


class Mailbox(Inbox):
    """The engine's queue. While a call is carried out its answer goes into `transit` instead."""

    def __init__(self) -> None:
        self.waiting: list[Event] = []
        self.transit: list[Event] | None = None

    def put(self, event: Event) -> None:
        (self.waiting if self.transit is None else self.transit).append(event)

    def take(self, timeout: float) -> list[Event]:
        events, self.waiting = self.waiting, []
        return events

    def __bool__(self) -> bool:
        return bool(self.waiting)


@dataclass
class Process:
    """One life of a controller."""

    engine: Engine
    wire: Wire
    mailbox: Mailbox
    calls: list[Callable[[], None]] = field(default_factory=list)  # started, not carried out yet
    answers: list[Event] = field(default_factory=list)  # carried out, not heard of yet


class Controller:
    """One state folder and clone, and the process that works with them when there is one."""

    def __init__(self, name: str, world: "World") -> None:
        self.name = name
        self.world = world
        self.state = State(name)
        self.clone = Clone(world.origin)
        self.process: Process | None = None
        self.allow_prune = False
        self.single = False
        self.skew = 0.0  # seconds that its wall clock is off
        self.kill_at: int | None = None  # the effect boundary to die at
        self.boundary = 0
        self.troubles: list[str] = []

    # --- life and death ---

    def start(self) -> None:
        """Start a process and its first round."""
        mailbox, wire, calls = Mailbox(), Wire(self), list[Callable[[], None]]()
        outside = Outside(
            ledger=self.state.open(self.boundaries),
            archive=self.state.shelf,
            redactor=Redactor(),
            remote=wire,  # type: ignore[arg-type]
            secrets=Secrets({}, environment={}),
            load_secrets=lambda: Secrets({}, environment={}),
            launcher=self.name,
        )
        engine = Engine(
            outside,
            self.clone,
            Options(allow_prune=self.allow_prune),
            lambda: self.world.time + self.skew,
            means=Means(lambda: self.world.time, calls.append, lambda: mailbox),
        )
        engine.single = self.single
        self.process = Process(engine, wire, mailbox, calls)
        self._guard(engine.round)
        self.step()

    def kill(self) -> None:
        """kill -9: what is on the wire may still arrive."""
        process = self.process
        if process:
            process.wire.dead = True
            self.world.abandon(process.calls)
        self.process = None

    def boundaries(self, where: str) -> None:
        """One more effect of it is about to happen, or has just happened: it may be killed here."""
        self.boundary += 1
        self.world.truth.boundaries += 1
        if self.kill_at == self.boundary:
            raise Killed(where)

    def _guard(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Killed:
            self.kill()
        except ReconcilerError as error:  # the lease is lost, the repository cannot be read: it ends with a sentence
            self.troubles.append(str(error))
            self.kill()

    # --- what the scheduler lets it do ---

    def round(self) -> None:
        """The interval is over."""
        if self.process:
            self._guard(self.process.engine.round)
            self.step()

    def step(self) -> None:
        """It goes on with what has come in, as loop.py does."""
        process = self.process
        if process is None:
            return
        engine = process.engine

        def turn() -> None:
            engine.step(0)
            if self.world.random.random() < 0.05:  # it costs more than all the rest, and nothing is decided on it
                engine.save()
            if not self.single and next_time(engine, engine.clock()) <= 0:
                engine.awaken()

        self._guard(turn)
        if self.single and self.process is process and not (process.calls or process.answers) and engine.resting():
            self.process = None

    def carry_out(self, index: int) -> None:
        """A call reaches the network."""
        process = self.process
        if process is None:
            return
        call = process.calls.pop(index)
        heard: list[Event] = []
        process.mailbox.transit = heard
        call()
        process.mailbox.transit = None
        if any(isinstance(event, Failed) and isinstance(event.error, Killed) for event in heard):
            self.kill()
        else:
            process.answers += heard

    def hear(self, index: int) -> None:
        """An answer comes in."""
        if self.process:
            self.process.mailbox.put(self.process.answers.pop(index))

    @property
    def idle(self) -> bool:
        """Nothing is under way and nothing is left to decide."""
        process = self.process
        return process is None or not (process.calls or process.answers or not process.engine.resting())
