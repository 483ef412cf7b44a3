"""`reconciler plan`."""

from pathlib import Path

import click

from reconciler.cli.context import Context, output_option
from reconciler.errors import Exit
from reconciler.model.change import Options


@click.command()
@click.option("--detailed-exitcode", is_flag=True, help="Exit 2 when there are changes and all hosts were seen.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the plan for `reconcile --plan`.")
@click.option("--worktree", is_flag=True, help="Read the files as they are, committed or not.")
@output_option
@click.pass_obj
def plan(context: Context, detailed_exitcode: bool, out: Path | None, worktree: bool, output: str) -> int:
    """Show what would change, and why; what is held, what waits, what cannot be seen. Changes nothing anywhere."""
    from dataclasses import replace

    from reconciler.cli.opening import looking, open_fleet
    from reconciler.cli.printing import print_report
    from reconciler.loop import cycle

    fleet = open_fleet(context, worktree=worktree)
    with looking(context, fleet, Options()) as engine:
        report = cycle(engine)
        if worktree and (context.allowed_signers or engine.desired.fleet.signers):
            click.echo("note: files that are not committed have no signature: nothing was verified", err=True)
    if detailed_exitcode and report.exit_code == Exit.OK and report.plan.changes:
        report = replace(report, exit_code=int(Exit.CHANGES), exit_name="changes")
    if out:
        from reconciler.cli.saved_plan import write

        write(out, report)
    if not worktree:
        report = replace(report, uncommitted=tuple(fleet.wanted.repository.uncommitted()))
    print_report(context, report, output)
    return report.exit_code
