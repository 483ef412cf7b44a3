"""What one commit of the fleet repository asks for."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from reconciler.model.agent import Agent
from reconciler.model.fleet import Fleet
from reconciler.model.host import Host
from reconciler.model.problem import Problem
from reconciler.model.project import Project
from reconciler.model.task import Task
from reconciler.model.trust import Refusal


@dataclass(frozen=True, slots=True)
class Desired:
    """All documents of a commit, resolved. A document that is wrong now stands at its last good version."""

    revision: str  # the commit id
    fleet: Fleet
    hosts: Mapping[str, Host] = field(default_factory=dict)
    tasks: Mapping[str, Task] = field(default_factory=dict)
    projects: Mapping[str, Project] = field(default_factory=dict)
    agents: Mapping[str, Agent] = field(default_factory=dict)  # documents, and tools that tasks name without one
    prompts: Mapping[str, str] = field(default_factory=dict)  # name -> text of the fleet's own prompt templates
    frozen: Mapping[str, str] = field(default_factory=dict)  # task name -> why its last good version stands
    invalid: Mapping[str, str] = field(default_factory=dict)  # task name -> why it has no version at all
    complete: bool = True  # False: a file cannot be read to the point of knowing what it names
    problems: tuple[Problem, ...] = ()
    unreadable: tuple[str, ...] = ()  # the files that make it incomplete
    refused: Refusal | None = None  # a newer commit, and why this one stands in its place
