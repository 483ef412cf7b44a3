"""Reports on the terminal, in a pipe, or as JSON."""

import os
import shutil
import sys
from collections.abc import Mapping
from typing import Any

import click

from reconciler.cli.context import Context
from reconciler.errors import Exit, ReconcilerError
from reconciler.model.report import Report


def colored(context: Context) -> bool:
    """Colour when asked for, else on a terminal without NO_COLOR."""
    if context.color is not None:
        return context.color
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def width() -> int:
    """Columns to print into; a pipe gets long lines."""
    return shutil.get_terminal_size((120, 24)).columns if sys.stdout.isatty() else 200


def report_document(report: Report) -> dict[str, Any]:
    """The JSON object of `plan` and `reconcile`."""
    from reconciler.show.plans import document

    return document(report)


def print_report(
    context: Context,
    report: Report,
    output: str,
    *,
    preview: bool = False,
) -> None:
    """Print a report the way `-o` says; `preview`: nothing was done, it is a plan."""
    if output in ("json", "yaml"):
        print_document(report_document(report), output)
        return
    from reconciler.loop import now
    from reconciler.show.plans import text

    click.echo(text(report, preview=preview, color=colored(context), width=width(), now=now()), nl=False)


def print_document(document: Mapping[str, Any], output: str) -> None:
    """One JSON object, or the same as YAML."""
    from reconciler.show.document import to_json, to_yaml

    click.echo(to_json(document) if output == "json" else to_yaml(document), nl=False)


def print_answer(context: Context, answer: Mapping[str, Any], output: str) -> int:
    """What the daemon said to a request that was handed over; gives its exit code."""
    if "error" in answer:
        failure = ReconcilerError(str(answer["error"]))
        failure.exit = Exit(int(answer.get("code", Exit.ERROR)))
        raise failure
    if output in ("json", "yaml"):
        print_document(answer, output)
    else:
        from reconciler.show.plans import document_text

        click.echo(document_text(answer, color=colored(context), width=width()), nl=False)
    return int(answer["exit"]["code"])
