"""What lies between controllers and hosts: calls that arrive, are lost, arrive late or twice, or whose answer is lost."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.model.host import Host
from reconciler.remote.frames import Answer
from reconciler.remote.transport import Unknown
from tests.simulation.judge import overtaken, permitted
from tests.simulation.protocol import Fields, answer

if TYPE_CHECKING:
    from tests.simulation.controller import Controller

WRITES = frozenset({"take", "act"})


@dataclass
class Message:
    """A call that is still somewhere on the way."""

    address: str
    verb: str
    fields: Fields


class Wire:
    """The `Remote` of one controller."""

    def __init__(self, controller: "Controller") -> None:
        self._controller = controller
        self.dead = False  # its process is: what it had begun may still arrive

    def call(self, host: Host, verb: str, fields: Fields, **_: object) -> Answer | Unknown:
        """As in Remote: the fate of each call is the scheduler's."""
        controller, world = self._controller, self._controller.world
        if verb in WRITES:
            if not self.dead:
                controller.boundaries(f"before {verb}")
                world.writes += 1
            permitted(controller, host, verb, fields)
        if self.dead:
            return self._lose(host, verb, fields)
        fate = world.fate()
        machine = world.addresses.get(host.address)
        if machine is None or not machine.reachable or fate == "lost":
            return self._lose(host, verb, fields)
        if host.host_keys and machine.key not in host.host_keys:
            return Unknown("its host key has changed: simulated")
        before = machine.space(host.workspace_root).revision
        said = answer(machine, verb, fields)
        world.note(f"{controller.name} {verb} {host.name}@{host.address} {fate}: {_short(fields)} -> {said.code}")
        if verb == "take" and said.code == 0:
            overtaken(controller, machine.space(host.workspace_root), before)
        if fate == "twice" and verb in WRITES:
            self._lose(host, verb, fields)
        if verb in WRITES:
            controller.boundaries(f"after {verb}")
        return Unknown("the answer was cut off: simulated") if fate == "answer lost" else said

    def _lose(self, host: Host, verb: str, fields: Fields) -> Unknown:
        self._controller.world.note(
            f"{self._controller.name} {verb} {host.name}@{host.address} on its way: {_short(fields)}"
        )
        if verb in WRITES:
            self._controller.world.flying.append(Message(host.address, verb, tuple(fields)))
        return Unknown("timed out: simulated")


def _short(fields: Fields) -> str:
    told = ("number", "ledger", "launch", "cancel", "settle", "cleanup", "worktree")
    return " ".join(f"{key}={value!s}" for key, value in fields if key in told)
