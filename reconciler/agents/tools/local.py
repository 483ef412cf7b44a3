"""codex with a model of one's own, served by Ollama."""

from dataclasses import replace

from reconciler.agents.adapter import Adapter, Command, Order
from reconciler.agents.tools import codex

MODEL = "devstral-24b"


def command(order: Order) -> Command:
    """As codex, which asks Ollama on the host."""
    return codex.started(order, order.variant or order.model or MODEL, "--oss", "--local-provider", "ollama")


ADAPTER: Adapter = replace(
    codex.ADAPTER,
    name="local",
    command=command,
    flags=(*codex.ADAPTER.flags, "--oss", "--local-provider"),
)
