"""How a command ends: exit codes, one sentence for expected errors, a report file for bugs."""

import contextlib
import errno
import os
import re
import sys

import click

from reconciler import __version__
from reconciler.errors import Exit, ReconcilerError

QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")

# What this machine's files may refuse to anybody: no bug of ours, and the user can do something about it.
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
MANY = frozenset({errno.EMFILE, errno.ENFILE})
REFUSALS = frozenset(
    {
        errno.EACCES,
        errno.EPERM,
        errno.EROFS,
        errno.ENOTDIR,
        errno.EISDIR,
        errno.ENOENT,
        errno.ELOOP,
        errno.ENAMETOOLONG,
        errno.EIO,
        errno.ESTALE,
    }
)


def guarded(command: click.Command, arguments: list[str]) -> int:
    """Run `command`; give its exit code, whatever happens. Nothing is raised."""
    try:
        return _ended(command, arguments)
    finally:
        _unwritten()


def _ended(command: click.Command, arguments: list[str]) -> int:
    out = sys.stdout
    try:
        result = command.main(args=arguments, prog_name="reconciler", standalone_mode=False)
        sys.stdout.flush()  # what cannot be written is told here, not by Python at its end
    except click.exceptions.Exit as stopped:
        return stopped.exit_code
    except click.exceptions.NoArgsIsHelpError as help_wanted:
        help_wanted.show()
        return Exit.USAGE
    except click.ClickException as refused:
        verb = refused.ctx.command_path if isinstance(refused, click.UsageError) and refused.ctx else "reconciler"
        _say(f"{refused.format_message().rstrip('.')}: see `{verb} --help`")
        return Exit.USAGE
    except (KeyboardInterrupt, click.Abort):
        _tell("interrupted")
        return Exit.INTERRUPTED
    except ReconcilerError as failure:
        _say(str(failure))
        return failure.exit
    except BrokenPipeError:  # the reader (`head`, a closed pager) has seen enough; that is no failure of ours
        return Exit.OK
    except SystemExit:
        if sys.stdout is not out:  # click puts another in its place when the reader is gone
            return Exit.OK
        raise
    except OSError as refused:
        return _refused(refused)
    except Exception as bug:
        return _report(bug)
    return result if isinstance(result, int) else Exit.OK


def _refused(refused: OSError) -> int:
    """What this machine refuses to anybody, in one sentence; anything else is a bug."""
    if refused.errno in FULL:
        _say(f"{str(refused.strerror).lower()}: make room, or use a --state-dir on another disk")
        return Exit.ERROR
    if refused.errno in MANY:
        _say("too many files are open: raise `ulimit -n` and try again")
        return Exit.ERROR
    if refused.errno == errno.ENOENT and not refused.filename:
        _say("the folder that you are in is gone: go to another one")
        return Exit.ERROR
    if refused.errno not in REFUSALS or not refused.filename:
        return _report(refused)
    _say(f"cannot use {refused.filename}: {refused.strerror} (what we remember can lie elsewhere: --state-dir)")
    return Exit.ERROR


def _unwritten() -> None:
    """What waits to be written goes nowhere, so that Python does not try again at its end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _say(text: str) -> None:
    """One sentence on standard error; names of files, hosts and what they said may be in it."""
    from reconciler.show.escape import safe

    _tell(f"{red('error:')} {safe(text)}")


def _tell(text: str) -> None:
    """A line on standard error, which may be as full or closed as anything else."""
    with contextlib.suppress(OSError):
        click.echo(text, err=True)


def red(word: str) -> str:
    """The first word of a line on standard error; in colour unless NO_COLOR says otherwise (and on a terminal)."""
    return word if os.environ.get("NO_COLOR") else click.style(word, fg="red", bold=True)


def _report(bug: Exception) -> int:
    """Leave a file with what developers need: where it went wrong, no arguments and no values."""
    import tempfile

    from reconciler.show.escape import safe_lines

    text = f"reconciler {__version__}\npython {sys.version}\n\n{_story(bug)}"
    try:
        handle, name = tempfile.mkstemp(prefix="reconciler-bug-", suffix=".txt")
        with os.fdopen(handle, "w") as file:
            file.write(text)
    except OSError:
        _tell(safe_lines(text))
        name = "the lines above"
    said = f"{type(bug).__name__}: this should not happen; please report it with {name} (read it first)"
    _tell(f"{red('bug:')} {said}")
    return Exit.BUG


def _story(bug: BaseException) -> str:
    """The frames of an error and of what led to it; of its text what is quoted, which may be anybody's, is left out."""
    import traceback

    before = bug.__cause__ or (None if bug.__suppress_context__ else bug.__context__)
    story = f"{_story(before)}\nand then:\n\n" if before else ""
    message = QUOTED.sub("'…'", str(bug))
    return f"{story}{''.join(traceback.format_tb(bug.__traceback__))}{type(bug).__name__}: {message}\n"
