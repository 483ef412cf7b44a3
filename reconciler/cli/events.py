"""`reconciler events`."""

import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from reconciler.cli.completion import names
from reconciler.cli.context import Context, output_option
from reconciler.cli.reading import KINDS, Reader, refresh_option, unknown
from reconciler.errors import UsageError
from reconciler.model.rows import Event, EventType

if TYPE_CHECKING:
    from reconciler.record.ledger import Ledger

EVERY = 0.5  # seconds between two looks of --follow


@click.command()
@click.argument("name", required=False, shell_complete=names("task"))
@click.option("-f", "--follow", is_flag=True, help="Go on, and print events as they come.")
@click.option("--type", "types", default="", help=f"Only these: {', '.join(EventType)}.", metavar="TYPE,…")
@click.option("--tail", type=click.IntRange(0), help="Only the last N.  [all]")
@refresh_option
@output_option
@click.pass_obj
def events(
    context: Context, name: str | None, follow: bool, types: str, tail: int | None, refresh: bool, output: str
) -> None:
    """What happened, newest last; with NAME only what concerns that task, run or host.

    With -o json every event is one line.
    """
    chosen = _types(types)
    reader = Reader(context, refresh)
    with reader as ledger:
        about = _about(name, ledger)
        # Asked in one go, so that nothing that comes in between is shown twice or lost.
        everything = ledger.events()
        found = [event for event in everything if about(event) and event.type in chosen]
        show(context, found if tail is None else found[max(0, len(found) - tail) :], output)
        if not found and not follow:
            click.echo("there are no such events" if name or types else "there are no events yet", err=True)
        last = max((event.number for event in everything), default=0)
        while follow:
            time.sleep(EVERY)
            reader.renew()
            found = list(ledger.events(after=last))
            last = max((event.number for event in found), default=last)
            show(context, [event for event in found if about(event) and event.type in chosen], output)


def _types(typed: str) -> frozenset[EventType]:
    """`launched,ended` as types; all of them for an empty text. Raises UsageError."""
    words = [word.strip().lower() for word in typed.split(",") if word.strip()]
    known = {str(kind): kind for kind in EventType}
    for word in words:
        if word not in known:
            from reconciler.show.selector import did_you_mean

            raise UsageError(f"there is no type of event '{word}'{did_you_mean(word, known)}: {', '.join(known)}")
    return frozenset(known[word] for word in words) or frozenset(EventType)


def _about(typed: str | None, ledger: "Ledger") -> Callable[[Event], bool]:
    """Whether an event concerns `build`, `task/build`, `host/box1` or a run. Raises ReconcilerError."""
    if typed is None:
        return lambda event: True
    word, slash, name = typed.rpartition("/")
    kind = KINDS.get(word.lower()) if slash else None
    if slash and kind is None:
        raise UsageError(f"'{typed}' does not name a task, run or host: write for example task/{name}")
    known = {
        "task": {row.name for row in ledger.task_rows()},
        "run": {row.name for row in ledger.run_rows(include_cleaned=True)},
        "host": {row.name for row in ledger.host_rows()},
    }
    # Of what has left git only its events are left.
    known["task"] |= {row.task for row in ledger.run_rows(include_cleaned=True)}
    kinds = [kind] if kind else [each for each, names in known.items() if name in names]
    if not any(name in known[each] for each in kinds):
        if kind:
            raise unknown(kind, name, known[kind])
        raise unknown("task", name, set().union(*known.values()))
    return lambda event: name in [getattr(event, each) for each in kinds]


def show(context: Context, found: Sequence[Event], output: str) -> None:
    """One line an event; in YAML one entry of a list."""
    from reconciler.cli.printing import paper
    from reconciler.show.document import text
    from reconciler.show.lines import event_item, event_json, event_line

    sheet = paper(context)
    for event in found:
        if output == "json":
            click.echo(event_json(event))
        elif output == "yaml":
            click.echo("---\n" + text(event_item(event), "yaml"), nl=False)
        else:
            click.echo(event_line(event, sheet, dated=True), color=True)
    if found:
        sys.stdout.flush()
