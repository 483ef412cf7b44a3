"""`reconciler describe`."""

from typing import TYPE_CHECKING

import click

from reconciler.cli.completion import kinds_then_names
from reconciler.cli.context import Context, output_option
from reconciler.cli.reading import Reader, kind_and_names, refresh_option, unknown
from reconciler.cli.rows import Row, items, rows_of
from reconciler.errors import UsageError

if TYPE_CHECKING:
    from reconciler.model.rows import Event, RunRow
    from reconciler.record.ledger import Ledger

EVENTS = 20  # the last ones that a page shows
SOURCE = 2000  # events that are looked through for those of a host or a run


@click.command()
@click.argument("words", nargs=-1, metavar="KIND NAME", shell_complete=kinds_then_names)
@refresh_option
@output_option
@click.pass_obj
def describe(context: Context, words: tuple[str, ...], refresh: bool, output: str) -> None:
    """Everything about one thing; of a task from its commit and file over run and host to the result."""
    if not words:
        raise UsageError("say what to describe: `reconciler describe task NAME`, or a run, host, project or agent")
    kind, names = kind_and_names(words)
    if len(names) != 1:
        raise UsageError(f"describe takes one name: `reconciler describe {kind} NAME`")
    reader = Reader(context, refresh)
    with reader as ledger:
        found = next((row for row in rows_of(kind, ledger, cleaned=True) if row.name == names[0]), None)
        if found is None:
            known = [row.name for row in rows_of(kind, ledger, cleaned=True)]
            raise unknown(kind, names[0], known, reader.fleet.wanted, ledger)
        click.echo(_page(context, kind, found, ledger, output), nl=False, color=True)


def _page(context: Context, kind: str, row: Row, ledger: "Ledger", output: str) -> str:
    """The page, or the document, about one thing."""
    from reconciler.cli.printing import paper
    from reconciler.clock import now
    from reconciler.model.rows import AgentRow, HostRow, ProjectRow, RunRow, TaskRow
    from reconciler.show import describe as pages
    from reconciler.show.document import envelope, text
    from reconciler.show.lines import event_item

    name = row.name
    runs = [] if isinstance(row, RunRow) else _runs(kind, name, ledger)
    events = _events(kind, name, ledger) if kind in ("task", "run", "host") else []
    if output in ("json", "yaml"):
        body = {
            "item": items(kind, [row], ledger)[0],
            "runs": items("run", runs, ledger),
            "events": [event_item(event) for event in events],
        }
        return text(envelope(body, revision=ledger.last_revision()), output)
    if isinstance(row, RunRow):
        return pages.run(row, events, now(), paper(context))
    if isinstance(row, TaskRow):
        return pages.task(row, runs, events, now(), paper(context))
    if isinstance(row, ProjectRow):
        tasks = [task for task in ledger.task_rows() if task.project == name]
        return pages.project(row, tasks, now(), paper(context))
    if isinstance(row, AgentRow):
        return pages.agent(row, runs, now(), paper(context))
    assert isinstance(row, HostRow)
    return pages.host(row, runs, events, now(), paper(context))


def _runs(kind: str, name: str, ledger: "Ledger") -> "list[RunRow]":
    """All attempts of a task, or what is not over of a host, project or agent."""
    from reconciler.model.run import ENDED

    if kind == "task":
        return list(ledger.run_rows(task=name, include_cleaned=True))
    living = [run for run in ledger.run_rows() if run.state not in ENDED]
    of = {
        "host": lambda run: run.host,
        "project": lambda run: run.project,
        "agent": lambda run: run.agent.partition(":")[0],
    }
    return [run for run in living if of[kind](run) == name]


def _events(kind: str, name: str, ledger: "Ledger") -> "list[Event]":
    """The last events about one thing, the newest last."""
    if kind == "task":
        return list(ledger.events(task=name, limit=EVENTS))
    last = ledger.events(limit=SOURCE)
    return [event for event in last if name == (event.run if kind == "run" else event.host)][-EVENTS:]
