"""`reconciler task …`: edit Task documents."""

import re
from collections.abc import Mapping, Set
from typing import Any

import click

from reconciler.cli.arguments import bare
from reconciler.cli.completion import names
from reconciler.cli.context import Context
from reconciler.cli.editing import edit_options, finish, listed, open_workplace, pairs
from reconciler.errors import ReconcilerError, UsageError


@click.group()
def task() -> None:
    """Write, close, reopen or rerun tasks."""


@task.command()
@click.argument("name")
@click.option("--run", "script", metavar="SCRIPT", help="What to do: a shell script.")
@click.option("--run-file", type=click.File("r", encoding="utf-8"), help="Read the script from a file, or from `-`.")
@click.option("--title", help="One line for people.")
@click.option("--description", help="More for people.")
@click.option("--priority", type=click.Choice(["urgent", "high", "normal", "low"]), help="Who goes first.")
@click.option("--host", help="The host to run on.", shell_complete=names("host"))
@click.option("--host-selector", multiple=True, metavar="KEY=VALUE", help="Labels of the host. May be repeated.")
@click.option("--env", multiple=True, metavar="KEY=VALUE", help="Environment of the worker. May be repeated.")
@click.option("--secret", multiple=True, metavar="NAME[=FROM]", help="Name of a secret. May be repeated.")
@click.option("--timeout", metavar="DURATION", help="Longest time for one attempt.")
@click.option("--idle-timeout", metavar="DURATION", help="Longest time without output and work.")
@click.option("--retries", type=int, metavar="N", help="Further attempts after one that failed.")
@click.option("--backoff", metavar="DURATION", help="Wait before the first of them.")
@click.option("--max-backoff", metavar="DURATION", help="The longest wait between two.")
@click.option("--replace-after", metavar="DURATION", help="Start elsewhere when its host was unseen for so long.")
@click.option("--depends-on", multiple=True, metavar="TASK", help="Start after it succeeded. May be repeated.")
@click.option("--rerun", metavar="VALUE", help="A new value runs the task again.")
@click.option("--update-policy", type=click.Choice(["restart", "ignore"]), help="What an edit does to a run.")
@click.option("--suspend", is_flag=True, default=None, help="Start nothing yet.")
@click.option("--label", multiple=True, metavar="KEY=VALUE", help="For `-l`. May be repeated.")
@edit_options
@click.pass_obj
def new(context: Context, /, name: str, label: tuple[str, ...], no_commit: bool, push: bool, **fields: Any) -> int:
    """Write tasks/NAME.yaml; the options are the fields of a Task (`reconciler explain task`)."""
    name = bare(name, "task")
    place = open_workplace(context)
    place.add("Task", name, spec_of(fields), pairs(label, "--label"))
    then = "the next cycle starts it (`reconciler plan` shows where)"
    return finish(place, f"add task {name}", no_commit=no_commit, push=push, then=then)


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


def spec_of(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Options as the fields of a Task's spec, in the order of a file; absent ones are left out. Raises UsageError."""
    script, file = fields["script"], fields["run_file"]
    if (script is None) == (file is None):
        raise UsageError("say what to do: --run SCRIPT, or --run-file FILE (`-` for standard input)")
    retries = {"limit": fields["retries"], "backoff": fields["backoff"], "maxBackoff": fields["max_backoff"]}
    selector = pairs(fields["host_selector"], "--host-selector")
    spec = {
        "title": fields["title"],
        "description": fields["description"],
        "priority": fields["priority"],
        "suspend": fields["suspend"],
        "host": fields["host"] and bare(fields["host"], "host"),
        "hostSelector": {"matchLabels": selector} if selector else None,
        "env": pairs(fields["env"], "--env"),
        "secrets": [_secret(text) for text in fields["secret"]],
        "timeout": fields["timeout"],
        "idleTimeout": fields["idle_timeout"],
        "retries": {key: value for key, value in retries.items() if value is not None},
        "replaceAfter": fields["replace_after"],
        "dependsOn": [bare(name, "task") for name in fields["depends_on"]],
        "updatePolicy": fields["update_policy"],
        "rerun": _number(fields["rerun"]),
        "run": _script(script, file),
    }
    return {key: value for key, value in spec.items() if value is not None and value not in ({}, [])}


def _script(script: str | None, file: Any) -> str:
    try:
        text = script if script is not None else str(file.read())
    except UnicodeDecodeError:
        raise UsageError(f"{file.name} is not UTF-8: a script has to be text") from None
    return text if text.endswith("\n") or "\n" not in text else f"{text}\n"


def _secret(text: str) -> str | dict[str, str]:
    name, equals, origin = text.partition("=")
    return {"name": name, "from": origin} if equals else name


def _number(text: str | None) -> int | str | None:
    return int(text) if text and re.fullmatch(r"\d{1,15}", text, re.ASCII) else text
