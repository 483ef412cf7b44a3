"""How a command ends: exit codes, one sentence for expected errors, a report file for bugs."""

import os
import sys
import tempfile
import traceback
from pathlib import Path

import click

from reconciler import __version__
from reconciler.errors import Exit, ReconcilerError


def guarded(command: click.Command, arguments: list[str]) -> int:
    """Run `command`; give its exit code, whatever happens. Nothing is raised."""
    try:
        result = command.main(args=arguments, prog_name="reconciler", standalone_mode=False)
    except click.exceptions.Exit as stopped:
        return stopped.exit_code
    except click.ClickException as refused:
        refused.show()
        return Exit.USAGE
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        return Exit.INTERRUPTED
    except ReconcilerError as failure:
        click.echo(f"{click.style('error:', fg='red', bold=True)} {failure}", err=True)
        return failure.exit
    except BrokenPipeError:
        # The reader (`head`, a closed pager) has seen enough; that is no failure of ours.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK
    except Exception as bug:
        return _report(bug)
    return result if isinstance(result, int) else Exit.OK


def _report(bug: Exception) -> int:
    """Leave a file with what developers need; it names no arguments and no values."""
    handle, name = tempfile.mkstemp(prefix="reconciler-bug-", suffix=".txt")
    frames = traceback.format_tb(bug.__traceback__)
    text = f"reconciler {__version__}\npython {sys.version}\n\n{''.join(frames)}{type(bug).__name__}: {bug}\n"
    with os.fdopen(handle, "w") as file:
        file.write(text)
    click.echo(
        f"{click.style('bug:', fg='red', bold=True)} {type(bug).__name__}: this should not happen; "
        f"please report it with {Path(name)} (read it first)",
        err=True,
    )
    return Exit.BUG
