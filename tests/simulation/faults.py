"""What goes wrong with hosts, controllers and the network, by kind. Each does one thing to a world, or nothing when it
does not apply; what the user would have to break a promise for is left out."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from reconciler.engine.events import BellRang, CommitSeen
from tests.simulation.machine import SUPERVISOR, WORKER, Machine
from tests.simulation.state import State

if TYPE_CHECKING:
    from tests.simulation.controller import Controller
    from tests.simulation.world import World

YEAR = 31_536_000.0
Fault = Callable[["World"], bool]
FAULTS: dict[str, Fault] = {}


def fault(work: Fault) -> Fault:
    """Register it under the words of its name; it says whether it did anything."""
    FAULTS[work.__name__.strip("_").replace("_", " ")] = work
    return work


def _machine(world: "World") -> Machine:
    return world.random.choice(list(world.addresses.values()))


def _controller(world: "World") -> "Controller":
    return world.random.choice(world.controllers)


# --- hosts ---


@fault
def cut_or_heal(world: "World") -> bool:
    machine = _machine(world)
    machine.reachable = not machine.reachable
    return True


@fault
def reboot(world: "World") -> bool:
    _machine(world).reboot()
    return True


@fault
def disk_full(world: "World") -> bool:
    machine = _machine(world)
    machine.full = "" if machine.full else world.random.choice(["space", "inodes"])
    return True


@fault
def supervisor_killed_alone(world: "World") -> bool:
    machine = _machine(world)
    victims = [one for one in machine.processes.values() if one.role == SUPERVISOR]
    if victims:
        machine.end(world.random.choice(victims))
    return bool(victims)


@fault
def worker_killed(world: "World") -> bool:
    machine = _machine(world)
    victims = [one for one in machine.processes.values() if one.role == WORKER and one.run]
    if victims and (run := world.random.choice(victims).run):
        machine.exits(run, 137)
    return bool(victims)


@fault
def worker_fails(world: "World") -> bool:
    machine = _machine(world)
    victims = [one for one in machine.processes.values() if one.role == WORKER and one.run]
    if victims and (run := world.random.choice(victims).run):
        machine.exits(run, 1)
    return bool(victims)


@fault
def clock_of_a_host_jumps(world: "World") -> bool:
    _machine(world).skew += world.random.choice([-YEAR, -60.0, 60.0, YEAR])
    return True


@fault
def host_key_changes(world: "World") -> bool:
    machine = _machine(world)
    machine.key += "x"
    return True


@fault
def workspace_wiped(world: "World") -> bool:
    _machine(world).wipe()
    return True


@fault
def machine_replaced(world: "World") -> bool:
    """Another machine answers at the address: the old one is switched off for good."""
    address = world.random.choice(sorted(world.addresses))
    old = world.addresses[address]
    old.wipe()
    old.reboot()
    world.addresses[address] = world.machine()
    return True


# --- controllers ---


@fault
def controller_killed(world: "World") -> bool:
    one = _controller(world)
    alive = one.process is not None
    one.kill()
    return alive


@fault
def controller_killed_at_a_boundary(world: "World") -> bool:
    one = _controller(world)
    one.kill_at = one.boundary + world.random.randint(1, 12)
    return True


@fault
def ledger_lost(world: "World") -> bool:
    """Not while work may live on a host that only this ledger knows: docs/operations.md says so."""
    one = _controller(world)
    if world.forgotten():
        return False
    one.kill()
    world.names += 1
    one.name = f"{world.names:08x}"
    shelf = one.state.shelf
    one.state = State(one.name)
    if world.random.random() < 0.5:
        one.state.shelf = shelf
    return True


@fault
def ledger_saved(world: "World") -> bool:
    one = _controller(world)
    world.copies[one.name] = one.state.image()
    return True


@fault
def older_ledger_restored(world: "World") -> bool:
    one = _controller(world)
    image = world.copies.get(one.name)
    if image is None or world.forgotten():
        return False
    one.kill()
    one.state = one.state.restored(image)
    return True


@fault
def another_controller(world: "World") -> bool:
    if len(world.controllers) > 2 or world.forgotten():
        return False
    world.controller()
    return True


@fault
def clock_of_a_controller_jumps(world: "World") -> bool:
    _controller(world).skew += world.random.choice([-YEAR, -60.0, 60.0])
    return True


@fault
def repository_unreadable(world: "World") -> bool:
    one = _controller(world)
    one.clone.readable = not one.clone.readable
    return True


@fault
def clone_stays_behind(world: "World") -> bool:
    one = _controller(world)
    one.clone.following = not one.clone.following
    return True


@fault
def doorbell_opens_or_rings(world: "World") -> bool:
    """It rings for something, for nothing, or late; while it is open nobody else takes the host."""
    one = _controller(world)
    process = one.process
    if process is None or one.single:
        return False
    name = world.random.choice(sorted(process.engine.hosts.all()) or [""])
    host = process.engine.hosts.all().get(name)
    machine = world.addresses.get(host.address) if host else None
    if machine is None or host is None or not machine.reachable:
        return False
    space = machine.space(host.workspace_root)
    ledger = process.engine.world.ledger.id
    if space.id and space.lease and space.lease[1] == ledger and not space.holder:
        space.holder = ledger
    process.mailbox.put(BellRang(name))
    return True


@fault
def told_of_a_commit(world: "World") -> bool:
    one = _controller(world)
    if one.process:
        one.process.mailbox.put(CommitSeen())
    return one.process is not None


# --- the network ---


@fault
def late_call_arrives(world: "World") -> bool:
    if world.flying:
        world.arrive(world.random.randrange(len(world.flying)))
        return True
    return False
