"""Several real hosts: sshd, homes, processes and boot ids of their own."""

from collections.abc import Callable

import pytest

from tests.e2e.fleet import Fleet
from tests.machines.machine import Machine

OnMachines = Callable[..., tuple[Fleet, list[Machine]]]

pytestmark = [pytest.mark.machines]


def test_thirty_tasks_on_three_hosts(on_machines: OnMachines) -> None:
    fleet, machines = on_machines(3, slots=2)
    for number in range(30):
        priority = ("low", "normal", "high", "urgent")[number % 4]
        after = [f"t{number - 10}"] if number >= 20 else []
        fleet.task(f"t{number}", 'echo "$RECONCILER_RUN" >>~/starts', priority=priority, dependsOn=after)
    fleet.task(
        "flaky",
        'echo x >>~/tries; test "$(cat ~/tries | wc -l)" -ge 3',
        retries={"limit": 2, "backoff": "1s"},
        host=machines[0].name,
    )
    fleet.commit()
    report = fleet.reconcile()
    assert report["exit"]["code"] == 0
    assert set(fleet.phases().values()) == {"Succeeded"}
    starts = "".join((machine.home / "starts").read_text() for machine in machines).split()
    assert len(starts) == len(set(starts)) == 30
    again = fleet.reconcile()
    assert (again["changes"], again["exit"]["code"]) == ([], 0)
    assert fleet.run("plan", "--detailed-exitcode").returncode == 0
    rows = fleet.run("get", "tasks").stdout
    fresh = fleet.other_controller("fresh")
    fresh.reconcile()
    assert [line.split()[:4] for line in fresh.run("get", "tasks").stdout.splitlines()] == [
        line.split()[:4] for line in rows.splitlines()
    ]
    starts = "".join((machine.home / "starts").read_text() for machine in machines).split()
    assert len(starts) == 30


def test_a_launch_tells_every_host_of_its_commit(on_machines: OnMachines) -> None:
    fleet, machines = on_machines(2)
    fleet.task("one", host="box1")
    fleet.commit()
    fleet.reconcile()
    fleet.task("two", host="box1")
    commit = fleet.commit()
    fleet.reconcile()
    assert [(machine.home / ".reconciler/_/revision").readlink().name for machine in machines] == [commit] * 2
