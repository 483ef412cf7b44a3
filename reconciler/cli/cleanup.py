"""`reconciler cleanup`."""

import click

from reconciler.cli.context import Context, output_option
from reconciler.model.change import Action, Options


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@click.option("--allow-prune", is_flag=True, help="Approve what is held: clean up after tasks that left git.")
@output_option
@click.pass_obj
def cleanup(context: Context, dry_run: bool, allow_prune: bool, output: str) -> int:
    """Remove what nothing owns any more, on every host; launch nothing.

    That is the run directories of tasks that left git, those that retention lets go, worktrees in which nothing goes
    on, and half-finished removals. Results and logs are collected first, and what was never pushed from a worktree is
    kept in its checkout; the prune budget of the fleet holds here too.
    """
    from dataclasses import replace

    from reconciler.cli.opening import controller, looking, open_fleet, printer
    from reconciler.cli.printing import print_report
    from reconciler.clock import now
    from reconciler.engine.engine import Engine
    from reconciler.loop import cycle

    fleet = open_fleet(context)
    options = Options(allow_prune=allow_prune)
    listener = printer(context)
    if dry_run:
        with looking(context, fleet, options) as engine:
            report = cycle(engine)
        kept = tuple(change for change in report.plan.changes if change.action is not Action.LAUNCH)
        report = replace(report, plan=replace(report.plan, changes=kept, waits=()))
    else:
        with controller(context, fleet, "cleanup") as world:
            world.listen, world.trouble = listener.event, listener.trouble
            engine = Engine(world, fleet.wanted, options, now)
            engine.launching = False
            report = cycle(engine)
    print_report(context, report, output)
    return report.exit_code
