"""`reconciler suspend` and `reconciler resume`."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from reconciler.cli.arguments import Selector, bare
from reconciler.cli.completion import names
from reconciler.cli.context import Context
from reconciler.cli.editing import edit_options, finish, listed, open_workplace
from reconciler.errors import ReconcilerError, UsageError

if TYPE_CHECKING:
    from reconciler.load.edit import Site, Workplace

KEY = ("spec", "suspend")


@click.command()
@click.argument("tasks", nargs=-1, metavar="[TASK]...", shell_complete=names("task"))
@click.option("-l", "--selector", type=Selector(), metavar="KEY=VALUE,…", help="All tasks with these labels.")
@click.option("--all", "everything", is_flag=True, help="The whole fleet.")
@click.option("--cancel", is_flag=True, help="Cancel what runs, too; its work stays for the next attempt.")
@edit_options
@click.pass_obj
def suspend(
    context: Context,
    tasks: tuple[str, ...],
    selector: dict[str, str] | None,
    everything: bool,
    cancel: bool,
    no_commit: bool,
    push: bool,
) -> int:
    """Start nothing more of some tasks, or of the whole fleet; what runs goes on, unless --cancel is given."""
    place = open_workplace(context)
    sites, what = _chosen(place, tasks, selector, everything)
    for site in sites:
        place.set(site, KEY, {"cancel": True} if cancel else True)
    back = "--all" if everything else "…"
    then = f"{'what runs is cancelled, and ' if cancel else ''}nothing starts until `reconciler resume {back}`"
    done = f"{what} is suspended already"
    return finish(place, f"suspend {what}", no_commit=no_commit, push=push, then=then, done=done)


@click.command()
@click.argument("tasks", nargs=-1, metavar="[TASK]...", shell_complete=names("task"))
@click.option("-l", "--selector", type=Selector(), metavar="KEY=VALUE,…", help="All tasks with these labels.")
@click.option("--all", "everything", is_flag=True, help="The whole fleet.")
@edit_options
@click.pass_obj
def resume(
    context: Context,
    tasks: tuple[str, ...],
    selector: dict[str, str] | None,
    everything: bool,
    no_commit: bool,
    push: bool,
) -> int:
    """Take a suspension back."""
    place = open_workplace(context)
    sites, what = _chosen(place, tasks, selector, everything)
    for site in sites:
        if site.spec.get("suspend"):
            place.unset(site, KEY)
    own = [document.name for document in place.documents("Task") if everything and document.spec.get("suspend")]
    left = f"; suspended on their own and still so: {listed(own)}" if own else ""
    then = f"the next cycle starts what can start{left}"
    done = f"{what} is not suspended{left}"
    return finish(place, f"resume {what}", no_commit=no_commit, push=push, then=then, done=done)


def _chosen(
    place: "Workplace", tasks: Sequence[str], selector: Mapping[str, str] | None, everything: bool
) -> tuple[list["Site"], str]:
    """The documents that are meant, and what to call them. Raises UsageError when that was not said in one way."""
    if [bool(tasks), selector is not None, everything].count(True) != 1:
        raise UsageError("say which: TASK names, -l SELECTOR, or --all")
    if everything:
        return [place.find("Fleet")], "the fleet"
    found = list(dict.fromkeys(bare(name, "task") for name in tasks))
    if selector is not None:
        wanted = selector.items()
        found = [document.name for document in place.documents("Task") if wanted <= document.labels.items()]
        if not found:
            text = ",".join(f"{key}={value}" for key, value in wanted)
            raise ReconcilerError(f"no task has the labels {text}: `reconciler get tasks` shows them all")
    return [place.find("Task", name) for name in found], listed(found)
