"""A repository that workers work in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from reconciler.model.problem import Source
from reconciler.model.task import Qa, Secret


class Fork(StrEnum):
    """Whether work is pushed to a fork: `AUTO` when the host's GitHub login cannot push to the repository."""

    NEVER = "never"
    AUTO = "auto"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True)
class Project:
    """A Project document; of `repoUrl` and `gitUrl` the one that was not written follows from the other."""

    name: str
    git_url: str  # whatever `git clone` takes on the host
    repo_url: str = ""  # for people and `gh`; empty when the git URL tells of none
    base_branch: str = ""  # empty: the remote's HEAD
    fork: Fork = Fork.NEVER
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[Secret, ...] = ()
    setup: str = ""  # a script, run once in every new worktree
    qa: Qa | None = None
    source: Source = Source("")
