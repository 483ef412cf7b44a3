"""What one request (a plan, a reconcile, a wait) came to."""

from dataclasses import dataclass

from reconciler.model.change import Outcome, Plan
from reconciler.model.problem import Problem
from reconciler.model.trust import Refusal


@dataclass(frozen=True, slots=True)
class Report:
    """The last plan, everything done on the way to it, and the exit code it means."""

    revision: str
    plan: Plan
    outcomes: tuple[Outcome, ...] = ()
    problems: tuple[Problem, ...] = ()
    exit_code: int = 0
    exit_name: str = "ok"
    uncommitted: tuple[str, ...] = ()  # files changed but not committed, which nothing looked at
    refused: Refusal | None = None  # a newer commit that is not acted on
