"""What run.json says of a run that was asked for. Pure."""

from dataclasses import dataclass

from reconciler.agents.values import decoded, parse

LONGEST = 250  # characters of a name or branch


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
    said = parse(decoded(run_json))
    if not isinstance(said, dict):
        return Asked()
    words = {key: said.get(key) or "" for key in ("tool", "agent", "variant", "branch")}
    if not all(isinstance(word, str) and len(word) <= LONGEST for word in words.values()):
        return Asked()
    return Asked(**words, qa=bool(said.get("qa")))
