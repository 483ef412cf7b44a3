"""Reports on the terminal, in a pipe, or as JSON."""

import os
import shutil
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from reconciler.cli.context import Context
from reconciler.errors import Exit, ReconcilerError
from reconciler.model.problem import Severity
from reconciler.model.report import Report

if TYPE_CHECKING:
    from reconciler.show.paper import Paper


def colored(context: Context) -> bool:
    """Colour when asked for, else on a terminal without NO_COLOR."""
    if context.color is not None:
        return context.color
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def width() -> int | None:
    """Columns of the terminal; None in a pipe, where lines are as long as their text."""
    return shutil.get_terminal_size((120, 24)).columns if sys.stdout.isatty() else None


def paper(context: Context) -> "Paper":
    """What standard output is: how wide, and whether it takes colour."""
    from reconciler.show.paper import Paper

    return Paper(width=width(), color=colored(context))


def journal(context: Context) -> "Paper":
    """What standard error is, where events and troubles go: lines as long as their text."""
    from reconciler.show.paper import Paper

    painted = context.color if context.color is not None else sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    return Paper(color=painted)


def report_document(report: Report) -> dict[str, Any]:
    """The JSON object of `plan` and `reconcile`."""
    from reconciler.show.document import Ending, envelope
    from reconciler.show.plans import body

    found = body(report.plan, report.outcomes, report.refused)
    return envelope(found, Ending(report.exit_code, report.exit_name), report.revision)


def report_answer(report: Report) -> dict[str, Any]:
    """What the daemon sends to a `reconcile` typed beside it: the JSON object, and the same for people."""
    from reconciler.clock import now
    from reconciler.show.plans import listing

    text = listing(report.plan, now(), outcomes=report.outcomes, refused=report.refused)
    return {"document": report_document(report), "text": text}


def print_report(context: Context, report: Report, output: str) -> None:
    """Print a report the way `-o` says."""
    if output in ("json", "yaml"):
        print_document(report_document(report), output)
        return
    from reconciler.clock import now
    from reconciler.show.plans import listing

    click.echo(listing(report.plan, now(), paper(context), report.outcomes, report.refused), nl=False)
    print_notes(report)


def print_notes(report: Report) -> None:
    """Tell on standard error what nothing looked at, and how many problems the commit has."""
    if report.uncommitted:
        count = len(report.uncommitted)
        note(f"{count} file{'s' if count > 1 else ''} changed but not committed: {', '.join(report.uncommitted[:5])}")
    errors = sum(problem.severity is Severity.ERROR for problem in report.problems)
    if errors:
        note(f"{errors} problem{'s' if errors > 1 else ''} in the repository: run `reconciler validate`")


def print_document(document: Mapping[str, Any], output: str) -> None:
    """One JSON object, or the same as YAML."""
    from reconciler.show.document import text

    click.echo(text(document, output), nl=False)


def print_answer(answer: Mapping[str, Any], output: str) -> int:
    """What the daemon said to a request that was handed over; gives its exit code. Raises its error."""
    if "error" in answer:
        failure = ReconcilerError(str(answer["error"]))
        failure.exit = Exit(int(answer.get("code", Exit.ERROR)))
        raise failure
    if output in ("json", "yaml"):
        print_document(answer["document"], output)
    else:
        click.echo(answer["text"], nl=False)
    return int(answer["document"]["exit"]["code"])


def note(text: str) -> None:
    """Something beside the data, on standard error; names of files and words of hosts may be in it."""
    from reconciler.show.escape import safe

    click.echo(f"note: {safe(text)}", err=True)
