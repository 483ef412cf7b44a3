"""Everything that a prompt template can say. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

WORKTREE = "@RECONCILER_WORKTREE@"  # the host writes the path here once it knows it
BASE_BRANCH = "@RECONCILER_BASE_BRANCH@"  # and here the branch that the remote's HEAD names

ISSUE = "@RECONCILER_ISSUE@"  # and here what the issue says; at the end of the prompt where no template has it


@dataclass(frozen=True, slots=True)
class Brief:
    """What a worker is told about its task; each field is a variable of the templates, empty when there is nothing."""

    prompt: str  # the task's own
    task: str = ""
    title: str = ""
    description: str = ""
    request: str = ""  # of a follow-up
    before: str = ""  # of a follow-up: how the work before it ended, and what it said or asked
    project: str = ""
    repo_url: str = ""
    git_url: str = ""
    base_branch: str = BASE_BRANCH
    start: str = ""  # what the worktree starts from when it is not the base branch: `tag v1.2`, `pull request 7`
    branch: str = ""
    worktree: str = WORKTREE
    pull_request_url: str = ""  # that exists already
    issue: int | None = None
    issue_text: str = ""
    persona: str = ""  # goes in front of the prompt unless the template says where

    def values(self) -> Mapping[str, str]:
        """What a template is filled with, by name."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: "" if value is None else str(value) for name, value in found.items()}


NAMES = frozenset(field.name for field in fields(Brief))
