"""`reconciler wait`."""

import time
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from reconciler.cli.arguments import Duration, bare
from reconciler.cli.completion import names
from reconciler.cli.context import Context
from reconciler.errors import ReconcilerError, TaskFailed, TimedOut, UsageError
from reconciler.model.rows import TaskRow
from reconciler.model.run import ENDED, State

if TYPE_CHECKING:
    from reconciler.engine.desired import Wanted
    from reconciler.record.ledger import Ledger

POLL = 0.2  # seconds between looks into the ledger
ASK = 10.0  # seconds between two questions to a remote

PAST = {"running": "run", "succeeded": "succeeded", "blocked": "blocked", "ended": "ended"}


@click.command()
@click.argument("task", required=False, shell_complete=names("task"))
@click.option(
    "--for", "goal", type=click.Choice(list(PAST)), default="succeeded", help="What to wait for.  [succeeded]"
)
@click.option("--revision", is_flag=False, flag_value="", metavar="[SHA]", help="Wait until this commit is acted on.")
@click.option("--timeout", type=Duration(), help="Give up after this long (exit 6).  [never]")
@click.pass_obj
def wait(context: Context, task: str | None, goal: str, revision: str | None, timeout: float | None) -> int:
    """Wait until TASK runs, succeeded, is blocked or has ended; or until a commit was acted on.

    Returns at once when it already is so, and fails at once when it cannot become so any more (exit 5). A controller
    (`reconciler watch`) has to be at work somewhere on this machine for anything to change.
    """
    if (task is None) == (revision is None):
        raise UsageError("say either a task, or --revision [SHA]")
    from reconciler.cli.opening import open_fleet
    from reconciler.record.ledger import Ledger

    fleet = open_fleet(context)
    wanted = fleet.wanted
    commit = wanted.repository.resolve(revision or wanted.ref) if revision is not None else ""
    began = asked = time.monotonic()
    with Ledger.open(fleet.folder / "ledger.db", readonly=True) as ledger:
        known = False
        while True:
            if task is None:
                over = acted_on(wanted, ledger, commit)
            else:
                over = _task(wanted, ledger, bare(task, "task"), goal, known)
            if over:
                return 0
            known, moment = True, time.monotonic()
            if timeout is not None and moment - began >= timeout:
                raise TimedOut(
                    f"{f'task {task} has not {PAST[goal]}' if task else f'{commit[:12]} is not acted on'} yet"
                )
            time.sleep(POLL)
            if moment - asked >= ASK:
                asked = moment
                with suppress(ReconcilerError):  # what cannot be asked right now changes nothing
                    wanted.head()
            ledger.renew()


def acted_on(wanted: "Wanted", ledger: "Ledger", commit: str) -> bool:
    """Whether the fleet's controller has acted on a commit. Raises TaskFailed when it never will."""
    last = ledger.last_revision()
    if last and wanted.contains(commit, last):
        return True
    if wanted.contains(commit, wanted.repository.resolve(wanted.ref)) is False:
        raise TaskFailed(f"{commit[:12]} is not part of {wanted.ref}, so nothing will act on it")
    desired = wanted.newest(ledger)
    if desired.refused and not wanted.contains(commit, desired.revision):
        raise TaskFailed(str(desired.refused))
    return False


def _task(wanted: "Wanted", ledger: "Ledger", name: str, goal: str, known: bool) -> bool:
    """Whether a task is where it is waited for; `known`: it was declared when the waiting began."""
    declared = wanted.tasks(ledger)
    row = next((row for row in ledger.task_rows() if row.name == name), None)
    if name not in declared:
        if row is not None or known:
            raise TaskFailed(f"task {name} has left the repository")
        raise ReconcilerError(f"there is no task {name!r} in the repository")
    if row is None or declared[name] != row.digest:
        return False  # new or edited: what the ledger shows, if anything, is about the version before
    return reached(row, goal)


def reached(row: TaskRow, goal: str) -> bool:
    """Whether a task is where it is waited for. Raises TaskFailed when it cannot get there any more."""
    over = row.state in ENDED  # between two attempts a task is Pending
    match goal:
        case "running":
            met, hopeless = row.state is State.RUNNING, over
        case "succeeded":
            met, hopeless = row.state is State.SUCCEEDED, over and row.state is not State.SUCCEEDED
        case "blocked":
            met, hopeless = row.state is State.BLOCKED, over
        case _:
            met, hopeless = over, False
    if met:
        return True
    if hopeless or row.closed:
        raise TaskFailed(f"task {row.name} is {row.state}{': ' + row.reason if row.reason else ''}")
    return False
