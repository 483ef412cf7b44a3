"""`get tasks`, `get runs`, `get hosts` as tables like kubectl's; `wide` adds columns on the right."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from reconciler.decide.words import size
from reconciler.model.rows import HostRow, RunRow, TaskRow
from reconciler.model.run import ENDED, State
from reconciler.show.escape import first_line, safe
from reconciler.show.paper import PLAIN, Cell, Paper, columns
from reconciler.show.times import age, span, took

R = TypeVar("R")
STATE_STYLES = {
    State.SUCCEEDED: "good",
    State.RUNNING: "note",
    State.PREPARING: "note",
    State.FAILED: "bad",
    State.LOST: "bad",
    State.BLOCKED: "warn",
    State.UNKNOWN: "warn",
    State.CANCELED: "dim",
    State.CLOSED: "dim",
    State.VOID: "dim",
}


@dataclass(frozen=True)
class Column(Generic[R]):
    """A heading, what stands under it (row and now → cell), and whether only `-o wide` shows it."""

    title: str
    cell: Callable[[R, float], Cell]
    wide: bool = False


def task_table(rows: Sequence[TaskRow], now: float, paper: Paper = PLAIN, *, wide: bool = False) -> list[str]:
    """Lines of `get tasks`, the heading first."""
    return _table(TASKS, rows, now, paper, wide)


def run_table(rows: Sequence[RunRow], now: float, paper: Paper = PLAIN, *, wide: bool = False) -> list[str]:
    """Lines of `get runs`, the heading first."""
    return _table(RUNS, rows, now, paper, wide)


def host_table(rows: Sequence[HostRow], now: float, paper: Paper = PLAIN, *, wide: bool = False) -> list[str]:
    """Lines of `get hosts`, the heading first."""
    return _table(HOSTS, rows, now, paper, wide)


def labels(pairs: Mapping[str, str]) -> str:
    """`team=web,tier=1`, sorted."""
    return ",".join(f"{key}={value}" for key, value in sorted(pairs.items()))


def condition(row: HostRow) -> Cell:
    """A host's state in words: `Ready`, `Unreachable`, `Unknown` before it was asked, and what was ordered for it."""
    words = {True: ("Ready", "good"), False: ("Unreachable", "bad"), None: ("Unknown", "warn")}
    word, style = words[row.reachable]
    ordered = [text for text, on in (("Draining", row.draining), ("Cordoned", row.cordoned)) if on]
    return Cell(",".join([word, *ordered]), "warn" if ordered and style == "good" else style)


def reason_and_why(row: TaskRow | RunRow, now: float) -> str:
    """Why a row stands as it does: the reason, the why, else what the worker said; of what is unseen, the age."""
    said = safe(row.why) or (first_line(row.summary) if row.state in ENDED else "")
    parts = [safe(row.reason), said]
    if row.state is State.UNKNOWN and row.observed_at is not None:
        parts.append(" ".join(filter(None, ["last seen", row.seen_as, age(row.observed_at, now), "ago"])))
    return ": ".join(part for part in parts if part)


def _table(cols: Sequence[Column[R]], rows: Sequence[R], now: float, paper: Paper, wide: bool) -> list[str]:
    shown = [column for column in cols if wide or not column.wide]
    heading = [Cell(column.title, "bold") for column in shown]
    # `wide` is asked for by those who want everything: nothing is cut.
    paper = Paper(None, paper.color) if wide else paper
    return columns([heading, *([column.cell(row, now) for column in shown] for row in rows)], paper)


def _phase(row: TaskRow | RunRow, now: float) -> Cell:
    words = [str(row.state)]
    # As kubectl shows a cordoned node: what was ordered stands beside what is.
    if isinstance(row, TaskRow):
        words += ["Closed"] if row.closed and row.state is not State.CLOSED else []
        words += ["Suspended"] if row.suspended else []
    return Cell(",".join(words), STATE_STYLES.get(row.state, ""))


def _slots(row: HostRow, now: float) -> Cell:
    return Cell(f"{row.active}/{row.slots}", "warn" if row.active >= row.slots else "")


def _load(row: HostRow, now: float) -> Cell:
    return Cell("" if row.facts.load1 is None else f"{row.facts.load1:.2f}")


def _uptime(row: HostRow, now: float) -> Cell:
    return Cell("" if row.facts.uptime is None else span(row.facts.uptime))


def _number(value: int | None) -> Cell:
    return Cell("" if value is None else str(value))


TASKS: tuple[Column[TaskRow], ...] = (
    Column("NAME", lambda row, now: Cell(safe(row.name))),
    Column("PHASE", _phase),
    Column("HOST", lambda row, now: Cell(safe(row.host))),
    Column("ATTEMPT", lambda row, now: _number(row.attempt)),
    Column("TOOK", lambda row, now: Cell(took(row.started_at, row.finished_at, now))),
    Column("AGE", lambda row, now: Cell(age(row.started_at, now))),
    Column("RUN", lambda row, now: Cell(safe(row.run)), wide=True),
    Column("OBSERVED", lambda row, now: Cell(age(row.observed_at, now)), wide=True),
    Column("AUTHOR", lambda row, now: Cell(safe(row.author)), wide=True),
    Column("FILE", lambda row, now: Cell(safe(f"{row.file}:{row.line}" if row.file else "")), wide=True),
    Column("LABELS", lambda row, now: Cell(safe(labels(row.labels))), wide=True),
    Column("WHY", lambda row, now: Cell(reason_and_why(row, now))),
)
RUNS: tuple[Column[RunRow], ...] = (
    Column("NAME", lambda row, now: Cell(safe(row.name))),
    Column("PHASE", _phase),
    Column("HOST", lambda row, now: Cell(safe(row.host))),
    Column("EXIT", lambda row, now: _number(row.exit_code)),
    Column("TOOK", lambda row, now: Cell(took(row.started_at, row.finished_at, now))),
    Column("AGE", lambda row, now: Cell(age(row.started_at, now))),
    Column("TASK", lambda row, now: Cell(safe(row.task)), wide=True),
    Column("ATTEMPT", lambda row, now: _number(row.attempt), wide=True),
    Column("OBSERVED", lambda row, now: Cell(age(row.observed_at, now)), wide=True),
    Column("AUTHOR", lambda row, now: Cell(safe(row.author)), wide=True),
    Column("REVISION", lambda row, now: Cell(safe(row.revision[:12])), wide=True),
    Column("DIRECTORY", lambda row, now: Cell(safe(row.directory)), wide=True),
    Column("WHY", lambda row, now: Cell(reason_and_why(row, now))),
)
HOSTS: tuple[Column[HostRow], ...] = (
    Column("NAME", lambda row, now: Cell(safe(row.name))),
    Column("STATUS", lambda row, now: condition(row)),
    Column("SLOTS", _slots),
    Column("LOAD", _load),
    Column("MEMORY", lambda row, now: Cell(size(row.facts.memory_free))),
    Column("DISK", lambda row, now: Cell(size(row.facts.disk_free))),
    Column("OBSERVED", lambda row, now: Cell(age(row.observed_at, now))),
    Column("ADDRESS", lambda row, now: Cell(safe(row.address)), wide=True),
    Column("UPTIME", _uptime, wide=True),
    Column("SWAP", lambda row, now: Cell(size(row.facts.swap_free)), wide=True),
    Column("INODES", lambda row, now: _number(row.facts.inodes_free), wide=True),
    Column("BOOT", lambda row, now: Cell(safe(row.facts.boot_id[:8])), wide=True),
    Column("LABELS", lambda row, now: Cell(safe(labels(row.labels))), wide=True),
    Column("WHY", lambda row, now: Cell(safe(row.why))),
)
