"""The keys about agents' work become the model's nouns. Pure; a schema has accepted everything."""

import re
from collections.abc import Mapping
from typing import Any

from reconciler.load.digest import digest, follow_ups
from reconciler.model.task import AgentRef, Qa, QaStep, Secret, Start, StartKind, Step, Template

STARTS = {"branch": StartKind.BRANCH, "tag": StartKind.TAG, "pullRequest": StartKind.PULL}
LONGEST_NAME = 40  # of a step that is called after its script


def steps(task: str, spec: Mapping[str, Any]) -> tuple[Step, ...]:
    """Take a task's name and its spec as written; return its steps, the follow-ups behind the task itself."""
    requests = [entry["request"] for entry in spec.get("followUps", ())]
    later = zip(follow_ups(task, requests), requests, strict=True)
    return (Step(digest(spec)), *(Step(found, request) for found, request in later))


def agent_ref(text: str) -> AgentRef:
    """Take `name` or `name:variant` and return both parts."""
    name, _, variant = text.partition(":")
    return AgentRef(name, variant)


def qa(spec: Mapping[str, Any]) -> Qa | None:
    """Take a spec and return what work has to pass; None when it does not say."""
    if "qa" not in spec:
        return None
    if spec["qa"] == "auto":
        return Qa(auto=True)
    given = [step if isinstance(step, dict) else {"run": step} for step in spec["qa"]]
    taken = {step["name"] for step in given if "name" in step}
    found = []
    for step in given:
        name = step.get("name") or _name(step["run"], taken)
        taken.add(name)
        found.append(QaStep(name, step["run"]))
    return Qa(steps=tuple(found))


def start(spec: Mapping[str, Any]) -> Start | None:
    """Take a Task's spec and return what its worktree starts from; None for the project's base branch."""
    base = spec.get("base", {})
    return next((Start(kind, str(base[key])) for key, kind in STARTS.items() if key in base), None)


def template(spec: Mapping[str, Any]) -> Template:
    """Take a Task's spec and return its template with what fills it."""
    given = spec.get("template", {})
    variables = given.get("variables", {})
    return Template(given.get("name", Template().name), given.get("persona", ""), variables)


def secrets(spec: Mapping[str, Any]) -> tuple[Secret, ...]:
    """Take a spec and return its secrets."""
    return tuple(_secret(item) for item in spec.get("secrets", ()))


def _secret(item: str | Mapping[str, str]) -> Secret:
    if isinstance(item, str):
        return Secret(item, item)
    return Secret(item["name"], item.get("from", item["name"]))


def _name(script: str, taken: set[str]) -> str:
    """What a step without a name is called: its first words, as a name, with a number when another is called so."""
    lines = [line for line in script.splitlines() if line.strip() and not line.startswith("#")]
    words = re.sub(r"[^a-z0-9]+", "-", lines[0].lower())[:LONGEST_NAME].strip("-") if lines else ""
    plain = words or "step"
    numbered = (f"{plain}-{number}" for number in range(2, len(taken) + 3))
    return next(name for name in (plain, *numbered) if name not in taken)
