"""Small fleets to begin with, and the edits that people commit."""

import zlib
from dataclasses import replace
from random import Random

from reconciler.model.agent import Agent
from reconciler.model.desired import Desired
from reconciler.model.fleet import DAY, Fleet, Retention
from reconciler.model.host import Host
from reconciler.model.project import Project
from reconciler.model.task import AgentRef, Retries, Step, Task

RETENTION = Retention(runs=1_000, age=100 * 365 * DAY)  # nothing goes by retention: whatever goes must have left git


def digest(word: str) -> str:
    """Eight hex digits for a word."""
    return f"{zlib.crc32(word.encode()):08x}"


def fleet(random: Random) -> Desired:
    """One to three hosts, one to six tasks, mostly few: what goes wrong at all goes wrong in small fleets, too."""
    names = [f"h{n + 1}" for n in range(random.choice([1, 2, 2, 2, 3]))]
    hosts = {name: Host(name, address=f"m{name[1:]}", slots=random.randint(1, 3)) for name in names}
    tasks = {name: task(name, random) for name in "abcdef"[: random.choice([1, 2, 2, 3, 3, 4, 6])]}
    if "c" in tasks and random.random() < 0.3:
        tasks["c"] = replace(tasks["c"], depends_on=("a",))
    agents = {"crew": Agent("crew", "command", command=("crew",), max_concurrent=random.choice([None, 1]))}
    projects = {"web": Project("web", "git@example:web")}
    return Desired("", Fleet("simulated", "simulated-fleet", retention=RETENTION), hosts, tasks, projects, agents)


def task(name: str, random: Random) -> Task:
    """A script, or an agent's work with a follow-up."""
    retries = Retries(random.choice([0, 0, 1, 2]), 5, 20)
    if random.random() < 0.15:
        steps = tuple(Step(digest(f"{name}{n}"), "more" * n) for n in range(random.randint(1, 2)))
        return Task(name, steps, project="web", agent=AgentRef("crew"), prompt="Work.", retries=retries)
    pinned = random.choice(["", "", "", "h1"])
    return Task(name, (Step(digest(name)),), script="true", retries=retries, host=pinned)
