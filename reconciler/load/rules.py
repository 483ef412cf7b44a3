"""Rules of one document that a schema cannot say well. Pure."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from reconciler.load.complaint import Complaint
from reconciler.load.units import seconds


def rules(kind: str, spec: Mapping[str, Any]) -> tuple[Complaint, ...]:
    """Take a kind and a spec that its schema accepts, and return what is still wrong with it."""
    match kind:
        case "Host":
            return tuple(_host(spec))
        case "Task":
            return tuple(_task(spec))
    return tuple(_fleet(spec))


def backoff(retries: Mapping[str, Any], path: tuple[str, ...]) -> list[Complaint]:
    """Take merged retries and the path to complain about; the first wait must not be longer than the longest."""
    first, longest = retries.get("backoff", "30s"), retries.get("maxBackoff", "30m")
    if seconds(first) <= seconds(longest):
        return []
    return [Complaint(path, f"backoff is {first}, longer than maxBackoff, {longest}", "raise maxBackoff")]


def _fleet(spec: Mapping[str, Any]) -> list[Complaint]:
    retries = spec.get("defaults", {}).get("task", {}).get("retries", {})
    return backoff(retries, ("spec", "defaults", "task", "retries"))


def _host(spec: Mapping[str, Any]) -> list[Complaint]:
    if spec.get("transport", "ssh") == "ssh" and "address" not in spec:
        hint = "write `address: NAME`, or `transport: local` for this machine"
        return [Complaint(("spec", "address"), "is missing", hint)]
    return []


def _task(spec: Mapping[str, Any]) -> list[Complaint]:
    found = []
    if "host" in spec and "hostSelector" in spec:
        found.append(Complaint(("spec", "hostSelector"), "a task has host or hostSelector, not both", "remove one"))
    names = Counter(item if isinstance(item, str) else item["name"] for item in spec.get("secrets", ()))
    for name, count in names.items():
        if count > 1:
            found.append(Complaint(("spec", "secrets"), f"the secret {name} is given twice", "keep one of them"))
    return found
