"""Reports that are well formed and cannot be true."""

from dataclasses import replace

import pytest

from reconciler.decide import doubt
from reconciler.model.host import Host
from reconciler.model.memory import HostMemory, Memory
from reconciler.model.observed import LeaseMark, Seen, Unseen
from tests.record.builders import desired, host, place

ONE, OTHER = host("h1"), host("h2", "10.0.0.2")
FLEET = desired(hosts=(ONE, OTHER))
BOOKS = Memory("0badcafe", number=7, hosts={"h1": HostMemory(place(ONE, "w1")), "h2": HostMemory(place(OTHER, "w2"))})


@pytest.mark.parametrize(("number", "believed"), [(1, True), (8, True), (10**9 + 7, True), (10**9 + 8, False)])
def test_a_lease_number_grows_one_by_one(number: int, believed: bool) -> None:
    sight = Seen("w1", "h1", LeaseMark(number, "0badcafe"))
    assert bool(doubt(FLEET, BOOKS, {"h1": sight}, "h1")) is not believed


@pytest.mark.parametrize("look", [Seen("w1", "h1"), Unseen("timed out")], ids=["seen", "unseen"])
def test_a_workspace_is_the_hosts_where_it_was(look: Seen | Unseen) -> None:
    looks = {"h1": look, "h2": Seen("w1", "h2")}
    assert doubt(FLEET, BOOKS, looks, "h2").startswith("shares its workspace with h1")


def _moved() -> Host:
    return replace(ONE, address="10.0.0.9")


BELIEVED = {
    "its owner shows another one now": (FLEET, {"h1": Seen("w9", "h1")}),
    "its owner is declared elsewhere": (desired(hosts=(_moved(), OTHER)), {}),
    "its owner is gone": (desired(hosts=(replace(ONE, gone=True), OTHER)), {}),
    "its owner has left git": (desired(hosts=(OTHER,)), {}),
}


@pytest.mark.parametrize(("wanted", "looks"), BELIEVED.values(), ids=BELIEVED)
def test_a_workspace_may_have_moved(wanted: object, looks: dict[str, Seen]) -> None:
    assert doubt(wanted, BOOKS, {**looks, "h2": Seen("w1", "h2")}, "h2") == ""  # type: ignore[arg-type]
