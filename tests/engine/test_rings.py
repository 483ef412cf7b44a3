"""Of many rings of a doorbell the last is heard, soon; of one alone at once."""

import math
from types import SimpleNamespace
from typing import Any

from reconciler.engine.hosts import BREATH, Hosts
from reconciler.model.host import Host


class Room:
    """Hosts whose operations are written down instead of done; the time is what a test says."""

    def __init__(self) -> None:
        self.time = 100.0
        self.busy: dict[str, str] = {}
        self.looks: list[tuple[str, float]] = []
        ledger = SimpleNamespace(id="0a1b2c3d", memory=lambda: None)
        world: Any = SimpleNamespace(ledger=ledger)
        operations: Any = SimpleNamespace(busy=self.busy, look=self._look, free=self._free)
        self.hosts = Hosts(world, operations, lambda: self.time, lambda: self.time, recording=False)
        names = {"box1": Host("box1"), "box2": Host("box2")}
        self.hosts._desired = SimpleNamespace(hosts=names, fleet=SimpleNamespace(id="home"))  # type: ignore[assignment]
        self.hosts.all = lambda: names  # type: ignore[method-assign]

    def _look(self, name: str, *_: object, **__: object) -> None:
        self.busy[name] = "look"
        self.looks.append((name, self.time))

    def _free(self, name: str) -> Host:
        self.busy.pop(name)
        return Host(name)


def test_a_ring_alone_is_heard_at_once() -> None:
    room = Room()
    room.hosts.rang("box1")
    assert room.looks == [("box1", 100.0)]
    assert not room.hosts.rung
    assert room.hosts.next_rung() == math.inf


def test_rings_of_a_host_that_is_busy_are_one_look_a_breath_after_its_answer() -> None:
    room = Room()
    room.hosts.ask(["box1"])
    for _ in range(30):
        room.hosts.rang("box1")
    room.hosts.rang("box2")  # nobody waits for another host
    assert [name for name, _ in room.looks] == ["box1", "box2"]
    assert room.hosts.rung
    room.time = 101.0
    room.hosts.free("box1")
    assert room.hosts.next_rung() == BREATH
    room.time += BREATH / 2
    room.hosts.rang("box1")
    room.hosts.ask_rung()
    assert len(room.looks) == 2
    room.time = 101.0 + BREATH
    room.hosts.ask_rung()
    assert room.looks[2:] == [("box1", 101.0 + BREATH)]
    assert not room.hosts.rung


def test_a_ring_after_the_breath_is_heard_at_once() -> None:
    room = Room()
    room.hosts.ask(["box1"])
    room.hosts.free("box1")
    room.time += 2 * BREATH
    room.hosts.rang("box1")
    assert room.looks[1:] == [("box1", room.time)]


def test_who_is_no_host_any_more_is_not_asked() -> None:
    room = Room()
    room.hosts.rang("gone")
    assert room.looks == []
    assert not room.hosts.rung
