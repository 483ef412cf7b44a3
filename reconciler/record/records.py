"""What the ledger knows of one run, host or task: its part of Memory and what only rows show."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from reconciler.model.change import Assignment
from reconciler.model.host import Facts, Place
from reconciler.model.memory import HostMemory, RunMemory, TaskMemory
from reconciler.model.run import RunName


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One attempt. `guess`: its result is our verdict, which the host's own word replaces."""

    memory: RunMemory
    directory: str = ""
    revision: str = ""
    author: str = ""
    labels: str = "{}"  # JSON
    summary: str = ""
    observed_at: float | None = None
    guess: bool = False
    notes: str = ""
    session_id: str = ""
    tokens: int | None = None
    qa: str = ""  # JSON: [[name, exit code, seconds], …]; empty: there was none


@dataclass(frozen=True, slots=True)
class HostRecord:
    """One place. `unseen`: why it cannot be asked, for as long as that lasts."""

    memory: HostMemory
    unseen: str = ""
    facts: Facts = Facts()
    row: str | None = None  # JSON of what its document says; None: no document names it


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """One task. `row`: JSON of its TaskRow, None when it is not in git."""

    memory: TaskMemory
    left_at: float | None = None
    row: str | None = None


@dataclass(frozen=True, slots=True)
class Intent:
    """A launch that is about to be sent; on record before the first byte of it goes out."""

    name: RunName
    place: Place
    lease: int
    rerun_key: str = "-"
    revision: str = ""
    author: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    project: str = ""
    work: Assignment | None = None
