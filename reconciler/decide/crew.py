"""Which agents may work on a step, and which one worked on a run."""

from reconciler.decide.scene import Known, Scene
from reconciler.model.task import AgentRef, Task


def crew(scene: Scene, task: Task, origin: Known | None) -> tuple[AgentRef, ...]:
    """Takes a task and the run whose work is gone on with; returns who may do it, the first choice in front.

    A follow-up stays with the agent that the step before it really had. Empty for a script of the task's own, and
    when its agent is not declared.
    """
    agents = scene.desired.agents
    if not task.project or task.agent is None:
        return ()
    wanted = task.agent
    if origin is not None and (used := agent_of(scene, origin)) and used.name in agents:
        wanted = used
    if wanted.name not in agents:
        return ()
    others = (name for name in agents[wanted.name].fallback if name in agents and name != wanted.name)
    return (wanted, *map(AgentRef, dict.fromkeys(others)))


def agent_of(scene: Scene, known: Known) -> AgentRef | None:
    """Takes a run; returns who works on it: as its host or the ledger knows, else as its task says now."""
    task = scene.desired.tasks.get(known.name.task)
    named = task.agent if task and task.project else None
    if not known.agent:
        return named
    # The host does not tell the variant: until the result is here, a ledger that was lost knows it from the task.
    variant = known.variant or (named.variant if named and named.name == known.agent else "")
    return AgentRef(known.agent, variant)
