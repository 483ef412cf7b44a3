"""Which program of a host starts an agent."""

from reconciler.model.agent import Agent
from reconciler.model.desired import Desired


def program(agent: Agent) -> str:
    """Takes an Agent; returns what has to be on the PATH of its host, empty where that cannot be said."""
    from reconciler.agents.registry import adapter, names  # fleets of scripts need none of it

    if agent.tool not in names():
        return ""
    wanted = adapter(agent.tool).program or (agent.command[0] if agent.command else "")
    return "" if "/" in wanted or "~" in wanted else wanted


def wanted_programs(desired: Desired) -> frozenset[str]:
    """Takes the documents; returns the programs that open tasks may need."""
    named = {task.agent.name for task in desired.tasks.values() if task.agent and task.project and not task.closed}
    chosen = [desired.agents[name] for name in named if name in desired.agents]
    chosen += [desired.agents[name] for agent in chosen for name in agent.fallback if name in desired.agents]
    return frozenset(program(agent) for agent in chosen) - {""}
