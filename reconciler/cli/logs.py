"""`reconciler logs`."""

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from reconciler.cli.completion import names
from reconciler.cli.context import Context
from reconciler.cli.log_printer import Line, Printer, last, write
from reconciler.cli.log_sources import Distant, Gone, Home, Source
from reconciler.cli.printing import note
from reconciler.cli.reading import Reader, bare_name, committed, refresh_option, unknown
from reconciler.errors import ReconcilerError
from reconciler.model.rows import RunRow
from reconciler.model.run import ENDED, State
from reconciler.show.escape import safe

if TYPE_CHECKING:
    from reconciler.record.ledger import Ledger

EVERY = 0.5  # seconds between two looks of --follow
QUIET = 4  # looks without anything new after which the host is asked whether the run has ended
CHECK_LINES = 100  # of the checks' log that are shown when they failed
STREAMS = ("stdout", "stderr", "events")


@click.command()
@click.argument("task", shell_complete=names("task"))
@click.option("--run", "wanted", metavar="RUN|N", help="This run, or this attempt's number.  [the newest]")
@click.option("-f", "--follow", is_flag=True, help="Go on until the run has ended; wait for it to start.")
@click.option("--tail", type=click.IntRange(0), help="Only the last N lines.  [all]")
@click.option(
    "--stream", type=click.Choice(STREAMS), help="Only this one, as it is.  [stdout to stdout, stderr to stderr]"
)
@refresh_option
@click.pass_obj
def logs(
    context: Context, task: str, wanted: str | None, follow: bool, tail: int | None, stream: str | None, refresh: bool
) -> None:
    """Print what TASK's worker wrote: from its host while it lives, from the copy here after.

    An agent's events are shown as readable lines; `--stream events` prints them as they are, and of a script what
    happened to its run. What did not pass its checks ends with their log.
    """
    name = bare_name(task, "task")
    reader = Reader(context, refresh)
    with reader as ledger, ExitStack() as closing:
        row = _pick(reader, ledger, name, wanted)
        while follow and (row is None or _on_its_way(row)):
            time.sleep(EVERY)
            reader.renew()
            row = _pick(reader, ledger, name, wanted)
        if row is None or _on_its_way(row):
            click.echo(safe(f"nothing of {name} has started yet{_waits(ledger, name)}"), err=True)
            return
        if stream == "events" and not row.agent:
            _events(context, reader, ledger, row, follow, tail)
            return
        everything = ("events", "stdout", "stderr") if row.agent else ("stdout", "stderr")
        printer = Printer(everything if stream is None else (stream,), tail)
        source = _source(context, reader, ledger, row, closing)
        quiet = 0
        while True:
            # Asked before reading: what came in between is read too. A controller may be at work or not, so a
            # silent run's host is asked as well.
            ended = not follow or _ended(ledger, row) or (quiet >= QUIET and source.over())
            before = sum(printer.offsets.values())
            source = _drain(source, printer, reader, row, follow)
            quiet = quiet % QUIET + 1 if sum(printer.offsets.values()) == before else 0
            if ended:
                break
            time.sleep(EVERY)
            reader.renew()
        printer.finish(source.scrub)
        state = next((run for run in ledger.run_rows(row.task, include_cleaned=True) if run.name == row.name), row)
        if not printer.wrote:
            reason = f": {state.reason}" if state.reason else ""
            click.echo(safe(f"{row.name} wrote nothing ({state.state}{reason})"), err=True)
        if state.reason == "QAFailed" and stream is None:
            _checks(
                state, Home(reader.archive, row.name).checks() or source.checks(), CHECK_LINES if tail is None else tail
            )


def _checks(row: RunRow, log: bytes, lines: int) -> None:
    """The end of the checks' log, and before it, on standard error, which of them failed."""
    from reconciler.show.work import check

    failed = "; ".join(check(step) for step in row.qa if step.exit_code != 0)
    click.echo(f"{row.name} did not pass its checks{f' ({failed})' if failed else ''}; their log ends:", err=True)
    end = last(log, lines)
    write(end if end.endswith(b"\n") or not end else end + b"\n")


def _pick(reader: Reader, ledger: "Ledger", name: str, wanted: str | None) -> RunRow | None:
    """The run that is meant; None when there is none yet. Raises ReconcilerError for a name that is not known."""
    runs = list(ledger.run_rows(include_cleaned=True))
    mine = [run for run in runs if run.task == name] or [run for run in runs if run.name == name]
    if not mine:
        known = {row.name for row in ledger.task_rows()}
        if name not in known and not committed(reader.fleet.wanted, name, ledger):
            raise unknown("task", name, known | {run.task for run in runs})
    if wanted is not None:
        wanted = bare_name(wanted, "run")
        found = [run for run in mine if wanted in (run.name, str(run.attempt))]
        if mine and not found:
            raise ReconcilerError(f"{name} has no run '{wanted}'; it has {', '.join(run.name for run in mine)}")
        mine = found
    return max(mine, key=_newness, default=None)


def _on_its_way(run: RunRow) -> bool:
    """It was sent, and its host has not been seen with it yet: there is no place to read from."""
    return not run.directory and run.state not in ENDED


def _newness(run: RunRow) -> tuple[bool, float, int]:
    """What never started is older than what did; what is about to start is newer."""
    waiting = run.started_at is None and run.state not in ENDED
    return run.state is not State.VOID, float("inf") if waiting else run.started_at or 0.0, run.attempt


def _source(context: Context, reader: Reader, ledger: "Ledger", row: RunRow, closing: ExitStack) -> Source:
    """The copy here once it is whole, else the host."""
    home = Home(reader.archive, row.name)
    if row.collected or row.cleaned:
        return home
    try:
        distant = Distant(context, reader.fleet, ledger, row)
    except Gone as gone:
        return _fallback(reader, row, gone)
    closing.callback(distant.close)
    return distant


def _fallback(reader: Reader, row: RunRow, gone: Gone) -> Source:
    """The copy here instead of the host, if there is any. Raises Gone."""
    if not reader.archive.has(row.name):
        raise gone
    note(f"{gone}; this is what was collected")
    return Home(reader.archive, row.name)


def _drain(source: Source, printer: Printer, reader: Reader, row: RunRow, follow: bool) -> Source:
    """Print everything there is now; gives the source to go on with."""
    try:
        while printer.take(source.read(printer.offsets)):
            pass
    except Gone as gone:
        # While it is followed, a host may well come back; what ended there is collected by its controller.
        if reader.archive.has(row.name) or not follow:
            source = _fallback(reader, row, gone)
            while printer.take(source.read(printer.offsets)):
                pass
    if printer.line is None and len(printer.offsets) > 1 and row.agent:
        printer.line = _line(source.tool())
    printer.show(source.scrub, source.whole)
    return source


def _line(tool: str) -> Line | None:
    """What makes readable text of a line of that tool's events; None for a tool that nobody knows."""
    from reconciler.agents.registry import adapter, names

    return adapter(tool).line if tool in names() else None


def _ended(ledger: "Ledger", row: RunRow) -> bool:
    """Whether the ledger knows the end of it by now."""
    state = next((run.state for run in ledger.run_rows(row.task, include_cleaned=True) if run.name == row.name), None)
    return state is None or state in ENDED


def _waits(ledger: "Ledger", name: str) -> str:
    from reconciler.show.escape import safe

    why = next((row.why for row in ledger.task_rows() if row.name == name), "no cycle has read its commit yet")
    return f": {safe(why)}" if why else ""


def _events(context: Context, reader: Reader, ledger: "Ledger", row: RunRow, follow: bool, tail: int | None) -> None:
    """What happened to the run, one line an event."""
    from reconciler.cli.events import show

    found = [event for event in ledger.events(task=row.task) if event.run == row.name]
    last = max((event.number for event in found), default=0)
    show(context, found if tail is None else found[max(0, len(found) - tail) :], "table")
    while follow and not _ended(ledger, row):
        time.sleep(EVERY)
        reader.renew()
        found = [event for event in ledger.events(after=last, task=row.task) if event.run == row.name]
        last = max((event.number for event in found), default=last)
        show(context, found, "table")
