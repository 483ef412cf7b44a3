"""A task, its project and who shall work on it → what the worker is told. Pure."""

from collections.abc import Iterable, Mapping

from reconciler.model.change import Assignment
from reconciler.model.project import Project
from reconciler.model.rows import RunRow
from reconciler.model.task import Start, StartKind, Task
from reconciler.prompts.brief import BASE_BRANCH, ISSUE, Brief
from reconciler.prompts.builtin import template
from reconciler.prompts.render import render

_KINDS = {StartKind.BRANCH: "branch", StartKind.TAG: "tag", StartKind.PULL: "pull request"}


def prompt(
    task: Task, project: Project, work: Assignment, request: str, templates: Mapping[str, str], runs: Iterable[RunRow]
) -> str:
    """The text of prompt.md; `request`: what the follow-up asks for, empty for the task itself.

    `templates` are the fleet's own, by name; `runs`: the task's, for what was said before. Raises KeyError for a
    template that nobody has, BadTemplate.
    """
    text = template(task.template.name, templates)
    return render(text, brief(task, project, work, request, _ended(work.after, runs)), task.template.variables)


def brief(task: Task, project: Project, work: Assignment, request: str = "", before: str = "") -> Brief:
    """What templates can say of it; what the host alone knows stands there as a token."""
    return Brief(
        prompt=task.prompt,
        task=task.name,
        title=task.title,
        description=task.description,
        request=request,
        before=before,
        project=project.name,
        repo_url=project.repo_url,
        git_url=project.git_url,
        base_branch=project.base_branch or BASE_BRANCH,
        start=_start(task.start),
        branch=work.branch,
        pull_request_url=work.pull_request_url,
        issue=task.issue,
        issue_text=ISSUE if task.issue else "",
        persona=task.template.persona,
    )


def _start(start: Start | None) -> str:
    return f"{_KINDS[start.kind]} {start.name}" if start else ""


def _ended(name: str, runs: Iterable[RunRow]) -> str:
    """`Blocked: May sessions end?`; nothing when it is not known, or said nothing."""
    run = next((run for run in runs if run.name == name), None)
    return f"{run.state}: {run.summary}" if run and run.summary else ""
