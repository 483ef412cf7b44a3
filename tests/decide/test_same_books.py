"""Which changes of the ledger can change the places on the books."""

from dataclasses import replace

import pytest

from reconciler.decide import former_places, same_books
from reconciler.model.desired import Desired
from reconciler.model.fleet import Fleet
from reconciler.model.host import Host, Reach
from reconciler.model.memory import HostMemory, Memory, RunMemory
from reconciler.model.run import RunName

OLD = Host("old", address="old.example.org").place
KEPT = HostMemory(OLD, taken=1, seen_at=1.0)
BOOKS = Memory("00c0ffee", hosts={"old": KEPT}, runs={})
EMPTY = Desired("c0ffee", Fleet("home", "home"))


def test_when_it_was_last_seen_changes_no_place() -> None:
    later = replace(BOOKS, number=2, hosts={"old": replace(KEPT, seen_at=2.0, taken=2, boot_id="b")})
    assert same_books(BOOKS, later)
    assert former_places(EMPTY, BOOKS) == former_places(EMPTY, later) != {}


@pytest.mark.parametrize(
    "later",
    [
        replace(BOOKS, hosts={}),
        replace(BOOKS, hosts={"new": KEPT}),
        replace(BOOKS, hosts={"old": replace(KEPT, gone=True)}),
        replace(BOOKS, hosts={"old": replace(KEPT, place=replace(OLD, address="new.example.org"))}),
        replace(BOOKS, hosts={"old": replace(KEPT, reach=Reach(proxy_jump="jump.example.org"))}),
        replace(BOOKS, runs={"a-00c0ffee-1": RunMemory(RunName("a", "00c0ffee", 1), replace(OLD, port=2222), 1)}),
    ],
)
def test_what_changes_the_places_is_another_state_of_the_books(later: Memory) -> None:
    assert not same_books(BOOKS, later)


def test_a_run_at_a_place_that_no_host_names_puts_that_on_the_books() -> None:
    run = RunMemory(RunName("a", "00c0ffee", 1), replace(OLD, port=2222), 1)
    later = replace(BOOKS, runs={str(run.name): run})
    assert former_places(EMPTY, later).keys() - former_places(EMPTY, BOOKS).keys() == {"old@old.example.org"}
