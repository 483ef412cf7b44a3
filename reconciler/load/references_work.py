"""What documents say about projects and agents, and the tools that serve as Agents without a document. Pure."""

from collections.abc import Collection, Iterable, Mapping

from reconciler.load.build_work import agent_ref
from reconciler.load.complaint import Complaint
from reconciler.load.documents import Document, Slot
from reconciler.load.gather import FLEET
from reconciler.load.references import Reference, hint
from reconciler.model.agent import Agent
from reconciler.model.task import AgentRef, Task

COMMAND = "command"  # the tool that does nothing without a document
DEFAULT = ("spec", "defaults", "task", "agent")


def tools() -> tuple[str, ...]:
    """Return the tools that work with their defaults."""
    from reconciler.agents.registry import names  # fleets without agents never need it

    return tuple(name for name in names() if name != COMMAND)


def unknown(
    good: Mapping[Slot, Document], tasks: Mapping[str, Task], agents: Mapping[str, Agent], declared: Collection[Slot]
) -> list[Reference]:
    """Take the good documents, the tasks and agents among them, and all declared slots; return what names nothing."""
    wrong = []
    projects = {name for kind, name in declared if kind == "Project"}
    for name, task in tasks.items():
        if task.project and task.project not in projects:
            said = Complaint(("spec", "project"), f"there is no Project {task.project}", hint(task.project, projects))
            wrong.append(Reference(("Task", name), said))
    named = [task.agent.name for task in tasks.values() if task.agent]
    default = _default(good)
    if not named and not agents and default is None:
        return wrong
    known = {name for kind, name in declared if kind == "Agent"} | set(tools())
    for name, task in tasks.items():
        if task.agent and task.agent.name not in known and "agent" in good["Task", name].spec:
            wrong.append(Reference(("Task", name), _no_agent(("spec", "agent"), task.agent.name, known)))
    for name, agent in agents.items():
        for index, other in enumerate(agent.fallback):
            place = ("spec", "fallback", index)
            if other == name:
                said = Complaint(place, "an Agent cannot be its own fallback", "name another one")
                wrong.append(Reference(("Agent", name), said))
            elif other not in known:
                wrong.append(Reference(("Agent", name), _no_agent(place, other, known)))
    if default is not None and default.name not in known:
        wrong.append(Reference(FLEET, _no_agent(DEFAULT, default.name, known), ()))  # its tasks wait; the rest goes on
    return wrong


def nobody(tasks: Mapping[str, Task]) -> list[Reference]:
    """Take the good tasks and return those for which nobody says who works."""
    advice = "write for example `agent: claude`, here or in the Fleet's defaults.task"
    said = Complaint(("spec", "agent"), "is missing: say who works", advice)
    return [Reference(("Task", name), said) for name, task in tasks.items() if task.project and task.agent is None]


def with_tools(
    agents: Mapping[str, Agent], tasks: Iterable[Task], default: str, declared: Collection[Slot]
) -> dict[str, Agent]:
    """Take the Agents and tasks that stand, the fleet's default agent and all declared slots; return the Agents, with
    every tool that is named without a document."""
    wanted = {task.agent.name for task in tasks if task.agent}
    wanted |= {agent_ref(default).name} if default else set()
    wanted |= {other for agent in agents.values() for other in agent.fallback}
    wanted = {name for name in wanted - agents.keys() if ("Agent", name) not in declared}
    known = tools() if wanted else ()
    made = {name: Agent(name, name) for name in wanted if name in known}
    return dict(sorted({**agents, **made}.items()))


def _default(good: Mapping[Slot, Document]) -> AgentRef | None:
    fleet = good.get(FLEET)
    text = fleet.spec.get("defaults", {}).get("task", {}).get("agent") if fleet else None
    return agent_ref(text) if text else None


def _no_agent(place: tuple[str | int, ...], name: str, known: Collection[str]) -> Complaint:
    advice = hint(name, known)
    if name == COMMAND:
        advice = "write an Agent with `tool: command` that says which command, and name that"
    return Complaint(place, f"there is no Agent {name}", advice)
