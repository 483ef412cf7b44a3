"""`reconciler exec`."""

import sys

import click

from reconciler.cli.arguments import bare
from reconciler.cli.context import Context
from reconciler.errors import ReconcilerError


@click.command("exec", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("task")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.option("--run", help="This run, or this attempt's number.  [the newest]")
@click.pass_obj
def execute(context: Context, task: str, command: tuple[str, ...], run: str | None) -> int:
    """Open a shell on TASK's host, in its run's working directory, or run `-- CMD` there. Exits as CMD does."""
    from reconciler.cli.opening import build_world, open_fleet
    from reconciler.record.ledger import Ledger

    name = bare(task, "task")
    fleet = open_fleet(context)
    with Ledger.open(fleet.folder / "ledger.db", readonly=True) as ledger:
        rows = [row for row in ledger.run_rows(task=name) if run in (None, row.name, str(row.attempt))]
        rows = [row for row in rows if row.directory]
        if not rows:
            raise ReconcilerError(f"no run of {name!r} is left on a host: see `reconciler get runs`")
        row = max(rows, key=lambda one: (one.started_at or 0.0, one.attempt))
        world = build_world(context, fleet, ledger)
        desired, _ = fleet.wanted.read(ledger)
    if row.host not in desired.hosts:
        raise ReconcilerError(f"host {row.host} of {row.name} is not in the repository any more")
    words = command[1:] if command[:1] == ("--",) else command
    try:
        return world.remote.shell(
            desired.hosts[row.host],
            f"{row.directory}/work",
            words,
            terminal=sys.stdin.isatty() and sys.stdout.isatty(),
            only=len(desired.hosts) == 1,
        )
    finally:
        world.remote.close()
