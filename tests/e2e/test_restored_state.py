"""A backup of the state directory is put back: what was started since is in no ledger, but may run on a host."""

import shutil

import pytest

from tests.e2e.fleet import Fleet
from tests.e2e.hosts import LONG, OnMachines, changes, once, settle, starts, where, whys
from tests.machines.cluster import Cluster

pytestmark = [pytest.mark.machines]


def test_nothing_starts_twice_while_the_host_that_knows_cannot_be_asked(
    on_machines: OnMachines, cluster: Cluster, fleet: Fleet
) -> None:
    _, (one, two) = on_machines(2, deadline="4s")
    fleet.task("before", "true")
    fleet.commit()
    settle(fleet, lambda: where(fleet)["before"].startswith("Succeeded"))
    shutil.copytree(fleet.state, fleet.room / "copy")
    fleet.task("since", LONG, hostSelector={})
    fleet.commit()
    settle(fleet, lambda: where(fleet)["since"].startswith("Running"))
    knows = one if starts(one) else two
    shutil.rmtree(fleet.state)
    shutil.copytree(fleet.room / "copy", fleet.state)
    knows.cut()
    for command in ("plan", "reconcile"):
        report = fleet.json(command, check=3)
        assert "launch" not in {action for action, _, _ in changes(report)}
        assert whys(report)["since"].startswith("nothing starts before every host was seen once")
    knows.heal()
    settle(fleet, lambda: where(fleet)["since"] == f"Running {knows.name}")
    assert "launch" not in {action for action, _, _ in changes(once(fleet))}
    assert len(starts(one, two)) == 1
