"""Where a launch goes: slots, and the least loaded host that may take it."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from reconciler.decide import words
from reconciler.decide.hosts import Spot
from reconciler.decide.scene import Scene
from reconciler.model.change import Wait
from reconciler.model.host import Host
from reconciler.model.observed import Unseen
from reconciler.model.task import Task


def loads(scene: Scene) -> dict[str, int]:
    """Takes a scene; returns how many slots of each host are taken by what lives or may live there."""
    used = dict.fromkeys(scene.spots, 0)
    for known in scene.runs:
        if known.result is None and known.spot is not None:
            used[known.spot.key] += 1
    return used


def choose(scene: Scene, task: Task, used: Mapping[str, int], program: str = "", home: str = "") -> str | Wait:
    """Takes a task and the slots taken so far; returns the host's key, or why none can take it.

    `program`: what has to be on its PATH, as far as anybody knows; `home`: the host that has its worktree, which it
    waits for as long as that matches.
    """
    hosts = {key: spot for key, spot in scene.spots.items() if spot.declared}
    if task.host and task.host not in hosts:
        return Wait(task.name, f"no host is named {task.host}", person=True)
    matching = {key: spot for key, spot in hosts.items() if _matches(task, spot.host)}
    if not matching:
        return Wait(task.name, _no_match(task), person=True)
    if home in matching:
        matching = {home: matching[home]}
    lacking = [key for key, spot in matching.items() if spot.seen and spot.seen.facts.programs.get(program) is False]
    if len(lacking) == len(matching):
        return Wait(task.name, f"{program} is not installed on {words.listing(lacking)}", person=True)
    matching = {key: spot for key, spot in matching.items() if key not in lacking}
    refusals = {key: _refusal(spot, used[key]) for key, spot in matching.items()}
    free = [key for key, refusal in refusals.items() if refusal is None]
    if free:
        return min(free, key=lambda key: (used[key] / matching[key].host.slots, key))
    wait = _full(scene, task, matching, used, {key: word for key, word in refusals.items() if word})
    return replace(wait, why=f"{wait.why}; its worktree is there") if home in matching else wait


# Why a host takes nothing new, and whether only a person ends that.
_REFUSALS: tuple[tuple[str, bool, Callable[[Spot, int], bool]], ...] = (
    ("gone", True, lambda spot, used: spot.host.gone),
    ("draining", True, lambda spot, used: spot.host.drain is not None),
    ("cordoned", True, lambda spot, used: spot.host.cordon),
    ("still asked", False, lambda spot, used: isinstance(spot.look, Unseen) and spot.look.asking),
    ("unseen", False, lambda spot, used: spot.seen is None),
    ("stuck", True, lambda spot, used: bool(_stuck(spot))),
    ("below minFree", True, lambda spot, used: _disk_short(spot)),
    ("full", False, lambda spot, used: used >= spot.host.slots),
)
_PERSON = {word: person for word, person, _ in _REFUSALS}


def _refusal(spot: Spot, used: int) -> str | None:
    return next((word for word, _, holds in _REFUSALS if holds(spot, used)), None)


def _matches(task: Task, host: Host) -> bool:
    if task.host and task.host != host.name:
        return False
    return all(host.labels.get(key) == value for key, value in (task.selector or {}).items())


def _no_match(task: Task) -> str:
    labels = words.listing([f"{key}={value}" for key, value in sorted((task.selector or {}).items())])
    if not labels:
        return "the fleet has no hosts"
    return (
        f"no host has the labels {labels}" if not task.host else f"host {task.host} does not have the labels {labels}"
    )


def _stuck(spot: Spot) -> str:
    if spot.seen and spot.seen.stuck:
        return f"processes of {words.listing(sorted(spot.seen.stuck))} survived KILL"
    return spot.memory.stuck if spot.memory else ""


def _disk_short(spot: Spot) -> bool:
    free = spot.seen.facts.disk_free if spot.seen else None
    return free is not None and free < spot.host.min_free


def _full(
    scene: Scene, task: Task, matching: Mapping[str, Spot], used: Mapping[str, int], refusals: Mapping[str, str]
) -> Wait:
    person = all(_PERSON[word] for word in refusals.values())
    if len(matching) == 1:
        ((key, spot),) = matching.items()
        return Wait(task.name, _alone(scene, spot, used[key], refusals[key]), host=key, person=person)
    parts: list[str] = []
    for word in dict.fromkeys(sorted(refusals.values(), key=lambda word: -list(_PERSON).index(word))):
        keys = [key for key, refusal in refusals.items() if refusal == word]
        many = f"{len(keys)} {word}" if parts else f"{len(keys)} of {words.count(len(matching), 'host')} {word}"
        if word == "full":
            many += f" ({sum(used[key] for key in keys)}/{sum(matching[key].host.slots for key in keys)} slots)"
        parts.append(many)
    return Wait(task.name, ", ".join(parts), person=person)


def _alone(scene: Scene, spot: Spot, used: int, word: str) -> str:
    if isinstance(spot.look, Unseen) and word in ("unseen", "still asked"):
        seen_at = spot.memory.seen_at if spot.memory else None
        age = None if seen_at is None else scene.now - seen_at
        return words.unseen(spot.key, spot.look.why, asking=spot.look.asking, age=age)
    if word == "full":
        return f"host {spot.key} is full ({used}/{spot.host.slots} slots)"
    if word == "below minFree":
        free = words.size(spot.seen.facts.disk_free if spot.seen else None)
        return f"host {spot.key} has {free} of disk free, less than minFree {words.size(spot.host.min_free)}"
    if word == "stuck":
        return f"host {spot.key} takes nothing new: {_stuck(spot)}"
    return f"host {spot.key} is {word}"
