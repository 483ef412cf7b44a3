"""The machines themselves: hosts of their own, and nothing of them stays."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.machines.cluster import Cluster
from tests.machines.loopback import LoopbackHost
from tests.machines.machine import Machine, reachable
from tests.machines.network import ip, why_not
from tests.waiting import until


def login(host: Machine | LoopbackHost, command: str) -> str:
    options = ["BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "ConnectTimeout=3"]
    options = [word for option in options for word in ("-o", option)]
    words = ["ssh", "-F", "none", "-p", str(host.port), "-i", str(host.login_key), *options, host.address, command]
    return subprocess.run(words, check=False, capture_output=True, text=True, timeout=20).stdout.strip()


@pytest.mark.machines
def test_three_hosts_are_their_own(cluster: Cluster) -> None:
    boxes = cluster.add(3)
    said = [
        login(box, "echo $(hostname) $HOME $(cat /proc/sys/kernel/random/boot_id); echo >$HOME/was-here")
        for box in boxes
    ]
    assert said == [f"{box.name} /root {box.boot_id}" for box in boxes]
    assert len({box.boot_id for box in boxes}) == 3
    assert all((box.home / "was-here").exists() for box in boxes)
    assert not Path("/root/was-here").exists()


@pytest.mark.machines
def test_a_reboot_keeps_the_home_and_nothing_else(machine: Machine) -> None:
    login(machine, "echo kept >file; setsid sleep 999 >/dev/null 2>&1 </dev/null &")
    former = machine.boot_id
    until(lambda: [process for process in machine.processes() if process.command == "sleep 999"])
    machine.reboot()
    assert not [process for process in machine.processes() if process.command == "sleep 999"]
    assert login(machine, "cat file /proc/sys/kernel/random/boot_id") == f"kept\n{machine.boot_id}"
    assert machine.boot_id != former


@pytest.mark.machines
def test_a_disk_can_be_full_and_survives_a_reboot(cluster: Cluster) -> None:
    (box,) = cluster.add(disk=4)
    box.run("bash", "-c", "cat /dev/zero >full", check=False)
    assert box.run("bash", "-c", "cp full more 2>/dev/null || echo full") == "full\n"
    box.reboot()
    assert "full\n" in box.run("ls")


@pytest.mark.machines
@pytest.mark.parametrize(
    ("break_it", "mend_it"),
    [(Machine.cut, Machine.heal), (Machine.refuse, Machine.heal), (Machine.freeze, Machine.thaw)],
)
def test_a_host_can_be_cut_off_and_frozen(
    machine: Machine, break_it: Callable[[Machine], None], mend_it: Callable[[Machine], None]
) -> None:
    break_it(machine)
    assert login(machine, "echo here") == ""
    mend_it(machine)
    assert login(machine, "echo here") == "here"


@pytest.mark.machines
def test_a_host_that_is_cut_off_stays_so_over_a_reboot(machine: Machine) -> None:
    machine.cut()
    machine.reboot()
    assert not reachable(machine.address, 22, 1)
    machine.heal()
    assert reachable(machine.address, 22, 3)


def test_nothing_stays_when_the_test_process_is_killed(tmp_path: Path) -> None:
    if why := why_not():
        pytest.skip(why)
    command = [sys.executable, "-m", "tests.machines", "up", "1"]
    with (tmp_path / "out").open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, cwd=Path(__file__).parents[2])
    until(lambda: "spec:" in (tmp_path / "out").read_text())
    address = next(line.split()[1] for line in (tmp_path / "out").read_text().splitlines() if "address:" in line)
    assert reachable(address, 22)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    until(lambda: not reachable(address, 22, 1))
    with Cluster() as cluster:  # the next one clears the rest away
        bridge = f"rxbr{address.split('.')[2]}"
        assert cluster.network.bridge == bridge or f" {bridge}:" not in ip("link", "show")
        assert not list(Path("/var/tmp").glob(f"reconciler-machines-{process.pid}-*"))


@pytest.mark.ssh
def test_a_loopback_host_has_a_home_of_its_own(loopback: Callable[[str], LoopbackHost]) -> None:
    one, other = loopback("box1"), loopback("box2")
    assert [login(box, "echo $HOME") for box in (one, other)] == [str(one.home), str(other.home)]
