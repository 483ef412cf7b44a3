"""Where a launch goes: the least loaded host that may take it, or why none does."""

from dataclasses import replace

from reconciler.decide import words
from reconciler.decide.hosts import Spot
from reconciler.decide.scene import Scene
from reconciler.decide.slots import FULL, PERSON, Choice, Slots, stuck
from reconciler.model.change import Wait
from reconciler.model.observed import Unseen
from reconciler.model.task import Task


def choose(scene: Scene, task: Task, slots: Slots, program: str = "", home: str = "") -> str | Wait:
    """Takes a task and the slots taken so far; returns the host's key, or why none can take it.

    `program`: what has to be on its PATH, as far as anybody knows; `home`: the host that has its worktree, which it
    waits for as long as that matches.
    """
    if task.host and task.host not in slots.spots:
        return Wait(task.name, f"no host is named {task.host}", person=True)
    matching = slots.matching(task)
    if not matching:
        return Wait(task.name, _no_match(task), person=True)
    there = home if home in matching else ""
    choice = slots.choice(task, program, there)
    if not choice.hosts:
        return Wait(task.name, f"{program} is not installed on {words.listing(choice.lacking)}", person=True)
    key = slots.least_loaded(choice)
    if key is not None:
        return key
    if choice.wait is None:
        choice.wait = _wait(scene, slots, choice)
    why = choice.wait.why
    return replace(choice.wait, task=task.name, why=f"{why}; its worktree is there" if there else why)


def _no_match(task: Task) -> str:
    labels = words.listing([f"{key}={value}" for key, value in sorted((task.selector or {}).items())])
    if not labels:
        return "the fleet has no hosts"
    return (
        f"no host has the labels {labels}" if not task.host else f"host {task.host} does not have the labels {labels}"
    )


def _wait(scene: Scene, slots: Slots, choice: Choice) -> Wait:
    """Why none of the hosts of a choice takes anything; of which task this is said is filled in later."""
    refusals = {key: slots.refusal(key) for key in choice.hosts}
    person = all(PERSON[word] for word in refusals.values())
    if len(refusals) == 1:
        ((key, word),) = refusals.items()
        return Wait("", _alone(scene, slots.spots[key], slots.used[key], word), host=key, person=person)
    parts: list[str] = []
    for word in dict.fromkeys(sorted(refusals.values(), key=lambda word: -list(PERSON).index(word))):
        keys = [key for key, refusal in refusals.items() if refusal == word]
        many = f"{len(keys)} {word}" if parts else f"{len(keys)} of {words.count(len(refusals), 'host')} {word}"
        if word == FULL:
            used, most = (sum(slots.used[key] for key in keys), sum(slots.spots[key].host.slots for key in keys))
            many += f" ({used}/{most} slots)"
        parts.append(many)
    return Wait("", ", ".join(parts), person=person)


def _alone(scene: Scene, spot: Spot, used: int, word: str) -> str:
    if isinstance(spot.look, Unseen) and word in ("unseen", "still asked"):
        seen_at = spot.memory.seen_at if spot.memory else None
        age = None if seen_at is None else scene.now - seen_at
        return words.unseen(spot.key, spot.look.why, asking=spot.look.asking, age=age)
    if word == FULL:
        return f"host {spot.key} is full ({used}/{spot.host.slots} slots)"
    if word == "below minFree":
        free = words.size(spot.seen.facts.disk_free if spot.seen else None)
        return f"host {spot.key} has {free} of disk free, less than minFree {words.size(spot.host.min_free)}"
    if word == "stuck":
        return f"host {spot.key} takes nothing new: {_stuck(spot)}"
    return f"host {spot.key} is {word}"


def _stuck(spot: Spot) -> str:
    runs = stuck(spot)
    return runs if isinstance(runs, str) else f"processes of {words.listing(sorted(runs))} survived KILL"
