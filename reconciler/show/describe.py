"""Everything about one thing on a page; of a task: commit → file → run → host → result."""

import math
from collections.abc import Mapping, Sequence

from reconciler.decide.words import size
from reconciler.model.rows import AgentRow, Event, HostRow, ProjectRow, RunRow, TaskRow
from reconciler.model.run import ENDED, State
from reconciler.show.escape import safe, safe_lines
from reconciler.show.lines import event_line
from reconciler.show.paper import PLAIN, Cell, Paper, columns
from reconciler.show.tables import STATE_STYLES, condition, cooling, doing, labels, run_table, task_table
from reconciler.show.times import age, moment, span, took
from reconciler.show.work import check, cost

Field = tuple[str, str]


def task(row: TaskRow, runs: Sequence[RunRow], events: Sequence[Event], now: float, paper: Paper = PLAIN) -> str:
    """Take a task, all its attempts, its last events; return its page."""
    latest = next((run for run in runs if run.name == row.run), None)
    fields = [
        ("Task", safe(row.name)),
        ("Title", safe(row.title)),
        ("State", ("closed" if row.closed else "open") + (", suspended" if row.suspended else "")),
        ("Phase", paper.paint(str(row.state), STATE_STYLES.get(row.state, ""))),
        ("Reason", safe(row.reason)),
        ("Waits for" if row.state is State.PENDING else "Why", safe(row.why)),
        ("Labels", safe(labels(row.labels))),
        ("Declared", _declared(f"{row.file}:{row.line}" if row.file else "", row.revision, row.author)),
        ("Digest", safe(row.digest)),
        ("Project", safe(row.project)),
        *([] if latest else [("Agent", safe(row.agent))]),
        *(_run_fields(latest, now, tree=not row.closed) if latest else _times(row, now)),
        ("Cost in all", cost(row.cost_usd) if len(runs) > 1 else ""),
        ("Question" if row.state is State.BLOCKED else "Summary", safe_lines(row.summary)),
        *([] if row.closed else _next_step(row.name, row.state, row.project)),
        ("Observed", _ago(row.observed_at, now)),
    ]
    attempts = run_table(sorted(runs, key=_began), now, paper) if runs else []
    return _page(fields, {"Attempts": attempts, "Events": _events(events, paper)}, paper)


def _began(row: RunRow) -> tuple[float, int]:
    """Steps are known by digests, and come one after the other."""
    return (row.started_at or row.finished_at or math.inf, row.attempt)


def run(row: RunRow, events: Sequence[Event], now: float, paper: Paper = PLAIN) -> str:
    """Take a run and its events; return its page."""
    fields = [
        ("Task", safe(row.task)),
        ("Phase", paper.paint(str(row.state), STATE_STYLES.get(row.state, ""))),
        ("Reason", safe(row.reason)),
        ("Why", safe(row.why)),
        ("Labels", safe(labels(row.labels))),
        ("Declared", _declared("", row.revision, row.author)),
        ("Project", safe(row.project)),
        *_run_fields(row, now),
        ("Question" if row.state is State.BLOCKED else "Summary", safe_lines(row.summary)),
        *_next_step(row.task, row.state, row.project),
        ("Observed", _ago(row.observed_at, now)),
    ]
    return _page(fields, {"Events": _events(events, paper)}, paper)


def host(row: HostRow, runs: Sequence[RunRow], events: Sequence[Event], now: float, paper: Paper = PLAIN) -> str:
    """Take a host, the runs that are active there, its last events; return its page."""
    facts, status = row.facts, condition(row)
    fields = [
        ("Host", safe(row.name)),
        ("Status", paper.paint(status.text, status.style)),
        ("Why", safe(row.why)),
        ("Address", safe(row.address)),
        ("Labels", safe(labels(row.labels))),
        ("Slots", f"{row.active} of {row.slots} in use"),
        ("Uptime", "" if facts.uptime is None else span(facts.uptime)),
        ("Boot id", safe(facts.boot_id)),
        ("Load", "" if facts.load1 is None else f"{facts.load1:.2f}"),
        ("Memory", _free(facts.memory_free)),
        ("Swap", _free(facts.swap_free)),
        ("Disk", _free(facts.disk_free)),
        ("Inodes", "" if facts.inodes_free is None else f"{facts.inodes_free} free"),
        ("Tools", "\n".join(f"{safe(name)}: {safe(version)}" for name, version in sorted(facts.tools.items()))),
        ("Observed", _ago(row.observed_at, now)),
    ]
    table = run_table(runs, now, paper) if runs else []
    return _page(fields, {"Runs": table, "Events": _events(events, paper)}, paper)


def project(row: ProjectRow, tasks: Sequence[TaskRow], now: float, paper: Paper = PLAIN) -> str:
    """Take a project and the tasks that name it; return its page."""
    fields = [
        ("Project", safe(row.name)),
        ("Labels", safe(labels(row.labels))),
        ("Declared", safe(f"{row.file}:{row.line}" if row.file else "")),
        ("Repository", safe(row.repo_url)),
        ("Git URL", safe(row.git_url)),
        ("Base branch", safe(row.base_branch) or "the remote's HEAD"),
        ("Fork", safe(row.fork)),
        ("Setup", "a script, once in every new worktree" if row.setup else ""),
        ("Checks", safe(", ".join(row.qa))),
        ("Active", _count(row.active, "run")),
        ("Cost", cost(row.cost_usd)),
    ]
    return _page(fields, {"Tasks": task_table(tasks, now, paper) if tasks else []}, paper)


def agent(row: AgentRow, runs: Sequence[RunRow], now: float, paper: Paper = PLAIN) -> str:
    """Take an agent and its active runs; return its page."""
    most = "" if row.max_concurrent is None else f" of at most {row.max_concurrent}"
    fields = [
        ("Agent", safe(row.name)),
        ("Labels", safe(labels(row.labels))),
        ("Declared", safe(f"{row.file}:{row.line}") if row.file else "nowhere: the tool with its defaults"),
        ("Tool", safe(row.tool)),
        ("Model", safe(row.model)),
        ("Fallback", safe(", ".join(row.fallback))),
        ("Budget", f"{cost(row.budget_usd)} per task" if row.budget_usd is not None else ""),
        ("Open tasks", str(row.tasks)),
        ("Active", _count(row.active, "run") + most),
        ("Waits", cooling(row, now)),
        ("Cost", cost(row.cost_usd)),
    ]
    return _page(fields, {"Runs": run_table(runs, now, paper) if runs else []}, paper)


def run_directory(row: RunRow) -> str:
    """Where the run's records are, as `box1:~/.reconciler/_/runs/…`; empty when nothing of it is there."""
    if not row.host or not row.directory or row.cleaned:
        return ""
    return f"{row.host}:{row.workspace_root.rstrip('/')}/{row.directory}"


def path_on_host(row: RunRow) -> str:
    """Where the worker works: its worktree, else `work` in its run directory; empty when nothing of it is there."""
    if row.worktree and row.host and row.workspace_root:
        return f"{row.host}:{row.workspace_root.rstrip('/')}/{row.worktree}"
    place = run_directory(row)
    return f"{place}/work" if place else ""


def _run_fields(row: RunRow, now: float, *, tree: bool = True) -> list[Field]:
    """`tree`: its worktree is still there, as far as its task says."""
    removed = "removed from its host" + (f"; logs are kept: reconciler logs {row.task}" if row.collected else "")
    paths = [("Path", safe(removed if row.cleaned else path_on_host(row)))]
    if row.worktree:
        place = path_on_host(row) if tree or row.state not in ENDED else ""
        paths = [("Worktree", safe(place)), ("Records", safe(removed if row.cleaned else run_directory(row)))]
    return [
        ("Run", f"{safe(row.name)} (attempt {row.attempt})"),
        ("Host", safe(row.host)),
        *paths,
        ("Doing", doing(row)),
        ("Agent", safe(row.agent)),
        ("Session", safe(row.session_id)),
        *_times(row, now),
        ("Exit code", "" if row.exit_code is None else str(row.exit_code)),
        ("Branch", safe(row.branch)),
        ("Pull request", safe(row.pull_request_url)),
        ("Cost", cost(row.cost_usd)),
        ("Tokens", "" if row.tokens is None else str(row.tokens)),
        ("Checks", "\n".join(check(step) for step in row.qa)),
        ("Notes", safe_lines(row.notes)),
    ]


def _next_step(task: str, state: State, project: str) -> list[Field]:
    """What a person can do about it: the work of an agent goes on with an answer."""
    if state is not State.BLOCKED or not project:
        return []
    return [("Answer with", f'reconciler task follow-up {safe(task)} "…"')]


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'s' * (number != 1)}"


def _times(row: TaskRow | RunRow, now: float) -> list[Field]:
    ended = row.finished_at is not None or row.state in ENDED
    length = took(row.started_at, row.finished_at, now) if row.finished_at is not None or not ended else ""
    return [
        ("Started", _ago(row.started_at, now)),
        ("Ended", _ago(row.finished_at, now)),
        ("Took", length),
    ]


def _declared(place: str, revision: str, author: str) -> str:
    parts = [place, f"at {revision[:12]}" if revision else "", f"by {author}" if author else ""]
    return safe(" ".join(part for part in parts if part))


def _ago(time: float | None, now: float) -> str:
    return "" if time is None else f"{moment(time)} ({age(time, now)} ago)"


def _free(amount: int | None) -> str:
    return "" if amount is None else f"{size(amount)} free"


def _events(events: Sequence[Event], paper: Paper) -> list[str]:
    return [event_line(event, paper, dated=True) for event in events]


def _page(fields: Sequence[Field], blocks: Mapping[str, Sequence[str]], paper: Paper) -> str:
    """Fields that say something, then each block that has lines, indented under its name."""
    rows = []
    for name, value in fields:
        for index, text in enumerate(value.strip("\n").split("\n") if value else []):
            rows.append([Cell(f"{name}:" if index == 0 else "", "bold"), Cell(text)])
    # A page is read, not scanned: nothing on it is cut.
    lines = columns(rows, Paper(None, paper.color))
    for name, block in blocks.items():
        if block:
            lines += ["", paper.paint(f"{name}:", "bold"), *(f"  {text}" for text in block)]
    return "\n".join(lines) + "\n"
