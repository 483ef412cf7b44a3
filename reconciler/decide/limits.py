"""What limits agents: the time they cool down, how many of their runs live at once, what a task may cost."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from reconciler.decide import words
from reconciler.decide.crew import agent_of
from reconciler.decide.scene import TELLING, Known, Scene
from reconciler.decide.slots import Slots, slots
from reconciler.decide.steps import DENIED, NO_ATTEMPT, Leg
from reconciler.model.agent import Agent
from reconciler.model.change import Change
from reconciler.model.run import State
from reconciler.model.task import AgentRef, Task

SHORTEST, LONGEST = 300, 3600  # seconds that an agent cools down for when nobody said how long
AGAIN = 15  # seconds, doubled: when it was told how long, and was turned away once more after that

# Ends that say nothing about an agent's limits: it was never reached.
_UNREACHED = frozenset({DENIED, "PrepareFailed"})


class Cooling(NamedTuple):
    """Until when nothing of an agent starts, and the run that ended because of its limits."""

    until: float
    run: Known


class Refusal(NamedTuple):
    """Why an agent takes nothing now. `crowded`: it would, but for other runs of it; `cools`: its vendor said no."""

    why: str
    until: float | None = None
    person: bool = False
    crowded: bool = False
    cools: bool = False


@dataclass(frozen=True, slots=True)
class Room:
    """What is taken so far in this cycle; what it launches counts."""

    slots: Slots
    agents: Counter[str]  # `name`, and `name:variant` -> living and possible runs
    cooling: Mapping[str, Cooling]

    def take(self, launch: Change) -> None:
        """Count a launch of this cycle."""
        self.slots.take(launch.host)
        if launch.work:
            self.agents.update(_counted_as(launch.work.agent))


def room(scene: Scene) -> Room:
    """Takes a scene; returns what is taken before this cycle starts anything."""
    agents: Counter[str] = Counter()
    for known in scene.runs:
        # Until its output was read, nobody knows whether its agent was turned away: it keeps its place.
        if (known.result is None or known.untold) and (ref := agent_of(scene, known)):
            agents.update(_counted_as(ref))
    return Room(slots(scene), agents, cooling(scene))


def cooling(scene: Scene) -> dict[str, Cooling]:
    """Takes a scene; returns the agents whose newest limited run says that they have to wait, and until when."""
    named = {ref.name for known in scene.runs if _limited(known) and (ref := agent_of(scene, known))}
    ended: dict[str, dict[str, Known]] = {}
    for known in scene.runs if named else ():
        result, ref = known.result, agent_of(scene, known)
        if not (ref and ref.name in named and result):
            continue
        if result.state in (State.BLOCKED, *TELLING) and result.reason not in _UNREACHED:
            ended.setdefault(ref.name, {})[known.id] = known
    found = {}
    for name, runs in ended.items():
        if not any(map(_limited, runs.values())):
            continue
        newest_first = sorted(runs.values(), key=lambda known: (-_end(known), known.id))
        while newest_first and not _limited(newest_first[0]):
            newest_first.pop(0)
        if newest_first:
            found[name] = Cooling(_until(newest_first), newest_first[0])
    return {name: one for name, one in found.items() if one.until > scene.now}


def spent(scene: Scene, task: Task) -> float:
    """Takes a task; returns `costUsd`: what all its runs together have cost, as far as their tools said."""
    costs = {known.id: known.memory.cost_usd for known in scene.tasks.get(task.name, ()) if known.memory}
    return sum(cost for _, cost in sorted(costs.items()) if cost is not None)


def candidates(leg: Leg) -> tuple[AgentRef, ...]:
    """Takes a step; returns who may be tried: those that were not let in only once nobody else is left."""
    return tuple(ref for ref in leg.crew if ref.name not in leg.denied) or leg.crew


def refusals(scene: Scene, leg: Leg, taken: Room) -> tuple[AgentRef | None, tuple[Refusal, ...]]:
    """Takes a step and what is taken so far; returns the agent to start, or None and why each does not.

    The next one is tried where the vendor of the one before it said no; our own limits are waited for.
    """
    found: list[Refusal] = []
    for ref in candidates(leg):
        refusal = _refusal(scene, leg.task, ref, taken)
        if refusal is None:
            return ref, ()
        found.append(refusal)
        if not refusal.cools:
            break
    return None, tuple(found)


def _refusal(scene: Scene, task: Task, ref: AgentRef, taken: Room) -> Refusal | None:
    agent, cost = scene.desired.agents[ref.name], spent(scene, task)
    if agent.budget_usd is not None and cost >= agent.budget_usd:
        budget = f"budgetUsd {words.amount(agent.budget_usd)} of agent {ref.name}"
        return Refusal(f"costUsd {words.amount(cost)} of this task has reached {budget}", person=True)
    if cool := taken.cooling.get(ref.name):
        reason = cool.run.result.reason if cool.run.result else ""
        left = words.span(cool.until - scene.now + 0.999)
        return Refusal(f"agent {ref.name} cools down for {left} ({reason} of {cool.run.id})", cool.until, cools=True)
    return _crowded(agent, ref, taken)


def _crowded(agent: Agent, ref: AgentRef, taken: Room) -> Refusal | None:
    limits = [(ref.name, agent.max_concurrent)]
    limits += [(str(ref), agent.variants.get(ref.variant))] if ref.variant else []
    for name, most in limits:
        if most is not None and taken.agents[name] >= most:
            why = f"agent {name} is at its maxConcurrent ({taken.agents[name]}/{words.count(most, 'run')})"
            return Refusal(why, person=most <= 0, crowded=True)
    return None


def _counted_as(ref: AgentRef) -> tuple[str, ...]:
    return (ref.name, str(ref)) if ref.variant else (ref.name,)


def _limited(known: Known) -> bool:
    return known.result is not None and known.result.reason in NO_ATTEMPT


def _until(newest_first: list[Known]) -> float:
    """Of runs that begin with a limited one. Those that were turned away side by side count once."""
    newest = newest_first[0]
    row, began = 0, _begin(newest)
    for known in newest_first[1:]:
        if not _limited(known):
            break
        if _end(known) <= began:
            row, began = row + 1, _begin(known)
    told = newest.memory.cool_until if newest.memory else None
    if told is None:
        return _end(newest) + min(SHORTEST << min(row, 40), LONGEST)
    # A time that has come too early is not believed again and again: nothing else holds up who burns no attempt.
    return max(told, _end(newest) + min(AGAIN << min(row - 1, 40), LONGEST)) if row else told


def _end(known: Known) -> float:
    return known.ended_at if known.ended_at is not None else _begin(known)


def _begin(known: Known) -> float:
    if known.started_at is not None:
        return known.started_at
    return known.memory.sent_at if known.memory else known.ended_at or 0.0
