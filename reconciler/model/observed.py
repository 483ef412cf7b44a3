"""What the hosts said: seen, or unseen with the reason; never empty by mistake."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from reconciler.model.host import Facts
from reconciler.model.run import RunReport


class LeaseMark(NamedTuple):
    """The lease a host holds: its number and the ledger that set it."""

    number: int
    ledger: str


@dataclass(frozen=True, slots=True)
class Seen:
    """A full report of one host."""

    workspace_id: str = ""  # empty: no workspace there yet
    host_name: str = ""  # the Host name the workspace was made or last taken under
    lease: LeaseMark | None = None
    revision: str = ""  # the commit last acted on there
    holder: str = ""  # the ledger whose doorbell channel is open, or empty
    taken: int = 0  # the number of our own that this report was taken under; 0 for a plain look
    facts: Facts = Facts()
    runs: Mapping[str, RunReport] = field(default_factory=dict)  # by run name; completion marks too
    worktrees: Mapping[str, str] = field(default_factory=dict)  # name (that of a run) -> path below the workspace
    trash: int = 0  # directories whose removal is not finished
    stuck: tuple[str, ...] = ()  # runs with processes that survived KILL
    asked_at: float | None = None  # when the question went out: what was sent later may be missing; None: newest


@dataclass(frozen=True, slots=True)
class Unseen:
    """A host that could not be asked. `asking`: it may still answer in this cycle; `answered`: it did, wrongly.

    `denied`: it refused the login.
    """

    why: str
    asking: bool = False
    answered: bool = False
    denied: bool = False


Observed = Mapping[str, Seen | Unseen]  # by Host name; former places under their own names
