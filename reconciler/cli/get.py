"""`reconciler get`."""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from reconciler.cli.completion import kinds_then_names
from reconciler.cli.context import Context, output_option
from reconciler.cli.reading import Reader, kind_and_names, refresh_option, unknown
from reconciler.cli.rows import Row, items, rows_of, table
from reconciler.errors import UsageError
from reconciler.model.host import Facts
from reconciler.model.rows import HostRow, RunRow, TaskRow

if TYPE_CHECKING:
    from reconciler.record.ledger import Ledger
    from reconciler.show.document import Value

EVERY = 1.0  # seconds between two looks of --watch


@click.command()
@click.argument("words", nargs=-1, metavar="tasks|runs|hosts|projects|agents [NAME…]", shell_complete=kinds_then_names)
@click.option("-l", "--selector", default="", help="Only those with these labels: team=web,tier!=test,owner,!draft.")
@click.option("-w", "--watch", is_flag=True, help="Go on, and print what changes.")
@refresh_option
@output_option
@click.pass_obj
def get(context: Context, words: tuple[str, ...], selector: str, watch: bool, refresh: bool, output: str) -> None:
    """List tasks, runs, hosts, projects or agents as the last cycle left them.

    Projects and agents are what git says of them, and how much works for them now. The hosts are asked first with
    --refresh, and when no cycle ended within the fleet's interval.
    """
    from reconciler.show.selector import parse

    if not words:
        raise UsageError("say what to list: `reconciler get tasks`, `runs`, `hosts`, `projects` or `agents`")
    kind, names = kind_and_names(words)
    terms = parse(selector)
    reader = Reader(context, refresh)

    def read(ledger: "Ledger") -> list[Row]:
        from reconciler.show.selector import matches

        found = _named(kind, names, reader, ledger) if names else rows_of(kind, ledger)
        return [row for row in found if matches(terms, row.labels)]

    if watch:
        _watch(context, kind, read, reader, output)
    with reader as ledger:
        rows = read(ledger)
        if output in ("json", "yaml"):
            from reconciler.show.document import envelope, text

            document = envelope({"items": items(kind, rows, ledger)}, revision=ledger.last_revision())
            click.echo(text(document, output), nl=False)
            return
    if rows:
        click.echo("\n".join(table(context, kind, rows, output)), color=True)
    else:
        click.echo(f"there are no {kind}s{' with these labels' if terms else ''}", err=True)


def _named(kind: str, names: Sequence[str], reader: Reader, ledger: "Ledger") -> list[Row]:
    """The rows with these names, in the order typed. Raises ReconcilerError for one that is not there."""
    known = {row.name: row for row in rows_of(kind, ledger, cleaned=True)}
    for name in names:
        if name not in known:
            raise unknown(kind, name, known, reader.fleet.wanted, ledger)
    return [known[name] for name in names]


def _watch(context: Context, kind: str, read: "Callable[[Ledger], list[Row]]", reader: Reader, output: str) -> None:
    """Print rows again when they change, until interrupted: the whole table on a terminal, else only what changed."""
    if sys.stdout.isatty() and output not in ("json", "yaml"):
        click.echo("\x1b[2J", nl=False, color=True)
    shown: dict[str, Row] | None = None
    titles: list[str] = []
    with reader as ledger:
        while True:
            rows = read(ledger)
            present = {row.name: _standing(row) for row in rows}
            fresh = [row for row in rows if shown is None or shown.get(row.name) != present[row.name]]
            if output in ("json", "yaml"):
                _print_items(items(kind, fresh, ledger), output)
            elif sys.stdout.isatty():
                # Ages go on whether anything changed or not; drawn over what is there, so that nothing flickers.
                lines = table(context, kind, rows, output)
                click.echo("\x1b[H" + "".join(f"{line}\x1b[K\n" for line in lines) + "\x1b[J", nl=False, color=True)
            elif fresh or shown is None:
                changed = {row.name for row in fresh}
                heading, *lines = table(context, kind, rows, output)
                chosen = [line for line, row in zip(lines, rows, strict=True) if row.name in changed]
                # Columns of agents' work come with the first row that has something to say.
                click.echo("\n".join(([heading] if heading.split() != titles else []) + chosen), color=True)
                titles = heading.split()
            sys.stdout.flush()
            shown = present
            time.sleep(EVERY)
            reader.renew()


def _print_items(found: "list[Value]", output: str) -> None:
    """One item a line, or one YAML document an item."""
    from reconciler.show.document import line, text

    for item in found:
        if isinstance(item, dict):
            click.echo(line(item) if output == "json" else "---\n" + text(item, "yaml").rstrip("\n"))


def _standing(row: Row) -> Row:
    """A row without what changes at every look."""
    if isinstance(row, HostRow):
        return replace(row, observed_at=None, facts=Facts())
    if not isinstance(row, TaskRow | RunRow):
        return row
    # Times of a run are its host's, told anew with each report: they may differ by milliseconds.
    began, ended = row.started_at and 1.0, row.finished_at and 1.0
    return replace(row, observed_at=None, started_at=began, finished_at=ended, revision="")
