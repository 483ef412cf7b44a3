"""`reconciler task prompt`: what an agent would be told."""

import sys
from typing import TYPE_CHECKING

import click

from reconciler.cli.arguments import bare
from reconciler.cli.completion import names
from reconciler.cli.context import Context
from reconciler.cli.printing import note
from reconciler.errors import ReconcilerError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.model.change import Assignment
    from reconciler.model.desired import Desired
    from reconciler.model.rows import RunRow
    from reconciler.model.task import Task
    from reconciler.record.ledger import Ledger


@click.command()
@click.argument("name", metavar="NAME", shell_complete=names("task"))
@click.option("--step", type=click.IntRange(0), help="0: the task itself, 1: its first follow-up …  [what starts next]")
@click.option("--worktree", is_flag=True, help="Read the files as they are, committed or not.")
@click.pass_obj
def prompt(context: Context, name: str, step: int | None, worktree: bool) -> None:
    """Print what would be sent to the agent of a task, for the step that starts next (else the last one)."""
    from reconciler.cli.opening import open_fleet
    from reconciler.cli.reading import unknown
    from reconciler.record.ledger import Ledger

    name = bare(name, "task")
    fleet = open_fleet(context, worktree=worktree)
    with Ledger.open(fleet.folder / "ledger.db", readonly=True) as ledger:
        desired, _ = fleet.wanted.read(ledger)
        task = desired.tasks.get(name)
        if task is None:
            if name in desired.invalid:
                raise ReconcilerError(f"task {name} is not valid: run `reconciler validate`")
            raise unknown("task", name, desired.tasks)
        if task.agent is None:
            raise ReconcilerError(f"no agent is told anything for {name}: it runs a script, which is all of its work")
        index, work = _chosen(desired, ledger, task, step)
        text = _text(desired, task, index, work, ledger.run_rows(name, include_cleaned=True))
    if sys.stdout.isatty():
        from reconciler.show.escape import safe_lines

        text = safe_lines(text)
    click.echo(text, nl=text[-1:] != "\n")
    if added := _added(text, task):
        note(f"the host adds {added}")


def _added(text: str, task: "Task") -> str:
    """What is not known before the host knows it, and where it goes."""
    from reconciler.prompts.brief import BASE_BRANCH, ISSUE, WORKTREE

    known = {WORKTREE: "the path of the worktree", BASE_BRANCH: "the name of the base branch"}
    if task.issue is not None:
        known[ISSUE] = f"title and text of issue #{task.issue}"
    return ", ".join(
        f"{what} ({token if token in text else 'at the end'})"
        for token, what in known.items()
        if token in text or token == ISSUE
    )


def _text(desired: "Desired", task: "Task", index: int, work: "Assignment", runs: "Sequence[RunRow]") -> str:
    """The prompt. Raises ReconcilerError when it cannot be made."""
    from reconciler.act.brief import prompt as told
    from reconciler.prompts.render import BadTemplate

    project = desired.projects.get(task.project)
    if project is None:
        raise ReconcilerError(f"there is no project {task.project}, which {task.name} names: run `reconciler validate`")
    try:
        return told(task, project, work, task.steps[index].request, desired.prompts, runs)
    except KeyError:
        message = f"there is no template {task.template.name}, which {task.name} names: run `reconciler validate`"
        raise ReconcilerError(message) from None
    except BadTemplate as problem:
        raise ReconcilerError(f"template {task.template.name}, line {problem.line}: {problem}") from None


def _chosen(desired: "Desired", ledger: "Ledger", task: "Task", step: int | None) -> "tuple[int, Assignment]":
    """The step that is meant and where it works, as far as the ledger knows. Raises UsageError for no step of it."""
    from reconciler.clock import now
    from reconciler.decide.scene import look
    from reconciler.decide.steps import Standing, legs, standing
    from reconciler.decide.work import assignment, ground
    from reconciler.model.change import Options

    scene = look(desired, {}, ledger.memory(), now(), Options())
    at = standing(scene, task)
    if step is not None:
        if step >= len(task.steps):
            last = len(task.steps) - 1
            raise UsageError(f"{task.name} has no step {step}: --step goes from 0, the task itself, to {last}")
        leg = tuple(legs(scene, task))[step]
        at = Standing(leg, chain=leg.chain)
    agent = (*at.leg.crew, task.agent)[0]
    assert agent is not None
    return at.leg.index, assignment(at, ground(scene, at), agent, None)
