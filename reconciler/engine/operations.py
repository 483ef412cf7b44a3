"""One operation at a time per host, all hosts in parallel; answers come back through the loop's queue."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from threading import BoundedSemaphore

from reconciler.act.apply import Warrant, apply, take
from reconciler.act.collect import Portion, collect
from reconciler.act.payload import Launch
from reconciler.engine.events import Acted, Collected, Event, Failed, Looked, Took
from reconciler.engine.inbox import Inbox
from reconciler.errors import ReconcilerError
from reconciler.model.change import Change
from reconciler.model.host import Host
from reconciler.model.observed import Seen, Unseen
from reconciler.observe.look import look
from reconciler.remote.transport import Remote

PARALLEL = 64  # calls under way; each is a thread that waits for one ssh
COLLECTING = 8  # long transfers beside them


class Operations:
    """Starts operations and knows which hosts are busy. Only the loop's thread calls it."""

    def __init__(
        self,
        remote: Remote,
        queue: Inbox,
        clock: Callable[[], float],
        beside: Callable[[Callable[[], None]], None],
        hide: Callable[[str], str] = str,
    ) -> None:
        """`beside`: starts what it is given beside the loop; `hide`: takes secrets out of what hosts say to people,
        who may have been sent some, and give them back in an error."""
        self._hide = hide
        self._remote = remote
        self._queue = queue
        self._clock = clock
        self._beside = beside
        self._calls = BoundedSemaphore(PARALLEL)
        self._transfers = BoundedSemaphore(COLLECTING)
        self.busy: dict[str, str] = {}  # host -> operation
        self.asked: dict[str, Host] = {}  # host -> how it was reached, while it is busy
        self.collecting: set[str] = set()  # runs
        self.asking: set[str] = set()  # secrets

    def look(self, name: str, host: Host, fleet_id: str, *, only: bool, programs: Collection[str] = ()) -> None:
        """Ask for a report. `name`: as the loop knows it; a former place may have a namesake."""
        self._occupy(name, host, "look")
        ask = partial(look, self._remote, host, fleet_id=fleet_id, only=only, clock=self._clock, programs=programs)
        self._start(lambda: Looked(name, self._worded(ask())))

    def take(self, name: str, host: Host, warrant: Warrant, *, rename_from: str, take_over: bool) -> None:
        """Take the lease."""
        self._occupy(name, host, "take")
        asked_at = self._clock()
        self._start(
            lambda: Took(
                name,
                warrant.number,
                take(self._remote, host, warrant, rename_from=rename_from, take_over=take_over).worded(self._hide),
                asked_at,
            )
        )

    def act(
        self,
        name: str,
        host: Host,
        workspace_id: str,
        changes: Sequence[Change],
        warrant: Warrant,
        directories: Mapping[str, str],
        launches: Mapping[str, Launch],
    ) -> None:
        """Carry changes out, all of them in one call."""
        self._occupy(name, host, "act")
        asked_at = self._clock()

        def call() -> Acted:
            applied = apply(self._remote, host, workspace_id, changes, warrant, directories, launches)
            return Acted(name, applied.worded(self._hide), asked_at)

        self._start(call)

    def collect(
        self,
        name: str,
        host: Host,
        directories: Mapping[str, str],
        have: Callable[[str, str], int],
        keep: Callable[[Portion], str],
    ) -> None:
        """Bring results and logs of ended runs here; beside the host's other operations, since it only reads.

        `keep` takes each portion in a thread; what it returns is why no more of that run may be brought here.
        """
        runs = tuple(directories)
        self.collecting.update(runs)

        def bring() -> Collected:
            held: dict[str, str] = {}
            try:
                for portion in collect(self._remote, host, directories, have, held):
                    if portion.run not in held and (why := keep(portion)):
                        held[portion.run] = why
            except ReconcilerError as failure:
                return Collected(runs, name, self._hide(str(failure)), held)
            return Collected(runs, name, held=held)

        self._start(bring, self._transfers)

    def ask(self, secret: str, answer: Callable[[], Event]) -> None:
        """Ask for a secret's value, which may take as long as a person needs to type a password."""
        self.asking.add(secret)
        self._start(answer)

    def free(self, name: str) -> Host | None:
        """An operation is over. Takes the host's name; returns how it was reached."""
        self.busy.pop(name, None)
        return self.asked.pop(name, None)

    def _worded(self, sight: Seen | Unseen) -> Seen | Unseen:
        return replace(sight, why=self._hide(sight.why)) if isinstance(sight, Unseen) else sight

    def _occupy(self, name: str, host: Host, operation: str) -> None:
        self.busy[name], self.asked[name] = operation, host

    def _start(self, operation: Callable[[], Event], gate: BoundedSemaphore | None = None) -> None:
        def run() -> None:
            with gate or self._calls:
                try:
                    self._queue.put(operation())
                except BaseException as error:  # a bug must not vanish in a thread
                    self._queue.put(Failed(error))

        self._beside(run)
