"""`reconciler task prompt`: what an agent would be told."""

import sys
from typing import TYPE_CHECKING

import click

from reconciler.cli.arguments import bare
from reconciler.cli.completion import names
from reconciler.cli.context import Context
from reconciler.errors import ReconcilerError, UsageError

if TYPE_CHECKING:
    from reconciler.model.change import Assignment
    from reconciler.model.desired import Desired
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
        index = _next(desired, ledger, task) if step is None else step
        if index >= len(task.steps):
            last = len(task.steps) - 1
            raise UsageError(f"{name} has no step {index}: --step goes from 0, the task itself, to {last}")
        text = _text(desired, task, index, _assignment(ledger, task, index))
    if sys.stdout.isatty():
        from reconciler.show.escape import safe_lines

        text = safe_lines(text)
    click.echo(text, nl=text[-1:] != "\n")
    if task.issue is not None:
        click.echo(f"note: the host adds title and text of issue #{task.issue}", err=True)


def _text(desired: "Desired", task: "Task", index: int, work: "Assignment") -> str:
    """The prompt. Raises ReconcilerError when it cannot be made."""
    from reconciler.act.brief import prompt as told
    from reconciler.prompts.render import BadTemplate

    project = desired.projects.get(task.project)
    if project is None:
        raise ReconcilerError(f"there is no project {task.project}, which {task.name} names: run `reconciler validate`")
    try:
        return told(task, project, work, task.steps[index].request, desired.prompts)
    except KeyError:
        message = f"there is no template {task.template.name}, which {task.name} names: run `reconciler validate`"
        raise ReconcilerError(message) from None
    except BadTemplate as problem:
        raise ReconcilerError(f"template {task.template.name}, line {problem.line}: {problem}") from None


def _next(desired: "Desired", ledger: "Ledger", task: "Task") -> int:
    """The first step that has not ended for good, as far as the ledger knows; the last one when all have."""
    from reconciler.clock import now
    from reconciler.decide.scene import look
    from reconciler.decide.steps import standing
    from reconciler.model.change import Options

    return standing(look(desired, {}, ledger.memory(), now(), Options()), task).index


def _assignment(ledger: "Ledger", task: "Task", index: int) -> "Assignment":
    """Branch and pull request as far as they are known: a follow-up goes on with those of the work before it."""
    from reconciler.model.change import Assignment

    assert task.agent is not None
    digests = [step.digest for step in task.steps[: index + 1]]
    runs = [run for run in ledger.run_rows(task.name, include_cleaned=True) if run.digest in digests and run.branch]
    before = max(runs, key=lambda run: (digests.index(run.digest), run.attempt), default=None)
    if index == 0 or before is None:
        attempts = [run.attempt for run in ledger.run_rows(task.name, include_cleaned=True) if run.digest == digests[0]]
        name = f"{task.name}-{digests[0]}-{max(attempts, default=0) + (index == 0 or not attempts)}"
        return Assignment(task.agent, name, f"reconciler/{name}")
    tree = before.worktree.rpartition("/")[2]
    return Assignment(task.agent, tree, before.branch, pull_request_url=before.pull_request_url)
