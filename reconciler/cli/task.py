"""`reconciler task …`: edit Task documents."""

import re
import sys
from collections.abc import Mapping, Set
from typing import Any

import click

from reconciler.cli.arguments import bare
from reconciler.cli.completion import names
from reconciler.cli.context import Context
from reconciler.cli.editing import edit_options, finish, listed, open_workplace
from reconciler.cli.task_new import new
from reconciler.cli.task_prompt import prompt
from reconciler.errors import ReconcilerError, UsageError


@click.group()
def task() -> None:
    """Write, close, reopen, rerun or follow up tasks; see what an agent would be told."""


task.add_command(new)


@task.command()
@click.argument("tasks", nargs=-1, required=True, metavar="NAME...", shell_complete=names("task"))
@edit_options
@click.pass_obj
def close(context: Context, tasks: tuple[str, ...], no_commit: bool, push: bool) -> int:
    """Say that tasks are over: what runs is cancelled, nothing of them starts again, records stay."""
    found = [bare(name, "task") for name in tasks]
    place = open_workplace(context)
    for name in found:
        place.set(place.find("Task", name), ("spec", "state"), "closed")
    then = f"the next cycle cancels what runs; `reconciler task reopen {' '.join(found)}` takes it back"
    done = f"{listed(found)}: closed already"
    return finish(place, f"close {listed(found)}", no_commit=no_commit, push=push, then=then, done=done)


@task.command()
@click.argument("tasks", nargs=-1, required=True, metavar="NAME...", shell_complete=names("task"))
@edit_options
@click.pass_obj
def reopen(context: Context, tasks: tuple[str, ...], no_commit: bool, push: bool) -> int:
    """Take a close back: the next attempt starts, unless the task had ended for good before."""
    found = [bare(name, "task") for name in tasks]
    place = open_workplace(context)
    for site in [place.find("Task", name) for name in found]:
        if site.spec.get("state") == "closed":
            place.unset(site, ("spec", "state"))
    then = "what had not ended for good starts its next attempt; `reconciler task rerun` starts the others again"
    done = f"{listed(found)}: open already"
    return finish(place, f"reopen {listed(found)}", no_commit=no_commit, push=push, then=then, done=done)


@task.command()
@click.argument("tasks", nargs=-1, required=True, metavar="NAME...", shell_complete=names("task"))
@edit_options
@click.pass_obj
def rerun(context: Context, tasks: tuple[str, ...], no_commit: bool, push: bool) -> int:
    """Run tasks again from the start, however they ended: gives each a new value of `rerun`."""
    found = [bare(name, "task") for name in tasks]
    place = open_workplace(context)
    for name in dict.fromkeys(found):
        site = place.find("Task", name)
        place.set(site, ("spec", "rerun"), _unused(site.spec, _digests(context, name)))
    then = "the next cycle cancels what runs of the old value, and starts the new one"
    return finish(place, f"rerun {listed(found)}", no_commit=no_commit, push=push, then=then)


@task.command("follow-up")
@click.argument("name", metavar="NAME", shell_complete=names("task"))
@click.argument("request", metavar="REQUEST|-")
@edit_options
@click.pass_obj
def follow_up(context: Context, name: str, request: str, no_commit: bool, push: bool) -> int:
    """Ask for more on the same branch, worktree and pull request; `-` reads the request from standard input.

    It starts when the work before it has ended, in whatever state: this also answers the question of a blocked task.
    """
    name = bare(name, "task")
    text = (_standard_input() if request == "-" else request).strip()
    if not text:
        raise UsageError(f'a follow-up asks for something: `reconciler task follow-up {name} "what shall be done"`')
    place = open_workplace(context)
    site = place.find("Task", name)
    if "run" in site.spec:
        raise UsageError(
            f"{name} runs a script, no agent: edit it, or run it again with `reconciler task rerun {name}`"
        )
    place.append(site, ("spec", "followUps"), {"request": f"{text}\n" if "\n" in text else text})
    then = f"the next cycle after the work before it starts it; `reconciler task prompt {name}` shows what is sent"
    if site.spec.get("state") == "closed":
        then = f"`reconciler task reopen {name}`: nothing of a closed task starts"
    return finish(place, f"follow up task {name}", no_commit=no_commit, push=push, then=then)


task.add_command(prompt)


def _standard_input() -> str:
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError:
        raise UsageError("standard input is not UTF-8: a request has to be text") from None


def _unused(spec: Mapping[str, Any], used: Set[str]) -> int | str:
    """The next value of `rerun` that gives work which never ran: values may have been used before, and removed."""
    from reconciler.load.digest import digest

    value = following(spec.get("rerun"))
    while digest({**spec, "rerun": value}) in used:
        value = following(value)
    return value


def _digests(context: Context, task: str) -> set[str]:
    """What the ledger knows to have run of a task; nothing when there is no ledger to ask."""
    from reconciler.cli.opening import open_ledger

    try:
        with open_ledger(context) as ledger:
            return {row.digest for row in ledger.run_rows() if row.task == task}
    except ReconcilerError:
        return set()


def following(value: Any) -> int | str:
    """Take the present value of `rerun` (None without one) and return another one: numbers count up."""
    if value is None:
        return 1
    if isinstance(value, int) and not isinstance(value, bool):
        return value + 1
    text = value if isinstance(value, str) else str(value).lower()
    counted = re.fullmatch(r"(.*)\+(\d{1,9})", text, re.DOTALL | re.ASCII)
    return f"{counted[1]}+{int(counted[2]) + 1}" if counted else f"{text}+1"
