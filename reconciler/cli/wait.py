"""`reconciler wait`."""

import time

import click

from reconciler.cli.arguments import Duration, bare
from reconciler.cli.context import Context
from reconciler.errors import ReconcilerError, TaskFailed, TimedOut, UsageError
from reconciler.model.rows import TaskRow
from reconciler.model.run import ENDED, State

POLL = 0.5  # seconds between looks into the ledger

GOALS = ("running", "succeeded", "blocked", "ended")


@click.command()
@click.argument("task", required=False)
@click.option("--for", "goal", type=click.Choice(GOALS), help="What to wait for.  [succeeded]")
@click.option("--revision", is_flag=False, flag_value="", metavar="[SHA]", help="Wait until this commit is acted on.")
@click.option("--timeout", type=Duration(), help="Give up after this long (exit 6).  [never]")
@click.pass_obj
def wait(context: Context, task: str | None, goal: str | None, revision: str | None, timeout: float | None) -> int:
    """Wait until TASK runs, succeeded, is blocked or has ended; or until a commit was acted on.

    Returns at once when it already is so, and fails at once when it cannot become so any more (exit 5). A controller
    (`reconciler watch`) has to be at work somewhere on this machine for anything to change.
    """
    if (task is None) == (revision is None):
        raise UsageError("say either a task, or --revision [SHA]")
    began = time.monotonic()
    while True:
        over = _revision(context, revision) if revision is not None else _task(context, str(task), goal or "succeeded")
        if over:
            return 0
        if timeout is not None and time.monotonic() - began >= timeout:
            raise TimedOut(f"not {goal or 'succeeded' if task else 'acted on'} within the time given")
        time.sleep(POLL)


def _revision(context: Context, revision: str | None) -> bool:
    from reconciler.cli.opening import open_fleet
    from reconciler.record.ledger import Ledger

    fleet = open_fleet(context)
    wanted = fleet.wanted
    commit = wanted.repository.resolve(revision or wanted.ref)
    with Ledger.open(fleet.folder / "ledger.db", readonly=True) as ledger:
        last = ledger.last_revision()
    return bool(last) and wanted.contains(commit, last) is True


def _task(context: Context, name: str, goal: str) -> bool:
    from reconciler.cli.opening import open_fleet
    from reconciler.record.ledger import Ledger

    name = bare(name, "task")
    fleet = open_fleet(context)
    with Ledger.open(fleet.folder / "ledger.db", readonly=True) as ledger:
        row = next((row for row in ledger.task_rows() if row.name == name), None)
    declared = fleet.wanted.tasks()
    if row is None or name not in declared:
        if name in declared:
            return False  # written, and no controller has seen it yet
        if row is not None:
            raise TaskFailed(f"task {name} has left the repository")
        raise ReconcilerError(f"there is no task {name!r} in the repository")
    if declared[name] != row.digest:
        return False  # edited: what the ledger shows is about the version before
    return reached(row, goal)


def reached(row: TaskRow, goal: str) -> bool:
    """Whether a task is where it is waited for. Raises TaskFailed when it cannot get there any more."""
    over = row.state in ENDED and not row.why.startswith("retry")
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
