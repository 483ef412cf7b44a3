"""Something wrong in the fleet repository, with its place."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """Only errors make a fleet invalid."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Source:
    """Where something was declared: the path inside the repository and a line, from 1."""

    file: str
    line: int = 1


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One sentence about one place; `path` is the key (`spec.retries.limit`), `hint` what to do."""

    file: str
    line: int
    column: int
    path: str
    message: str
    hint: str = ""
    severity: Severity = Severity.ERROR
    excerpt: str = ""  # the source line, values under env and secrets replaced by `…`
