"""How a worker is started that is not a script of the task's own."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from reconciler.model.problem import Source
from reconciler.model.task import Secret


@dataclass(frozen=True, slots=True)
class Agent:
    """An Agent document, or a tool with its defaults (then `source.file` is empty)."""

    name: str
    tool: str  # a name in the registry of reconciler/agents
    model: str = ""
    args: tuple[str, ...] = ()
    command: tuple[str, ...] = ()  # of the tool `command`
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[Secret, ...] = ()
    max_concurrent: int | None = None  # active runs in the fleet, whatever variant
    variants: Mapping[str, int] = field(default_factory=dict)  # variant -> active runs of it in the fleet
    fallback: tuple[str, ...] = ()  # Agents to try next on RateLimited, QuotaExceeded and AuthFailed
    budget_usd: float | None = None  # per task
    source: Source = Source("")
