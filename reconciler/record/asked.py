"""What run.json says of a run that was asked for. Pure."""

import json
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Asked:
    """What run.json says of an agent's run."""

    tool: str = ""  # empty: a script of the task's own
    agent: str = ""
    variant: str = ""
    branch: str = ""
    qa: bool = False  # its work has to pass checks


def asked_of(run_json: bytes | None) -> Asked:
    """Takes run.json; returns what it says, nothing when it cannot be read."""
    try:
        said = json.loads(run_json or b"{}")
        words = {key: said.get(key) or "" for key in ("tool", "agent", "variant", "branch")}
    except (ValueError, AttributeError, RecursionError):
        return Asked()
    if not all(isinstance(word, str) for word in words.values()):
        return Asked()
    return Asked(**words, qa=bool(said.get("qa")))
