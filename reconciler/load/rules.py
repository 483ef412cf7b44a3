"""Rules of one document that a schema cannot say well. Pure."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from reconciler.load import signers, urls
from reconciler.load.complaint import Complaint, closest, quoted
from reconciler.load.units import seconds

AGENTS_WORK = ("project", "agent", "prompt")  # in place of `run`
OF_AGENTS = ("followUps", "qa", "base", "issue", "template")  # what a script has no use for


def rules(kind: str, spec: Mapping[str, Any]) -> tuple[Complaint, ...]:
    """Take a kind and a spec that its schema accepts, and return what is still wrong with it."""
    match kind:
        case "Host":
            return tuple(_host(spec))
        case "Task":
            return tuple(_task(spec))
        case "Project":
            return (*urls.complaints(spec), *_qa(spec), *_secrets(spec))
        case "Agent":
            return (*_agent(spec), *_secrets(spec))
    return tuple(_fleet(spec))


def backoff(retries: Mapping[str, Any], path: tuple[str, ...]) -> list[Complaint]:
    """Take merged retries and the path to complain about; the first wait must not be longer than the longest."""
    first, longest = retries.get("backoff", "30s"), retries.get("maxBackoff", "30m")
    if seconds(first) <= seconds(longest):
        return []
    return [Complaint(path, f"backoff is {first}, longer than maxBackoff, {longest}", "raise maxBackoff")]


def _fleet(spec: Mapping[str, Any]) -> list[Complaint]:
    retries = spec.get("defaults", {}).get("task", {}).get("retries", {})
    return [*backoff(retries, ("spec", "defaults", "task", "retries")), *signers.complaints(spec)]


def _host(spec: Mapping[str, Any]) -> list[Complaint]:
    if spec.get("transport", "ssh") == "ssh" and "address" not in spec:
        hint = "write `address: NAME`, or `transport: local` for this machine"
        return [Complaint(("spec", "address"), "is missing", hint)]
    return []


def _agent(spec: Mapping[str, Any]) -> list[Complaint]:
    from reconciler.agents.registry import names  # fleets without agents never need it

    tool, known = spec["tool"], names()
    if tool not in known:
        meant = closest(tool, known)
        hint = f"did you mean {meant}?" if meant else f"known are {', '.join(known)}"
        return [Complaint(("spec", "tool"), f'unknown tool "{quoted(tool)}"', hint)]
    if tool == "command" and "command" not in spec:
        return [Complaint(("spec", "command"), "is missing", "write the program and its words: `command: [my-agent]`")]
    if tool == "command" and not spec["command"][0].strip():
        return [Complaint(("spec", "command", 0), "is empty", "the first word is the program")]
    if tool != "command" and "command" in spec:
        message = f"belongs to the tool command, this one is {tool}"
        return [Complaint(("spec", "command"), message, "write `tool: command`, or use args")]
    return []


def _task(spec: Mapping[str, Any]) -> list[Complaint]:
    found = _work(spec)
    if "host" in spec and "hostSelector" in spec:
        found.append(Complaint(("spec", "hostSelector"), "a task has host or hostSelector, not both", "remove one"))
    base = [key for key in ("branch", "tag", "pullRequest") if key in spec.get("base", {})]
    if "base" in spec and not base:
        found.append(Complaint(("spec", "base"), "is empty", "give one of branch, tag and pullRequest"))
    if len(base) > 1:
        message = f"a base is a branch, a tag or a pullRequest, not {' and '.join(base)}"
        found.append(Complaint(("spec", "base", base[1]), message, "keep one of them"))
    return [*found, *_qa(spec), *_secrets(spec)]


def _work(spec: Mapping[str, Any]) -> list[Complaint]:
    """What is wrong with who does the work; that an agent is missing is known only with the fleet's defaults."""
    others = [key for key in AGENTS_WORK if key in spec]
    if "run" in spec:
        if others:
            message = f"a task has run, or project, agent and prompt, not run and {others[0]}"
            return [Complaint(("spec", others[0]), message, "remove one")]
        hint = "remove it, or give project, agent and prompt in place of run"
        return [
            Complaint(("spec", key), "belongs to the work of an agent, this task has run", hint)
            for key in OF_AGENTS
            if key in spec
        ]
    if not others:
        return [Complaint(("spec", "run"), "is missing", "write `run:` with a script, or project, agent and prompt")]
    found = []
    if "project" not in spec:
        hint = "name the Project that it works in; a script without one is `run`"
        found.append(Complaint(("spec", "project"), f"is missing: a task with {others[0]} works in a project", hint))
    if "prompt" not in spec:
        hint = "write `prompt:`"
        found.append(Complaint(("spec", "prompt"), "is missing: an agent has to be told what to do", hint))
    return found


def _qa(spec: Mapping[str, Any]) -> list[Complaint]:
    steps = spec.get("qa", ())
    names = Counter(step["name"] for step in steps if isinstance(step, dict) and "name" in step)
    return [
        Complaint(("spec", "qa"), f"the step {name} is given twice", "rename one of them")
        for name, count in names.items()
        if count > 1
    ]


def _secrets(spec: Mapping[str, Any]) -> list[Complaint]:
    names = Counter(item if isinstance(item, str) else item["name"] for item in spec.get("secrets", ()))
    return [
        Complaint(("spec", "secrets"), f"the secret {name} is given twice", "keep one of them")
        for name, count in names.items()
        if count > 1
    ]
