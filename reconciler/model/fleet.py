"""The Fleet document: what holds for all hosts and tasks."""

from dataclasses import dataclass
from enum import StrEnum

from reconciler.model.trust import Signer

DAY = 86_400


class Suspend(StrEnum):
    """Whether new work may start: `HOLD` starts nothing, `CANCEL` also stops what runs."""

    NO = "no"
    HOLD = "hold"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class Prune:
    """How much may leave git in one cycle before a person is asked."""

    max_percent: int = 20
    max_count: int = 10


@dataclass(frozen=True, slots=True)
class Retention:
    """How many ended runs per task stay on the hosts, and for how many seconds."""

    runs: int = 20
    age: int = 30 * DAY


@dataclass(frozen=True, slots=True)
class Fleet:
    """A fleet: its name, its generated id, and the limits of what a cycle may do."""

    name: str
    id: str
    suspend: Suspend = Suspend.NO
    interval: int = 30  # seconds between full looks at all hosts
    prune: Prune = Prune()
    retention: Retention = Retention()
    signers: tuple[Signer, ...] = ()  # whose commits are acted on; none: everybody's
