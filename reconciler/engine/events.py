"""What can come out of the loop's one queue."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from reconciler.act.apply import Applied
from reconciler.model.observed import Seen, Unseen


@dataclass(frozen=True, slots=True)
class Looked:
    """A host answered, or did not."""

    host: str
    sight: Seen | Unseen


@dataclass(frozen=True, slots=True)
class Took:
    """The answer to taking a host's lease with `number`."""

    host: str
    number: int
    applied: Applied
    asked_at: float


@dataclass(frozen=True, slots=True)
class Acted:
    """The answer to a host's changes."""

    host: str
    applied: Applied
    asked_at: float


@dataclass(frozen=True, slots=True)
class Collected:
    """The results and logs of these runs are here, or why not; `held`: those that stay on their host, and why."""

    runs: tuple[str, ...]
    host: str
    why: str = ""
    held: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answered:
    """What a command that prints a secret answered, or why there is no value."""

    name: str
    value: str = field(repr=False)
    why: str = ""


@dataclass(frozen=True, slots=True)
class CommitSeen:
    """The followed branch may have moved; or `trouble`: why it cannot be asked."""

    trouble: str = ""


@dataclass(frozen=True, slots=True)
class BellRang:
    """Something changed on a host; `held_by` when another ledger's doorbell is open there."""

    host: str
    open: bool = True
    held_by: str = ""


@dataclass(frozen=True, slots=True)
class Stopped:
    """A signal asked for the end."""


@dataclass(frozen=True, slots=True)
class Reread:
    """SIGHUP: read configuration and repository anew, look at every host."""


class Replier(Protocol):
    """Where the answer to a request goes."""

    def reply(self, answer: Mapping[str, Any]) -> None:
        """Send the one answer; never raises."""


@dataclass(frozen=True, slots=True)
class Requested:
    """A `reconcile` of the same state, typed beside this daemon."""

    allow_prune: bool
    wait: bool
    timeout: float | None
    selector: Mapping[str, str]
    replier: Replier
    trust: str = ""  # a commit that a person vouches for


@dataclass(frozen=True, slots=True)
class Failed:
    """A thread of ours ended by a bug; it is raised again in the loop."""

    error: BaseException


Event = Looked | Took | Acted | Collected | Answered | CommitSeen | BellRang | Stopped | Reread | Requested | Failed
