"""Everything of one schedule: hosts, controllers, git, what travels, and one seed that decides."""

from collections.abc import Callable
from dataclasses import replace
from random import Random

from reconciler.model.desired import Desired
from reconciler.model.host import Host
from tests.simulation.controller import Controller
from tests.simulation.fleets import fleet
from tests.simulation.machine import Machine, Move
from tests.simulation.network import Message
from tests.simulation.protocol import answer
from tests.simulation.repository import Origin
from tests.simulation.truth import Truth


class World:
    """`time` is true seconds since the epoch; clocks of hosts and controllers are off by their `skew`."""

    def __init__(self, random: Random, desired: Desired | None = None) -> None:
        """`desired`: the first commit; a random fleet when None."""
        self.random = random
        self.time = 1_700_000_000.0
        self.names = 0
        self.truth = Truth()
        self.trace: list[str] | None = None
        self.writes = 0  # calls that may change something
        self.flying: list[Message] = []
        self.copies: dict[str, bytes] = {}  # of ledgers
        self.weather: dict[str, float] = {}  # fate of a call -> how likely
        self.addresses = {f"m{n}": self.machine() for n in (1, 2, 3)}
        self.origin = Origin(desired or fleet(random))
        tasks = self.origin.desired.tasks.values()
        self.truth.overlaps_allowed = frozenset(task.name for task in tasks if task.replace_after is not None)
        self.controllers: list[Controller] = []

    def machine(self) -> Machine:
        """A new one, switched on."""
        self.names += 1
        return Machine(f"x{self.names}", self.truth, lambda: self.time)

    def controller(self) -> Controller:
        """One more, with an empty state."""
        self.names += 1
        one = Controller(f"{self.names:08x}", self)
        self.controllers.append(one)
        return one

    def note(self, text: str) -> None:
        """Keep it for who reads what happened."""
        if self.trace is not None:
            self.trace.append(f"{self.time - 1.7e9:.0f} {text}")

    # --- what travels ---

    def fate(self) -> str:
        """How the next call goes: `fine` when nothing of `weather` strikes."""
        for name, chance in self.weather.items():
            if self.random.random() < chance:
                self.truth.faults[f"call {name}"] += 1
                return name
        return "fine"

    def abandon(self, calls: list[Callable[[], None]]) -> None:
        """A controller died: what it had handed to ssh may still arrive."""
        for call in calls:
            if self.random.random() < 0.3:
                call()

    def arrive(self, index: int) -> None:
        """A late call reaches its host, whoever sent it and whatever has happened since."""
        message = self.flying.pop(index)
        machine = self.addresses.get(message.address)
        self.note(f"{message.verb} arrives late at {message.address}")
        if machine and machine.reachable:
            answer(machine, message.verb, message.fields)

    def moves(self) -> list[Move]:
        """What hosts may do by themselves."""
        return [move for machine in self.addresses.values() for move in machine.moves()]

    # --- what users may break a promise with, and do not ---

    def known_to_all(self, host: Host) -> bool:
        """Whether every ledger knows the host's place."""
        return all(host.place.door in {place.door for place, _ in one.state.places()} for one in self.controllers)

    def forgotten(self) -> bool:
        """Whether work may live at a place that the newest commit does not name: only old ledgers can find it."""
        named = {(host.address, host.workspace_root) for host in self.origin.desired.hosts.values() if not host.gone}
        return any(
            (address, root) not in named and any(not run.over or machine.survivors(run) for run in space.runs.values())
            for address, machine in self.addresses.items()
            for root, space in machine.spaces.items()
        )

    def valid(self, said: Desired) -> Desired:
        """An older commit's tasks with the hosts of today."""
        return replace(said, hosts=self.origin.desired.hosts)

    def bury(self, controller: Controller) -> None:
        """Places on a ledger's books that nobody can ask any more are declared gone: only people can know."""
        hosts = dict(self.origin.desired.hosts)
        named = {(host.address, host.workspace_root) for host in hosts.values()}
        for place, keys in controller.state.places():
            machine, where = self.addresses.get(place.address), (place.address, place.workspace_root)
            if where not in named and (machine is None or (keys and machine.key not in keys)):
                named.add(where)
                self.names += 1
                name = f"buried{self.names}"
                hosts[name] = Host(name, address=place.address, workspace_root=place.workspace_root, gone=True)
        self.origin.push(replace(self.origin.desired, hosts=hosts))
