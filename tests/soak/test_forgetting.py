"""What passes by is not kept: whatever lives as long as the daemon holds as much after many turns as after some."""

import gc
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from reconciler.engine.denials import Denials
from reconciler.engine.desired import Wanted
from reconciler.engine.sights import Sights
from reconciler.load.git import open_repository
from reconciler.model.host import Host
from reconciler.model.observed import Unseen
from reconciler.record.ledger import Ledger
from reconciler.record.redactor import Redactor
from reconciler.remote.masters import Masters
from reconciler.remote.ssh import Settings, door
from tests.e2e.fleet import Fleet

Turn = Callable[[int], object]


def held(thing: object) -> int:
    """How many objects can be reached from it, classes and modules apart."""
    seen: dict[int, object] = {}
    todo = [thing]
    while todo:
        one = todo.pop()
        if id(one) not in seen and not isinstance(one, type | ModuleType) and not callable(one):
            seen[id(one)] = one
            todo += [*gc.get_referents(one), *(one if isinstance(one, dict) else ())]
    return len(seen)


def commits(room: Path) -> tuple[object, Turn]:
    """A commit each turn; authors and ancestors are asked for as each round does."""
    fleet = Fleet(room)
    fleet.task("one")
    first = fleet.commit()
    wanted = Wanted(open_repository(str(fleet.repo), room), "main")
    ledger = Ledger.open(room / "ledger.db")

    def turn(number: int) -> None:
        fleet.task("one", f"true {number}")
        commit = fleet.commit()
        desired, _ = wanted.read(ledger)
        assert desired.revision == commit
        assert wanted.authors(desired, {"one": "tasks/one.yaml"}) == {"one": "Ada"}
        assert wanted.contains(first, commit)

    return [wanted, wanted.parser], turn


def hosts(room: Path) -> tuple[object, Turn]:
    """Another host each turn, which refuses the login; the one before has left git."""
    sights, denials = Sights("0123abcd"), Denials()

    def turn(number: int) -> None:
        name = f"host-{number}"
        sights.note(name, Unseen("no", denied=True))
        denials.note(name, Host(name), Unseen("no", denied=True), 0.0)
        sights.keep({name})
        denials.keep({name})
        assert denials.patient({name: Host(name)}, 1.0) == {name}

    return [sights, denials], turn


def doors(room: Path) -> tuple[object, Turn]:
    """A Host whose document changes each turn: another door each time."""
    masters, settings = Masters(room), Settings(room)

    def turn(number: int) -> None:
        way = door(Host("box", address="127.0.0.1", port=1000 + number, proxy_jump=f"jump{number}"), settings)
        with masters.session(way, 1), masters.entering(way, 0.1):
            masters.socket(way)

    return masters, turn


@pytest.mark.parametrize("life", [commits, hosts, doors], ids=lambda life: life.__name__)
def test_what_passes_by_is_not_kept(life: Callable[[Path], tuple[object, Turn]], tmp_path: Path) -> None:
    thing, turn = life(tmp_path)
    for number in range(10):
        turn(number)
    before = held(thing)
    for number in range(10, 30):
        turn(number)
    assert held(thing) <= before


def test_files_of_hosts_that_nobody_asks_any_more_go_after_a_day(tmp_path: Path) -> None:
    settings = Settings(tmp_path)
    stays = Host("stays", address="127.0.0.1", proxy_jump="jump")
    for number in range(20):
        door(Host(f"leaves-{number}", address="127.0.0.1"), settings)
    door(stays, settings)
    (settings.folder / ".stays.01234567.conf.7.0123abcd").write_text("a draft of somebody who was killed")
    settings.known_hosts.write_text("box ssh-ed25519 AAAA\n")
    for file in settings.folder.iterdir():
        os.utime(file, (time.monotonic(), time.monotonic() - 1e8))
    door(stays, settings)  # it is asked all the time
    door(Host("new", address="127.0.0.1"), settings)
    left = {file.name.split(".")[0] or "draft" for file in settings.folder.iterdir()}
    assert left == {"stays", "new", "known_hosts"}


def test_of_tokens_that_change_all_the_time_the_newest_are_masked() -> None:
    redactor = Redactor()
    redactor.add(["first-secret"])
    for number in range(999):
        redactor.add([f"secret-{number:04}"])
    redactor.add(["first-secret"])  # it is still in use
    redactor.add(["secret-last"])
    told = "first-secret secret-0000 secret-0001 secret-0998 secret-last"
    assert redactor.scrub(told) == "*** secret-0000 *** *** ***"
