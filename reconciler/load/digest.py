"""What makes two versions of a task the same work: version 1 of the algorithm. Pure, and pinned by golden tests."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

VERSION = 1  # another algorithm gets another number, and keeps this one for what has already run
KEYS = ("run", "prompt", "template", "project", "agent", "env", "secrets", "base", "issue", "rerun")


def digest(spec: Mapping[str, Any]) -> str:
    """Take a Task's spec as written and return the 8 hex digits that name its work; defaults never count."""
    return _hash({key: _counted(key, spec[key]) for key in KEYS if key in spec})


def rerun_key(spec: Mapping[str, Any]) -> str:
    """Take a Task's spec and return 8 hex digits over its `rerun`, `-` without one."""
    return _hash(spec["rerun"]) if "rerun" in spec else "-"


def _counted(key: str, value: Any) -> Any:
    if key != "secrets" or not isinstance(value, list):
        return value
    return [
        {name: part for name, part in item.items() if not name.startswith("x-")} if isinstance(item, dict) else item
        for item in value
    ]


def _hash(value: Any) -> str:
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:8]
