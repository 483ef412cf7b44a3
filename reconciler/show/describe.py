"""Everything about one task, run or host on a page: commit → file → run → host → result."""

from collections.abc import Mapping, Sequence

from reconciler.decide.words import size
from reconciler.model.rows import Event, HostRow, RunRow, TaskRow
from reconciler.model.run import ENDED, State
from reconciler.show.escape import safe, safe_lines
from reconciler.show.lines import event_line
from reconciler.show.paper import PLAIN, Cell, Paper, columns
from reconciler.show.tables import STATE_STYLES, condition, labels, run_table
from reconciler.show.times import age, moment, span, took

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
        *(_run_fields(latest, now) if latest else _times(row, now)),
        ("Summary", safe_lines(row.summary)),
        ("Observed", _ago(row.observed_at, now)),
    ]
    attempts = run_table(runs, now, paper) if runs else []
    return _page(fields, {"Attempts": attempts, "Events": _events(events, paper)}, paper)


def run(row: RunRow, events: Sequence[Event], now: float, paper: Paper = PLAIN) -> str:
    """Take a run and its events; return its page."""
    fields = [
        ("Task", safe(row.task)),
        ("Phase", paper.paint(str(row.state), STATE_STYLES.get(row.state, ""))),
        ("Reason", safe(row.reason)),
        ("Why", safe(row.why)),
        ("Labels", safe(labels(row.labels))),
        ("Declared", _declared("", row.revision, row.author)),
        *_run_fields(row, now),
        ("Summary", safe_lines(row.summary)),
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


def path_on_host(row: RunRow) -> str:
    """Where the worker works, as `box1:~/.reconciler/_/runs/…/work`; empty when nothing of it is there."""
    if not row.host or not row.directory or row.cleaned:
        return ""
    return f"{row.host}:{row.workspace_root.rstrip('/')}/{row.directory}/work"


def _run_fields(row: RunRow, now: float) -> list[Field]:
    if row.cleaned:
        path = "removed from its host" + (f"; logs are kept: reconciler logs {row.task}" if row.collected else "")
    else:
        path = path_on_host(row)
    return [
        ("Run", f"{safe(row.name)} (attempt {row.attempt})"),
        ("Host", safe(row.host)),
        ("Path", safe(path)),
        *_times(row, now),
        ("Exit code", "" if row.exit_code is None else str(row.exit_code)),
    ]


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
