"""`reconciler host check` and `reconciler host reset`: the host verbs that talk to hosts."""

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from reconciler.cli.arguments import bare
from reconciler.cli.completion import names as known_names
from reconciler.cli.context import Context, output_option
from reconciler.cli.reading import unknown
from reconciler.errors import Exit, LeaseLost, PartialFailure, ReconcilerError, UsageError

if TYPE_CHECKING:
    from reconciler.cli.opening import Fleet
    from reconciler.engine.world import World
    from reconciler.model.desired import Desired
    from reconciler.model.host import Host
    from reconciler.observe.check import Check


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=known_names("host"))
@click.option("--all", "everything", is_flag=True, help="Check every host of the fleet.")
@click.option("--worktree", is_flag=True, help="Read the files as they are, committed or not.")
@output_option
@click.pass_obj
def check(context: Context, names: tuple[str, ...], everything: bool, worktree: bool, output: str) -> int:
    """Check the way to hosts and what is on them, step by step. Exit 0, or 3 when something is missing."""
    from reconciler.cli.opening import open_fleet

    if bool(names) == everything:
        raise UsageError("say which hosts to check, or --all")
    fleet = open_fleet(context, worktree=worktree)
    revision, checks = check_hosts(context, fleet, tuple(bare(name, "host") for name in names))
    code = Exit.OK if all(item.ok for item in checks) else Exit.PARTIAL
    print_checks(context, checks, output, code, revision)
    return code


def check_hosts(context: Context, fleet: "Fleet", names: Sequence[str]) -> "tuple[str, list[Check]]":
    """The commit, and all checks of the named hosts (of all when none is named), in order. Raises ReconcilerError."""
    from reconciler.cli.opening import build_world
    from reconciler.clock import now
    from reconciler.observe.check import check_host
    from reconciler.observe.needs import needs
    from reconciler.record.ledger import Ledger

    with Ledger.open(fleet.folder / "ledger.db", readonly=True) as ledger:
        world = build_world(context, fleet, ledger)
        desired, _ = fleet.wanted.read(ledger)
    world.learn_at_hand(desired)
    hosts = [_host(desired, name) for name in names or sorted(desired.hosts)]
    only = len(desired.hosts) == 1
    try:
        with ThreadPoolExecutor(max(1, len(hosts))) as pool:
            found = pool.map(
                lambda host: check_host(
                    world.remote,
                    host,
                    fleet_id=desired.fleet.id,
                    only=only,
                    direct=context.ssh_config is None,
                    clock=now,
                    needs=needs(desired, host),
                ),
                hosts,
            )
            return desired.revision, [replace(item, why=world.hide(item.why)) for one in found for item in one]
    finally:
        world.remote.close()


def print_checks(
    context: Context, checks: "Sequence[Check]", output: str, code: Exit, revision: str | None = None
) -> None:
    """Print checks the way `-o` says."""
    from reconciler.cli.printing import colored, print_document
    from reconciler.show.checks import items, text
    from reconciler.show.document import ending, envelope

    if output in ("json", "yaml"):
        print_document(envelope({"checks": items(checks)}, ending(code), revision), output)
    else:
        click.echo(text(checks, color=colored(context)), nl=False)


@click.command()
@click.argument("name", shell_complete=known_names("host"))
@click.option("--yes", is_flag=True, help="Do not ask.")
@output_option
@click.pass_obj
def reset(context: Context, name: str, yes: bool, output: str) -> int:
    """Empty a host's workspace; what has finished still never runs again.

    Refused while a run is active there. The lease, the workspace's identity and the completion marks stay. Checkouts
    go with everything in them: what was never pushed is counted, and is gone then.
    """
    from reconciler.act.reset import reset_host
    from reconciler.cli.opening import controller, open_fleet
    from reconciler.cli.printing import print_document
    from reconciler.show.document import envelope

    name = bare(name, "host")
    if not yes and not sys.stdin.isatty():
        raise UsageError(f"this removes every run directory, checkout and worktree on {name}: confirm with --yes")
    if not yes and not click.confirm(f"Remove every run directory, checkout and worktree on {name}?", err=True):
        raise ReconcilerError(f"nothing was removed from {name}")
    fleet = open_fleet(context)
    with controller(context, fleet, "host reset") as world:
        desired, _ = fleet.wanted.read(world.ledger)
        host = _host(desired, name)
        world.learn_at_hand(desired)
        only = len(desired.hosts) == 1
        if number := _hold(world, host, desired, only=only):
            ledger = world.ledger.id
            counts = reset_host(world.remote, host, desired.fleet, ledger, number, desired.revision, only=only)
        else:
            counts = {}
    if output in ("json", "yaml"):
        print_document(envelope({"removed": counts}, revision=desired.revision), output)
    else:
        from reconciler.show.work import removed

        click.echo(
            f"{name} is empty: {removed(counts) or ('nothing was there' if counts else 'there was no workspace')}"
        )
    return 0


def _hold(world: "World", host: "Host", desired: "Desired", *, only: bool) -> int:
    """The lease number that the host obeys, taken if need be; 0 when it has no workspace. Raises ReconcilerError."""
    from reconciler.act.apply import Warrant, take
    from reconciler.act.reset import number_for
    from reconciler.clock import now
    from reconciler.model.observed import LeaseMark, Unseen
    from reconciler.observe.look import look

    ledger = world.ledger
    sight = look(world.remote, host, fleet_id=desired.fleet.id, only=only, clock=now)
    if isinstance(sight, Unseen):
        raise PartialFailure(f"{host.name}: {world.hide(sight.why)}")
    if not sight.workspace_id:
        return 0
    number, fresh = number_for(sight, ledger.id, ledger.memory().number)
    if sight.lease == LeaseMark(number, ledger.id) and sight.host_name in ("", host.name):
        return number
    ledger.number_to_take(number, fresh)
    warrant = Warrant(desired.fleet, ledger.id, number, desired.revision)
    taken = take(world.remote, host, warrant, rename_from=sight.host_name).worded(world.hide)
    if taken.holder:
        raise LeaseLost(f"{host.name}: {taken.why}")
    if taken.frames is None:
        raise PartialFailure(f"{host.name}: {taken.why}")
    ledger.taken(host, sight.workspace_id, number, now())
    return number


def _host(desired: "Desired", name: str) -> "Host":
    if name not in desired.hosts:
        raise unknown("host", name, desired.hosts)
    return desired.hosts[name]
