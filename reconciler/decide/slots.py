"""What is taken of each host, and which of those that suit a task is the least loaded."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, field
from heapq import heapify, heappop, heapreplace

from reconciler.decide.hosts import Spot
from reconciler.decide.scene import Scene
from reconciler.model.change import Wait
from reconciler.model.observed import Unseen
from reconciler.model.task import Task

Asked = tuple[str, frozenset[tuple[str, str]]]  # the host and the labels that a task wants

# Why a host takes nothing new whatever is taken of it, and whether only a person ends that.
_REFUSALS: tuple[tuple[str, bool, Callable[[Spot], bool]], ...] = (
    ("gone", True, lambda spot: spot.host.gone),
    ("draining", True, lambda spot: spot.host.drain is not None),
    ("cordoned", True, lambda spot: spot.host.cordon),
    ("still asked", False, lambda spot: isinstance(spot.look, Unseen) and spot.look.asking),
    ("unseen", False, lambda spot: spot.seen is None),
    ("stuck", True, lambda spot: bool(stuck(spot))),
    ("below minFree", True, lambda spot: _disk_short(spot)),
)
FULL = "full"
PERSON = {word: person for word, person, _ in _REFUSALS} | {FULL: False}


@dataclass(slots=True)
class Choice:
    """The hosts that some tasks may go to, all with the same wish."""

    hosts: tuple[str, ...]  # those that have the program, by name
    lacking: tuple[str, ...]  # those that do not
    free: list[tuple[float, str]]  # a heap of load and name; a load only grows in a cycle, so none here is too high
    wait: Wait | None = None  # when none is free: why, which holds until the cycle is over


@dataclass(slots=True)
class Slots:
    """The slots of all hosts in one cycle; what it launches counts."""

    spots: Mapping[str, Spot]  # the declared ones
    used: dict[str, int]  # host -> living and possible runs
    _labelled: Mapping[tuple[str, str], Set[str]]
    _matching: dict[Asked, frozenset[str]] = field(default_factory=dict)
    _refused: dict[str, str] = field(default_factory=dict)
    _choices: dict[tuple[Asked, str, str], Choice] = field(default_factory=dict)

    def take(self, host: str) -> None:
        """Count a launch of this cycle."""
        self.used[host] += 1

    def matching(self, task: Task) -> frozenset[str]:
        """Takes a task; returns the declared hosts that are what it asks for."""
        asked = _asked(task)
        if asked not in self._matching:
            found: Set[str] = self.spots.keys() & {task.host} if task.host else self.spots.keys()
            for label in asked[1]:
                found = found & self._labelled.get(label, frozenset())
            self._matching[asked] = frozenset(found)
        return self._matching[asked]

    def choice(self, task: Task, program: str, home: str) -> Choice:
        """Takes a task, what has to be on the host's PATH, and the one matching host it has to go to, if it has to."""
        wish = (_asked(task), program, home)
        if wish not in self._choices:
            self._choices[wish] = self._choice({home} if home else self.matching(task), program)
        return self._choices[wish]

    def least_loaded(self, choice: Choice) -> str | None:
        """Takes a choice; returns the host to launch on, None when none of them takes anything now."""
        free = choice.free
        while free:
            load, key = free[0]
            if self.refusal(key):
                heappop(free)
            elif load < (now := self._load(key)):
                heapreplace(free, (now, key))
            else:
                return key
        return None

    def refusal(self, key: str) -> str:
        """Takes a declared host; returns the word for why it takes nothing now, empty when it does."""
        if key not in self._refused:
            spot = self.spots[key]
            self._refused[key] = next((word for word, _, holds in _REFUSALS if holds(spot)), "")
        full = self.used[key] >= self.spots[key].host.slots
        return self._refused[key] or (FULL if full else "")

    def _choice(self, matching: Iterable[str], program: str) -> Choice:
        lacking = [key for key in sorted(matching) if _lacks(self.spots[key], program)]
        hosts = sorted({*matching}.difference(lacking))
        free = [(self._load(key), key) for key in hosts if not self.refusal(key)]
        heapify(free)
        return Choice(tuple(hosts), tuple(lacking), free)

    def _load(self, key: str) -> float:
        return self.used[key] / self.spots[key].host.slots


def slots(scene: Scene) -> Slots:
    """Takes a scene; returns what is taken before this cycle starts anything: by what lives or may live there."""
    used = dict.fromkeys(scene.spots, 0)
    for known in scene.runs:
        if known.result is None and known.spot is not None:
            used[known.spot.key] += 1
    declared = {key: spot for key, spot in scene.spots.items() if spot.declared}
    labelled: dict[tuple[str, str], set[str]] = defaultdict(set)
    for key, spot in declared.items():
        for label in spot.host.labels.items():
            labelled[label].add(key)
    return Slots(declared, used, labelled)


def stuck(spot: Spot) -> tuple[str, ...] | str:
    """Takes a place; returns the runs with processes that survived KILL there, or what the ledger says of that."""
    if spot.seen and spot.seen.stuck:
        return spot.seen.stuck
    return spot.memory.stuck if spot.memory else ""


def _lacks(spot: Spot, program: str) -> bool:
    return spot.seen is not None and spot.seen.facts.programs.get(program) is False


def _disk_short(spot: Spot) -> bool:
    free = spot.seen.facts.disk_free if spot.seen else None
    return free is not None and free < spot.host.min_free


def _asked(task: Task) -> Asked:
    return (task.host, frozenset((task.selector or {}).items()))
