"""What a controller cannot mask it does not keep or show, and a secret that takes its time holds up nobody else."""

from pathlib import Path

import pytest

from tests.e2e.fleet import Fleet
from tests.waiting import until

VALUE = "zeisig-that-nobody-may-see"


@pytest.fixture
def configured(fleet: Fleet) -> Fleet:
    """A fleet on this machine; its controller finds LATER in its environment, and asks a command for SLOW."""
    fleet.local()
    folder = fleet.room / "config/reconciler"
    folder.mkdir(parents=True)
    (fleet.room / "ask").write_text(f"#!/bin/bash\nuntil [[ -e {fleet.room}/go ]]; do sleep 0.05; done\necho {VALUE}\n")
    (fleet.room / "ask").chmod(0o755)
    (folder / "secrets.yaml").write_text(f"SLOW: {{command: [{fleet.room}/ask]}}\n")
    fleet.environment["LATER"] = VALUE
    return fleet


def ended(fleet: Fleet) -> int:
    """How many runs have a result on the host."""
    return sum((run / "result").is_symlink() for run in fleet.room.glob("workspace-here/_/runs/*"))


def kept(fleet: Fleet) -> list[Path]:
    """Collected logs."""
    return list(fleet.state.glob("fleets/*/runs/*/stdout.log"))


def test_a_log_stays_on_its_host_until_it_can_be_masked(configured: Fleet) -> None:
    fleet = configured
    fleet.task("tells", 'echo "it is $LATER"', secrets=["LATER"])
    fleet.task("other", "echo harmless")
    fleet.commit()
    fleet.run("reconcile", check=0)
    until(lambda: ended(fleet) == 2)
    other = fleet.other_controller("other")
    del other.environment["LATER"]
    report = other.json("reconcile", "--take-over", check=3)
    told = next(change["error"] for change in report["changes"] if change["task"] == "tells")
    assert "secret LATER is missing" in told
    assert "LATER: {gone: true}" in told
    assert [path.read_text() for path in kept(other)] == ["harmless\n"]
    refused = other.run("logs", "tells", check=1)
    assert "cannot be masked here" in refused.stderr
    assert VALUE not in refused.stdout + refused.stderr
    other.environment["LATER"] = VALUE
    other.run("reconcile", check=0)
    assert other.run("logs", "tells", check=0).stdout == f"it is {'*' * len(VALUE)}\n"


def test_what_was_revoked_need_not_be_masked(configured: Fleet) -> None:
    fleet = configured
    fleet.task("tells", 'echo "it is $LATER"', secrets=["LATER"])
    fleet.commit()
    fleet.run("reconcile", check=0)
    until(lambda: ended(fleet) == 1)
    (fleet.room / "config/reconciler/secrets.yaml").write_text("LATER: {gone: true}\n")
    other = fleet.other_controller("other")
    other.run("reconcile", "--take-over", check=0)
    assert [path.read_text() for path in kept(other)] == [f"it is {VALUE}\n"]


def test_a_secret_that_takes_its_time_holds_up_nobody_else(configured: Fleet) -> None:
    fleet = configured
    fleet.task("slow", 'echo "it is $SLOW"', secrets=["SLOW"])
    fleet.task("quick", f"touch {fleet.room}/quick")
    fleet.commit()
    process = fleet.start("reconcile", "--wait", "--timeout", "60s")
    until(lambda: (fleet.room / "quick").exists())
    assert process.poll() is None
    assert not list(fleet.room.glob("workspace-here/_/runs/slow-*"))
    (fleet.room / "go").touch()
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 0, out + errors
    assert fleet.phases() == {"quick": "Succeeded", "slow": "Succeeded"}
    assert [path.read_text() for path in kept(fleet) if path.parent.name.startswith("slow-")] == [
        f"it is {'*' * len(VALUE)}\n"
    ]
