"""`get` as tables like kubectl's; `wide` adds columns. What only agents' work has is shown where there is some."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from reconciler.decide.words import size
from reconciler.model.rows import AgentRow, HostRow, ProjectRow, RunRow, TaskRow
from reconciler.model.run import ENDED, State
from reconciler.show.escape import first_line, safe
from reconciler.show.paper import PLAIN, Cell, Paper, columns
from reconciler.show.times import age, clock, span, took
from reconciler.show.work import cost, pull_request

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
DOING = {
    "checkout": "fetches its project",
    "worktree": "makes its worktree",
    "setup": "runs the project's setup",
    "qa": "checks the work",
}


@dataclass(frozen=True)
class Column(Generic[R]):
    """A heading, and what stands under it (row and now → cell).

    `wide`: only `-o wide` shows it. `rare`: without it the column is left out where no row has anything to say.
    """

    title: str
    cell: Callable[[R, float], Cell]
    wide: bool = False
    rare: bool = False


def task_table(rows: Sequence[TaskRow], now: float, paper: Paper = PLAIN, *, wide: bool = False) -> list[str]:
    """Lines of `get tasks`, the heading first."""
    return _table(TASKS, rows, now, paper, wide)


def run_table(rows: Sequence[RunRow], now: float, paper: Paper = PLAIN, *, wide: bool = False) -> list[str]:
    """Lines of `get runs`, the heading first."""
    return _table(RUNS, rows, now, paper, wide)


def host_table(rows: Sequence[HostRow], now: float, paper: Paper = PLAIN, *, wide: bool = False) -> list[str]:
    """Lines of `get hosts`, the heading first."""
    return _table(HOSTS, rows, now, paper, wide)


def project_table(rows: Sequence[ProjectRow], now: float, paper: Paper = PLAIN, *, wide: bool = False) -> list[str]:
    """Lines of `get projects`, the heading first."""
    return _table(PROJECTS, rows, now, paper, wide)


def agent_table(rows: Sequence[AgentRow], now: float, paper: Paper = PLAIN, *, wide: bool = False) -> list[str]:
    """Lines of `get agents`, the heading first."""
    return _table(AGENTS, rows, now, paper, wide)


def labels(pairs: Mapping[str, str]) -> str:
    """`team=web,tier=1`, sorted."""
    return ",".join(f"{key}={value}" for key, value in sorted(pairs.items()))


def condition(row: HostRow) -> Cell:
    """A host's state in words: `Ready`, `Unreachable`, `Unknown` before it was asked, and what was ordered for it."""
    words = {True: ("Ready", "good"), False: ("Unreachable", "bad"), None: ("Unknown", "warn")}
    word, style = words[row.reachable]
    ordered = [text for text, on in (("Draining", row.draining), ("Cordoned", row.cordoned)) if on]
    return Cell(",".join([word, *ordered]), "warn" if ordered and style == "good" else style)


def doing(row: RunRow) -> str:
    """What a living run does, where its state alone does not say it."""
    return DOING.get(row.phase, "") if row.state in (State.PREPARING, State.RUNNING) else ""


def reason_and_why(row: TaskRow | RunRow, now: float) -> str:
    """Why a row stands as it does: the reason, the why, else what the worker said; of what is unseen, the age."""
    said = safe(row.why) or (first_line(row.summary) if row.state in ENDED else "")
    doing = (
        DOING.get(row.phase, "") if isinstance(row, RunRow) and row.state in (State.PREPARING, State.RUNNING) else ""
    )
    parts = [safe(row.reason), said or doing]
    if row.state is State.UNKNOWN and row.observed_at is not None:
        parts.append(" ".join(filter(None, ["last seen", row.seen_as, age(row.observed_at, now), "ago"])))
    return ": ".join(part for part in parts if part)


def _table(cols: Sequence[Column[R]], rows: Sequence[R], now: float, paper: Paper, wide: bool) -> list[str]:
    named = [(column, [column.cell(row, now) for row in rows]) for column in cols if wide or not column.wide]
    shown = [(column, found) for column, found in named if wide or not column.rare or any(cell.text for cell in found)]
    heading = [Cell(column.title, "bold") for column, _ in shown]
    # `wide` is asked for by those who want everything: nothing is cut.
    paper = Paper(None, paper.color) if wide else paper
    return columns([heading, *zip(*(found for _, found in shown), strict=True)], paper)


def _phase(row: TaskRow | RunRow, now: float) -> Cell:
    words = [str(row.state)]
    # As kubectl shows a cordoned node: what was ordered stands beside what is.
    if isinstance(row, TaskRow):
        words += ["Closed"] if row.closed and row.state is not State.CLOSED else []
        words += ["Suspended"] if row.suspended else []
    return Cell(",".join(words), STATE_STYLES.get(row.state, ""))


def _slots(row: HostRow, now: float) -> Cell:
    return Cell(f"{row.active}/{row.slots}", "warn" if row.active >= row.slots else "")


def _active(row: AgentRow, now: float) -> Cell:
    most = row.max_concurrent
    full = most is not None and row.active >= most
    return Cell(str(row.active) if most is None else f"{row.active}/{most}", "warn" if full else "")


def cooling(row: AgentRow, now: float) -> str:
    """`cools down until 14:02:11 UTC, in 4m`; empty when it may start."""
    if row.cool_until is None or row.cool_until <= now:
        return ""
    return f"cools down until {clock(row.cool_until)} UTC, in {span(row.cool_until - now)}"


def _load(row: HostRow, now: float) -> Cell:
    return Cell("" if row.facts.load1 is None else f"{row.facts.load1:.2f}")


def _uptime(row: HostRow, now: float) -> Cell:
    return Cell("" if row.facts.uptime is None else span(row.facts.uptime))


def _number(value: int | None) -> Cell:
    return Cell("" if value is None else str(value))


TASKS: tuple[Column[TaskRow], ...] = (
    Column("NAME", lambda row, now: Cell(safe(row.name))),
    Column("PHASE", _phase),
    Column("PROJECT", lambda row, now: Cell(safe(row.project)), rare=True),
    Column("AGENT", lambda row, now: Cell(safe(row.agent)), rare=True),
    Column("HOST", lambda row, now: Cell(safe(row.host))),
    Column("ATTEMPT", lambda row, now: _number(row.attempt)),
    Column("TOOK", lambda row, now: Cell(took(row.started_at, row.finished_at, now))),
    Column("AGE", lambda row, now: Cell(age(row.started_at, now))),
    Column("PR", lambda row, now: Cell(pull_request(row.pull_request_url)), rare=True),
    Column("BRANCH", lambda row, now: Cell(safe(row.branch)), wide=True),
    Column("PULL REQUEST", lambda row, now: Cell(safe(row.pull_request_url)), wide=True),
    Column("COST", lambda row, now: Cell(cost(row.cost_usd)), wide=True),
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
    Column("AGENT", lambda row, now: Cell(safe(row.agent)), rare=True),
    Column("HOST", lambda row, now: Cell(safe(row.host))),
    Column("EXIT", lambda row, now: _number(row.exit_code)),
    Column("TOOK", lambda row, now: Cell(took(row.started_at, row.finished_at, now))),
    Column("AGE", lambda row, now: Cell(age(row.started_at, now))),
    Column("PR", lambda row, now: Cell(pull_request(row.pull_request_url)), rare=True),
    Column("PROJECT", lambda row, now: Cell(safe(row.project)), wide=True),
    Column("BRANCH", lambda row, now: Cell(safe(row.branch)), wide=True),
    Column("PULL REQUEST", lambda row, now: Cell(safe(row.pull_request_url)), wide=True),
    Column("COST", lambda row, now: Cell(cost(row.cost_usd)), wide=True),
    Column("TOKENS", lambda row, now: _number(row.tokens), wide=True),
    Column("TASK", lambda row, now: Cell(safe(row.task)), wide=True),
    Column("ATTEMPT", lambda row, now: _number(row.attempt), wide=True),
    Column("OBSERVED", lambda row, now: Cell(age(row.observed_at, now)), wide=True),
    Column("AUTHOR", lambda row, now: Cell(safe(row.author)), wide=True),
    Column("REVISION", lambda row, now: Cell(safe(row.revision[:12])), wide=True),
    Column("DIRECTORY", lambda row, now: Cell(safe(row.directory)), wide=True),
    Column("WORKTREE", lambda row, now: Cell(safe(row.worktree)), wide=True),
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
PROJECTS: tuple[Column[ProjectRow], ...] = (
    Column("NAME", lambda row, now: Cell(safe(row.name))),
    Column("TASKS", lambda row, now: _number(row.tasks)),
    Column("ACTIVE", lambda row, now: Cell(str(row.active), "note" if row.active else "")),
    Column("BASE", lambda row, now: Cell(safe(row.base_branch or "(the remote's)"))),
    Column("FORK", lambda row, now: Cell(safe(row.fork))),
    Column("QA", lambda row, now: Cell(safe(",".join(row.qa)))),
    Column("COST", lambda row, now: Cell(cost(row.cost_usd)), rare=True),
    Column("SETUP", lambda row, now: Cell("yes" if row.setup else "no"), wide=True),
    Column("GIT URL", lambda row, now: Cell(safe(row.git_url)), wide=True),
    Column("FILE", lambda row, now: Cell(safe(f"{row.file}:{row.line}" if row.file else "")), wide=True),
    Column("LABELS", lambda row, now: Cell(safe(labels(row.labels))), wide=True),
    Column("REPOSITORY", lambda row, now: Cell(safe(row.repo_url or row.git_url))),
)
AGENTS: tuple[Column[AgentRow], ...] = (
    Column("NAME", lambda row, now: Cell(safe(row.name))),
    Column("TOOL", lambda row, now: Cell(safe(row.tool))),
    Column("TASKS", lambda row, now: _number(row.tasks)),
    Column("ACTIVE", _active),
    Column("MODEL", lambda row, now: Cell(safe(row.model)), rare=True),
    Column("FALLBACK", lambda row, now: Cell(safe(",".join(row.fallback))), rare=True),
    Column("BUDGET", lambda row, now: Cell(cost(row.budget_usd)), rare=True),
    Column("COST", lambda row, now: Cell(cost(row.cost_usd)), rare=True),
    Column("FILE", lambda row, now: Cell(safe(f"{row.file}:{row.line}" if row.file else "")), wide=True),
    Column("LABELS", lambda row, now: Cell(safe(labels(row.labels))), wide=True),
    Column("WHY", lambda row, now: Cell(cooling(row, now), "warn")),
)
