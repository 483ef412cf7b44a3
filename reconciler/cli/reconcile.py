"""`reconciler reconcile`."""

from dataclasses import replace
from pathlib import Path

import click

from reconciler.cli.arguments import Duration, Selector
from reconciler.cli.context import Context, output_option
from reconciler.errors import UsageError
from reconciler.model.change import Options


@click.command()
@click.option("--dry-run", is_flag=True, help="The same as `plan`.")
@click.option("--wait", is_flag=True, help="Go on until nothing is active and every wait left needs a person.")
@click.option("--timeout", type=Duration(), help="Give up waiting after this long (exit 6).  [never]")
@click.option("-l", "--selector", type=Selector(), default={}, help="Launch and wait for these tasks only: k=v,k=v.")
@click.option("--allow-prune", is_flag=True, help="Approve what is held: clean up after tasks that left git.")
@click.option("--plan", "plan_file", type=click.Path(path_type=Path, exists=True), help="Only what this plan says.")
@click.option("--take-over", is_flag=True, help="Take the fleet from a `watch` on another machine.")
@click.option("--trust", metavar="COMMIT", help="Vouch for this commit, signed or not: go on from it.")
@output_option
@click.pass_obj
def reconcile(
    context: Context,
    dry_run: bool,
    wait: bool,
    timeout: float | None,
    selector: dict[str, str],
    allow_prune: bool,
    plan_file: Path | None,
    take_over: bool,
    trust: str | None,
    output: str,
) -> int:
    """Run one cycle: make the hosts match the repository. With --wait, go on until nothing is left to do."""
    from reconciler.cli.opening import Occupied, controller, looking, open_fleet, printer
    from reconciler.cli.printing import print_answer, print_report
    from reconciler.cli.saved_plan import check
    from reconciler.clock import now
    from reconciler.engine.engine import Engine
    from reconciler.loop import converge, cycle
    from reconciler.wake.requests import ask

    if timeout is not None and not wait:
        raise UsageError("--timeout says how long to wait: it goes with --wait")
    fleet = open_fleet(context)
    options = Options(allow_prune=allow_prune, selector=selector)
    uncommitted = tuple(fleet.wanted.repository.uncommitted())
    if dry_run:
        with looking(context, fleet, options) as engine:
            if trust:
                engine.trust(trust)
            report = cycle(engine)
        print_report(context, replace(report, uncommitted=uncommitted), output)
        return report.exit_code
    listener = printer(context)
    try:
        with controller(context, fleet, "reconcile") as world:
            world.listen, world.trouble = listener.event, listener.trouble
            engine = Engine(world, fleet.wanted, options, now)
            engine.take_over = take_over
            if trust:
                engine.trust(trust)
            if plan_file:
                preview = Engine(world, fleet.wanted, options, now, acting=False)
                cycle(preview)
                check(plan_file, preview.desired.revision, preview.plan)
            report = converge(engine, timeout) if wait else cycle(engine)
    except Occupied as occupied:
        request = {
            "allowPrune": allow_prune,
            "wait": wait,
            "timeout": timeout,
            "selector": selector,
            "trust": trust,
        }
        answer = ask(fleet.folder, request) if occupied.verb == "watch" and not plan_file else None
        if answer is None:
            raise
        return print_answer(answer, output)
    report = replace(report, uncommitted=uncommitted)
    print_report(context, report, output)
    return report.exit_code
