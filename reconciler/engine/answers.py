"""Values of secrets for launches. Commands that print some are run beside the loop, which goes on meanwhile."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

from reconciler.engine.events import Answered
from reconciler.engine.operations import Operations
from reconciler.engine.world import World
from reconciler.errors import ReconcilerError
from reconciler.record.secrets import SecretError, Secrets

FRESH = 60.0  # seconds for which launches use one answer of a command


@dataclass(frozen=True, slots=True)
class _Held:
    """What a command answered: a value, or why there is none."""

    at: float
    value: str = field(repr=False)
    why: str


class Answers:
    """What is known of secrets now. One thread calls it."""

    def __init__(self, world: World, operations: Operations, monotonic: Callable[[], float]) -> None:
        """`operations`: runs the commands."""
        self._world = world
        self._operations = operations
        self._monotonic = monotonic
        self._held: dict[str, _Held] = {}
        self._of: Secrets | None = None  # whose answers these are: the configuration may be read again

    def values(self, names: Iterable[str]) -> dict[str, str] | None:
        """The value of each name; None while a command is asked for one. Raises SecretError that names one missing."""
        secrets = self._world.secrets
        if self._of is not secrets:
            self._of, self._held = secrets, {}
        found: dict[str, str] = {}
        waiting = False
        for name in names:
            held = self._held.get(name)
            if not secrets.asks(name):
                found |= secrets.resolve([name])
            elif held and held.why:
                raise SecretError(held.why)
            elif held and self._monotonic() - held.at < FRESH:
                found[name] = held.value
            else:
                waiting = True
                if name not in self._operations.asking:
                    self._operations.ask(name, partial(_ask, secrets, name))
        return None if waiting else found

    def answered(self, answer: Answered) -> None:
        """A command has ended."""
        self._operations.asking.discard(answer.name)
        self._held[answer.name] = _Held(self._monotonic(), answer.value, answer.why)

    def again(self) -> None:
        """A new round: what failed may be asked again."""
        self._held = {name: held for name, held in self._held.items() if not held.why}


def _ask(secrets: Secrets, name: str) -> Answered:
    try:
        return Answered(name, secrets.resolve([name])[name])
    except ReconcilerError as problem:
        return Answered(name, "", str(problem))
