"""What people commit, by kind: the other half of what happens to a world."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from reconciler.model.desired import Desired
from reconciler.model.fleet import Suspend
from reconciler.model.host import Drain, Host
from reconciler.model.task import Step, UpdatePolicy
from tests.simulation.faults import Fault
from tests.simulation.fleets import digest, task

if TYPE_CHECKING:
    from tests.simulation.world import World

EDITS: dict[str, Fault] = {}


def edit(work: Fault) -> Fault:
    """Register it under the words of its name; it says whether it committed anything."""
    EDITS[work.__name__.strip("_").replace("_", " ")] = work
    return work


def commit(world: "World", **changes: Any) -> bool:
    """One commit on the head."""
    world.origin.push(replace(world.origin.desired, **changes))
    return True


def alter_task(world: "World", name: str, **changes: Any) -> bool:
    """One commit that changes a task."""
    tasks = world.origin.desired.tasks
    return commit(world, tasks={**tasks, name: replace(tasks[name], **changes)})


def alter_host(world: "World", name: str, **changes: Any) -> bool:
    """One commit that changes a host."""
    hosts = world.origin.desired.hosts
    return commit(world, hosts={**hosts, name: replace(hosts[name], **changes)})


def _task(world: "World", **changes: Any) -> bool:
    tasks = sorted(world.origin.desired.tasks)
    return bool(tasks) and alter_task(world, world.random.choice(tasks), **changes)


def _host(world: "World", **changes: Any) -> bool:
    hosts = sorted(world.origin.desired.hosts)
    return bool(hosts) and alter_host(world, world.random.choice(hosts), **changes)


def _without(mapping: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in mapping.items() if name not in names}


# --- tasks ---


@edit
def script_edited(world: "World") -> bool:
    world.names += 1
    return _task(world, steps=(Step(digest(f"edit{world.names}")),))


@edit
def task_added(world: "World") -> bool:
    world.names += 1
    name = f"t{world.names}"
    return commit(world, tasks={**world.origin.desired.tasks, name: task(name, world.random)})


@edit
def tasks_deleted(world: "World") -> bool:
    tasks = world.origin.desired.tasks
    gone = world.random.sample(sorted(tasks), min(len(tasks), world.random.choice([1, 1, 2, 4])))
    left = {n: replace(t, depends_on=tuple(set(t.depends_on) - set(gone))) for n, t in _without(tasks, *gone).items()}
    return bool(gone) and commit(world, tasks=left, frozen=_without(world.origin.desired.frozen, *gone))


@edit
def task_restored(world: "World") -> bool:
    """As it was in some older commit."""
    older = world.origin.commits[world.random.choice(sorted(world.origin.commits))].desired
    name = world.random.choice(sorted(older.tasks)) if older.tasks else ""
    if not name or name in world.origin.desired.tasks:
        return False
    back = replace(older.tasks[name], depends_on=())
    return commit(world, tasks={**world.origin.desired.tasks, name: back})


@edit
def closed_or_reopened(world: "World") -> bool:
    return _task(world, closed=world.random.random() < 0.5)


@edit
def suspended_or_resumed(world: "World") -> bool:
    return _task(world, suspend=world.random.choice(list(Suspend)))


@edit
def fleet_suspended_or_resumed(world: "World") -> bool:
    return commit(world, fleet=replace(world.origin.desired.fleet, suspend=world.random.choice(list(Suspend))))


@edit
def update_policy_changed(world: "World") -> bool:
    return _task(world, update_policy=world.random.choice(list(UpdatePolicy)))


# --- hosts ---


@edit
def cordoned_or_opened(world: "World") -> bool:
    return _host(world, cordon=world.random.random() < 0.5)


@edit
def drained_or_opened(world: "World") -> bool:
    return _host(world, drain=world.random.choice([None, None, Drain(0), Drain(60), Drain(None)]))


@edit
def host_declared_gone_or_back(world: "World") -> bool:
    """Who says `gone` has made sure that nothing runs there any more."""
    hosts = world.origin.desired.hosts
    name = world.random.choice(sorted(hosts)) if hosts else ""
    if not name:
        return False
    if not hosts[name].gone:
        machine = world.addresses[hosts[name].address]
        machine.reboot()
        machine.reachable = False
    return commit(world, hosts={**hosts, name: replace(hosts[name], gone=not hosts[name].gone)})


@edit
def host_removed(world: "World") -> bool:
    """Only while all ledgers know its place: what no ledger and no document names is found by nobody."""
    hosts = world.origin.desired.hosts
    name = world.random.choice(sorted(hosts)) if hosts else ""
    if not name or not world.known_to_all(hosts[name]):
        return False
    return commit(world, hosts=_without(hosts, name))


@edit
def host_added_or_restored(world: "World") -> bool:
    hosts = world.origin.desired.hosts
    free = sorted(world.addresses.keys() - {host.address for host in hosts.values()})
    if not free:
        return False
    address = world.random.choice(free)
    name = f"h{address[1:]}"
    return name not in hosts and commit(world, hosts={**hosts, name: Host(name, address=address, slots=2)})


@edit
def host_renamed(world: "World") -> bool:
    hosts = world.origin.desired.hosts
    name = world.random.choice(sorted(hosts)) if hosts else ""
    new = f"{name}x"
    if not name or new in hosts or not world.known_to_all(hosts[name]):
        return False
    tasks = {n: replace(t, host=new if t.host == name else t.host) for n, t in world.origin.desired.tasks.items()}
    return commit(world, tasks=tasks, hosts={**_without(hosts, name), new: replace(hosts[name], name=new)})


@edit
def host_moved(world: "World") -> bool:
    """The same machine at another address."""
    hosts = world.origin.desired.hosts
    name = world.random.choice(sorted(hosts)) if hosts else ""
    if not name or not world.known_to_all(hosts[name]):
        return False
    world.names += 1
    address = f"m{world.names}0"
    world.addresses[address] = world.addresses.pop(hosts[name].address)
    return commit(world, hosts={**hosts, name: replace(hosts[name], address=address)})


@edit
def workspace_root_changed(world: "World") -> bool:
    hosts = world.origin.desired.hosts
    name = world.random.choice(sorted(hosts)) if hosts else ""
    if not name or not world.known_to_all(hosts[name]):
        return False
    root = world.random.choice(["~/.reconciler", "/srv/work"])
    return commit(world, hosts={**hosts, name: replace(hosts[name], workspace_root=root)})


@edit
def host_keys_pinned(world: "World") -> bool:
    hosts = world.origin.desired.hosts
    here = {name: world.addresses.get(host.address) for name, host in hosts.items()}
    keyed = {n: replace(h, host_keys=(m.key,) if (m := here[n]) else ()) for n, h in hosts.items()}
    return commit(world, hosts=keyed)


@edit
def slots_changed(world: "World") -> bool:
    return _host(world, slots=world.random.randint(1, 3))


# --- the repository ---


@edit
def history_rewritten(world: "World") -> bool:
    """A push by force: what is said now stands on an older commit."""
    older = world.random.choice(sorted(world.origin.commits))
    said = world.origin.commits[world.random.choice(sorted(world.origin.commits))].desired
    world.origin.push(world.valid(said), parent=older)
    return True


@edit
def file_broken_or_mended(world: "World") -> bool:
    """A task's file cannot be read: with a last good version it is frozen, without one nobody knows what it names."""
    desired: Desired = world.origin.desired
    if desired.frozen or not desired.complete:
        return commit(world, frozen={}, complete=True, unreadable=())
    name = world.random.choice(sorted(desired.tasks)) if desired.tasks else ""
    if not name:
        return False
    if world.random.random() < 0.5:
        return commit(world, frozen={name: "broken"})
    return commit(world, tasks=_without(desired.tasks, name), complete=False, unreadable=("broken.yaml",))
