"""The daemon and several real hosts: doorbells, broken channels, hosts that freeze, another daemon elsewhere."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.fleet import Fleet
from tests.e2e.watching import Watch, ssh_of
from tests.machines.machine import Machine
from tests.waiting import until

OnMachines = Callable[..., tuple[Fleet, list[Machine]]]

pytestmark = [pytest.mark.machines]

UNTIL_GO = "until test -e ~/go; do sleep 0.05; done; date +%s.%N >~/ended"


def holders(machines: list[Machine]) -> int:
    """How many of them have an open doorbell."""
    files = [machine.home / ".reconciler/_/holder" for machine in machines]
    return sum(1 for file in files if file.exists() and file.read_text())


def test_an_end_is_known_within_a_second(on_machines: OnMachines) -> None:
    fleet, machines = on_machines(1)
    fleet.fleet(interval="1h")
    fleet.task("one", UNTIL_GO)
    fleet.commit()
    with Watch(fleet) as watch:
        watch.says("started one")
        until(lambda: holders(machines) == 1)
        time.sleep(6)  # so that no look around is due by chance
        (machines[0].home / "go").touch()
        watch.says("ended one")
        known = time.time()
        assert known - float((machines[0].home / "ended").read_text()) < 1


@pytest.mark.parametrize("how", ["its ssh was killed", "the network was cut"])
def test_an_end_behind_a_broken_channel_is_known_all_the_same(on_machines: OnMachines, how: str) -> None:
    fleet, machines = on_machines(1, deadline="3s")
    fleet.fleet(interval="2s" if "cut" in how else "1h")
    fleet.task("one", UNTIL_GO)
    fleet.commit()
    with Watch(fleet) as watch:
        watch.says("started one")
        until(lambda: holders(machines) == 1)
        if "cut" in how:
            machines[0].cut()
            (machines[0].home / "go").touch()
            watch.says("unseen box1")
            machines[0].heal()
        else:
            # The one client that lasts is the channel; the shared connection stays.
            clients = until(lambda: [pid for pid, words in ssh_of(watch.pid, fleet).items() if "[mux]" not in words])
            time.sleep(1)
            for pid in ssh_of(watch.pid, fleet).keys() & set(clients):
                os.kill(pid, signal.SIGKILL)
            (machines[0].home / "go").touch()
        watch.says("ended one", timeout=30)
        assert watch.log.count("launched") == 1


@pytest.mark.parametrize("when", ["before it was ever seen", "in the middle of a call"])
def test_a_frozen_host_does_not_hold_up_the_end(on_machines: OnMachines, when: str) -> None:
    fleet, machines = on_machines(2)
    fleet.task("long", "sleep 600", host="box1")
    fleet.commit()
    if "before" in when:
        fleet.run("reconcile", check=0)
        machines[1].freeze()
    with Watch(fleet) as watch:
        if "before" in when:
            until(lambda: len(ssh_of(watch.pid, fleet)) >= 2)
        else:
            watch.says("started long")
            machines[1].freeze()
            fleet.task("other", host="box2")
            fleet.commit()
            watch.says("launched other")
        assert watch.end() == 0
        assert ssh_of(watch.pid, fleet) == {}
        assert [process for process in machines[0].processes() if process.command == "sleep 600"]
    machines[1].thaw()


def test_another_daemon_elsewhere_is_told_who_holds_the_fleet(on_machines: OnMachines) -> None:
    fleet, machines = on_machines(2)
    fleet.task("one")
    fleet.commit()
    other = fleet.other_controller("elsewhere")
    with Watch(fleet) as first:
        first.says("ended one")
        until(lambda: holders(machines) == 2)
        ledger = (machines[0].home / ".reconciler/_/holder").read_text().split()[0]
        with Watch(other) as second:
            assert second.ended() == 7
            assert f"held by {ledger}" in second.log
        assert first.process.poll() is None
        with Watch(other, "--take-over") as second:
            assert first.ended() == 7
            other.task("two")
            other.commit()
            second.says("ended two")
            assert second.end() == 0
        assert Path(machines[0].home / ".reconciler/_/holder").read_text() == ""


def test_a_host_that_refused_the_login_is_asked_again_when_somebody_calls_reconcile(on_machines: OnMachines) -> None:
    fleet, machines = on_machines(1)
    keys = machines[0].folder / "authorized_keys"
    allowed = keys.read_text()
    keys.write_text("")
    fleet.task("one", "true")
    fleet.commit()
    with Watch(fleet) as watch:
        watch.says("unseen box1: permission denied")
        keys.write_text(allowed)
        assert fleet.run("reconcile", "--wait", check=0).stdout
        assert fleet.phases() == {"one": "Succeeded"}
