"""What makes two versions of a task the same work: version 1 of the algorithm. Pure, and pinned by golden tests."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

VERSION = 1  # another algorithm gets another number, and keeps this one for what has already run
KEYS = ("run", "prompt", "template", "project", "agent", "env", "secrets", "base", "issue", "rerun")


def digest(spec: Mapping[str, Any]) -> str:
    """Take a Task's spec as written and return the 8 hex digits that name its work; defaults never count."""
    return _hash({key: _counted(key, spec[key]) for key in KEYS if key in spec})


def rerun_key(spec: Mapping[str, Any]) -> str:
    """Take a Task's spec and return 8 hex digits over its `rerun`, `-` without one."""
    return _hash(spec["rerun"]) if "rerun" in spec else "-"


def follow_ups(task: str, requests: Sequence[str]) -> tuple[str, ...]:
    """Take a task's name and what its follow-ups ask for, and return the 8 hex digits that name each of them.

    They depend on how many equal requests come before, and on no others: entries may be put in, moved and removed."""
    seen: Counter[str] = Counter()
    found = []
    for request in requests:
        found.append(_hash(["follow-up", task, request, seen[request]]))  # a list: no task is hashed as one
        seen[request] += 1
    return tuple(found)


def _counted(key: str, value: Any) -> Any:
    if key == "secrets" and isinstance(value, list):
        return [_without_notes(item) for item in value]
    return _without_notes(value) if key in ("template", "base") else value


def _without_notes(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {name: part for name, part in value.items() if not name.startswith("x-")}


def _hash(value: Any) -> str:
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:8]
