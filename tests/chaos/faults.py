"""What goes wrong with hosts and controllers, by kind. Each begins, lasts until it is resumed, and undoes itself.

A fault claims what it breaks, so that no two break the same thing: `network power disk identity` of one
machine, or `controller ledger history` of all. `ledger` and `identity` stay claimed until everything has converged: a
ledger that forgets knows nothing of hosts that git no longer names, as docs/operations.md says.
"""

import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from tests.chaos.controllers import signal_all
from tests.chaos.world import World
from tests.machines.machine import Machine, kill

Course = Iterator[None]
LASTING = frozenset({"ledger", "identity"})


@dataclass(frozen=True)
class Fault:
    """`begin` takes the world, and a machine when a machine is what it breaks."""

    name: str
    claims: tuple[str, ...]
    begin: Callable[..., Course]
    of_machine: bool


FAULTS: dict[str, Fault] = {}


def fault(*claims: str, machine: bool = True) -> Callable[[Callable[..., Course]], Callable[..., Course]]:
    """Register it under the words of its name."""

    def register(work: Callable[..., Course]) -> Callable[..., Course]:
        name = work.__name__.strip("_").replace("_", " ")
        FAULTS[name] = Fault(name, claims, work, machine)
        return work

    return register


# --- the network ---


@fault("network")
def cut_off(world: World, machine: Machine) -> Course:
    machine.cut()
    yield
    machine.heal()


@fault("network")
def refusing(world: World, machine: Machine) -> Course:
    machine.refuse()
    yield
    machine.heal()


@fault("network")
def losing_packets(world: World, machine: Machine) -> Course:
    machine.lose(0.3)
    yield
    machine.heal()


@fault("network")
def flapping(world: World, machine: Machine) -> Course:
    for _ in range(3):
        machine.cut()
        time.sleep(world.dice.uniform(0.1, 0.8))
        machine.heal()
        time.sleep(world.dice.uniform(0.1, 0.8))
    yield


# --- hosts ---


def boot(world: World, machine: Machine) -> None:
    """Off and on, with strangers that have the pids of those who ran before."""
    machine.reboot()
    world.strangers.arrive(machine)
    world.strangers.take_pids(machine)


@fault("power")
def reboot(world: World, machine: Machine) -> Course:
    boot(world, machine)
    yield


@fault("power")
def off_for_a_while(world: World, machine: Machine) -> Course:
    machine.stop()
    yield
    machine.start()
    world.strangers.arrive(machine)
    world.strangers.take_pids(machine)


@fault("power")
def frozen(world: World, machine: Machine) -> Course:
    machine.freeze()
    yield
    machine.thaw()


@fault("power")
def supervisor_killed_alone(world: World, machine: Machine) -> Course:
    victims = [process for process in machine.processes() if "/supervisor.sh supervise /" in process.command]
    for process in world.dice.sample(victims, min(2, len(victims))):
        kill(process.outside, signal.SIGKILL)
    yield


@fault("power")
def calls_killed(world: World, machine: Machine) -> Course:
    """What a controller's call does on a host is killed in the middle, again and again."""
    for _ in range(20):
        for process in machine.processes():
            if process.command.startswith("bash --noprofile --norc -p -s"):
                kill(process.outside, signal.SIGKILL)
        time.sleep(0.1)
    yield


@fault("power", "disk")
def disk_full(world: World, machine: Machine) -> Course:
    machine.fill()
    yield
    machine.empty()


@fault("power", "ledger")
def workspace_wiped(world: World, machine: Machine) -> Course:
    """By hand. Of what a wiped workspace alone knew nobody knows, so the ledger is not lost meanwhile."""
    with suppress(OSError):
        shutil.rmtree(machine.home / ".reconciler", ignore_errors=True)
    world.truth.wiped[machine.name].append(time.time())
    yield


@fault("identity", "power", "network")
def host_key_changed(world: World, machine: Machine) -> Course:
    machine.new_host_key()
    boot(world, machine)
    yield
    with world.edits:
        world.declare(machine)
        world.commit(f"the new key of {machine.name}")


# --- controllers ---


@fault("controller", machine=False)
def controller_killed(world: World) -> Course:
    world.controller.kill()
    yield
    world.controller.start()


@fault("controller", machine=False)
def controller_killed_again_and_again(world: World) -> Course:
    for _ in range(4):
        world.controller.kill()
        world.controller.start()
        time.sleep(world.dice.uniform(0.5, 2.5))
    yield


@fault("controller", machine=False)
def controller_frozen(world: World) -> Course:
    world.controller.signal(signal.SIGSTOP)
    yield
    world.controller.signal(signal.SIGCONT)


@fault("controller", machine=False)
def masters_frozen(world: World) -> Course:
    masters = world.controller.masters()
    signal_all(masters, signal.SIGSTOP)
    yield
    signal_all(masters, signal.SIGCONT)


@fault("controller", machine=False)
def masters_killed(world: World) -> Course:
    signal_all(world.controller.masters(), signal.SIGKILL)
    yield


@fault("controller", "ledger", machine=False)
def ledger_lost(world: World) -> Course:
    world.controller.kill()
    world.controller.forget()
    world.truth.amnesia.append(time.time())
    yield
    world.controller.start()


@fault("controller", "ledger", machine=False)
def older_ledger_restored(world: World) -> Course:
    world.controller.kill()
    world.controller.restore(world.copy)
    world.truth.amnesia.append(time.time())
    yield
    world.controller.start()


@fault("controller", "ledger", machine=False)
def another_controller(world: World) -> Course:
    """It takes the fleet, and is killed, or leaves; the first one comes back."""
    world.second.start("--take-over")
    world.truth.amnesia.append(time.time())
    yield
    if world.dice.random() < 0.5:
        world.second.kill()
    else:
        world.second.stop()
    world.truth.amnesia.append(time.time())
    world.controller.start()


# --- the repository ---


@fault("ledger", "identity", machine=True)
def host_removed(world: World, machine: Machine) -> Course:
    with world.edits:
        world.fleet.remove(f"hosts/{machine.name}.yaml")
        world.commit(f"remove {machine.name}")
    yield
    with world.edits:
        world.declare(machine)
        world.commit(f"restore {machine.name}")


@fault("ledger", "identity")
def host_renamed(world: World, machine: Machine) -> Course:
    for name in (f"{machine.name}x", machine.name):
        with world.edits:
            world.called[machine.name] = name
            world.declare(machine)
            world.commit(f"{machine.name} is now called {name}")
        if name != machine.name:
            yield


@fault("history", machine=False)
def history_rewritten(world: World) -> Course:
    """A push by force: what is said now stands on an older commit."""
    with world.edits:
        back = min(4, int(world.fleet.git("rev-list", "--count", "HEAD")) - 1)
        world.fleet.git("reset", "--quiet", "--soft", f"HEAD~{back}")
        world.commit("history is rewritten")
    yield


@fault("history", machine=False)
def fleet_file_broken(world: World) -> Course:
    """Nobody knows what the fleet is."""
    with world.edits:
        whole = (world.fleet.repo / "fleet.yaml").read_text()
        world.fleet.write("fleet.yaml", "apiVersion: [\n")
        world.commit("break the fleet's file")
    yield
    with world.edits:
        world.fleet.write("fleet.yaml", whole)
        world.commit("mend the fleet's file")
