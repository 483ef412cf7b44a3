"""`reconciler exec`."""

import sys

import click

from reconciler.cli.arguments import bare
from reconciler.cli.completion import names
from reconciler.cli.context import Context
from reconciler.cli.reading import unknown
from reconciler.errors import ReconcilerError


@click.command("exec")
@click.argument("task", shell_complete=names("task"))
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="[-- CMD…]")
@click.option("--run", metavar="RUN|N", help="This run, or this attempt's number.  [default: the newest]")
@click.pass_obj
def execute(context: Context, task: str, command: tuple[str, ...], run: str | None) -> int:
    """Open a shell on TASK's host where its run works (an agent's: its worktree), or run `-- CMD` there.

    Exits as CMD does.
    """
    from reconciler.cli.opening import build_world, open_fleet
    from reconciler.record.ledger import Ledger

    name = bare(task, "task")
    fleet = open_fleet(context)
    with Ledger.open(fleet.folder / "ledger.db", readonly=True) as ledger:
        mine = list(ledger.run_rows(task=name))
        known = {row.name for row in ledger.task_rows()}
        if not mine and name not in known:
            raise unknown("task", name, known, fleet.wanted, ledger)
        rows = [row for row in mine if row.directory and run in (None, row.name, str(row.attempt))]
        if not rows:
            raise ReconcilerError(f"no such run of {name} is on a host: `reconciler describe task {name}` lists them")
        row = max(rows, key=lambda one: (one.started_at or 0.0, one.attempt))
        world = build_world(context, fleet, ledger)
        desired, _ = fleet.wanted.read(ledger)
    if row.host not in desired.hosts:
        raise ReconcilerError(f"host {row.host} of {row.name} is not in the repository any more")
    try:
        return world.remote.shell(
            desired.hosts[row.host],
            row.worktree or f"{row.directory}/work",
            command,
            terminal=sys.stdin.isatty() and sys.stdout.isatty(),
            only=len(desired.hosts) == 1,
        )
    finally:
        world.remote.close()
