"""What documents say about each other: names that are not there, cycles, places taken twice. Pure."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from reconciler.load.complaint import Complaint, closest
from reconciler.load.documents import Slot
from reconciler.model.host import Host, Transport
from reconciler.model.task import Task


class Reference(NamedTuple):
    """A complaint about a slot, and every slot that it makes bad; without a say, the one it is about."""

    slot: Slot
    complaint: Complaint
    bad: tuple[Slot, ...] | None = None


def unknown(found: Mapping[str, Task], hosts: Collection[str], names: Collection[str]) -> list[Reference]:
    """Take the good tasks and the names of all declared hosts and tasks, and return what tasks refer to in vain."""
    wrong = []
    for name, task in found.items():
        if task.host and task.host not in hosts:
            complaint = Complaint(("spec", "host"), f"there is no Host {task.host}", hint(task.host, hosts))
            wrong.append(Reference(("Task", name), complaint))
        for index, other in enumerate(task.depends_on):
            if other not in names:
                complaint = Complaint(("spec", "dependsOn", index), f"there is no Task {other}", hint(other, names))
                wrong.append(Reference(("Task", name), complaint))
    return wrong


def cycles(found: Mapping[str, Task]) -> list[Reference]:
    """Take the good tasks and return which of them wait for each other; every task of a cycle is bad."""
    wrong = []
    for cycle in circles({name: task.depends_on for name, task in found.items() if task.depends_on}):
        index = found[cycle[0]].depends_on.index(cycle[1 % len(cycle)])
        message = f"tasks wait for each other: {' → '.join((*cycle, cycle[0]))}"
        complaint = Complaint(("spec", "dependsOn", index), message, "remove one of these dependencies")
        wrong.append(Reference(("Task", cycle[0]), complaint, tuple(("Task", name) for name in cycle)))
    return wrong


def hosts(found: Mapping[str, Host]) -> list[Reference]:
    """Take the good hosts and return which of them are the same place, or local without saying of which machine."""
    wrong = []
    doors: dict[object, str] = {}
    for name in sorted(found):
        host = found[name]
        if host.transport is Transport.LOCAL and not host.address and len(found) > 1:
            advice = "write this machine's host name, so that another controller does not take its own for it"
            complaint = Complaint(("spec", "address"), "is missing: a local host beside others needs it", advice)
            wrong.append(Reference(("Host", name), complaint))
            continue
        first = doors.setdefault(host.place.door, name)
        if first != name:
            complaint = Complaint(
                ("spec", "address"),
                f"the Host {first} is the same place: same address, user, port and workspaceRoot",
                "give one of them another workspaceRoot, or remove it",
            )
            wrong.append(Reference(("Host", name), complaint))
    return wrong


def circles(edges: Mapping[str, tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Take who waits for whom and return each cycle once, from its first name on; linear, without recursion."""
    open_edges = {name: [other for other in others if other in edges] for name, others in edges.items()}
    waiting = {name: len(others) for name, others in open_edges.items()}
    dependents: dict[str, list[str]] = {name: [] for name in edges}
    for name, others in open_edges.items():
        for other in others:
            dependents[other].append(name)
    ready = [name for name, count in waiting.items() if not count]
    while ready:
        for name in dependents[ready.pop()]:
            waiting[name] -= 1
            if not waiting[name]:
                ready.append(name)
    left = {name for name, count in waiting.items() if count}  # on a cycle, or waiting for one
    found: list[tuple[str, ...]] = []
    seen: set[str] = set()
    for start in sorted(left):
        walk: list[str] = []
        place: dict[str, int] = {}
        name = start
        while name not in seen and name not in place:
            place[name] = len(walk)
            walk.append(name)
            name = min(other for other in open_edges[name] if other in left)
        if name in place:
            found.append(_from_first(walk[place[name] :]))
        seen.update(walk)
    return found


def _from_first(cycle: list[str]) -> tuple[str, ...]:
    start = cycle.index(min(cycle))
    return tuple(cycle[start:] + cycle[:start])


def hint(name: str, known: Collection[str]) -> str:
    """Take a name that is not there and those that are, and return what to do."""
    meant = closest(name, known)
    return f"did you mean {meant}?" if meant else "declare it, or remove the name here"
