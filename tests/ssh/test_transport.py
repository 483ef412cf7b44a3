"""Calls to real sshd: an answer, or unknown in time; never an effect twice."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.remote.transport import Remote
from tests.machines.cluster import Cluster
from tests.machines.machine import Machine
from tests.ssh.talking import ask, eventually, host, masters, remote

pytestmark = pytest.mark.machines


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Remote]:
    """A Remote that is closed in the end, after which no master lives."""
    made = remote(tmp_path / "state")
    yield made
    made.close()
    assert eventually(lambda: not masters())


def test_a_call_is_answered(hosts: Remote, machine: Machine) -> None:
    assert ask(hosts, host(machine), 'echo "$(hostname) $HOME $(cat /proc/sys/kernel/random/boot_id)"') == (
        f"{machine.name} /root {machine.boot_id}"
    )


def test_noise_of_the_login_is_ignored_and_bytes_arrive(hosts: Remote, machine: Machine) -> None:
    (machine.home / ".bashrc").write_text("echo Welcome; echo 0123 begin; head -c 70000 /dev/urandom\n")
    assert ask(hosts, host(machine), r"printf 'a\nb \377\033[1m'") == "a\nb \ufffd\033[1m"


def test_the_second_call_shares_the_connection(hosts: Remote, machine: Machine) -> None:
    box = host(machine)
    assert ask(hosts, box, "echo $PPID") == ask(hosts, box, "echo $PPID") != ""
    assert len(masters()) == 1


def test_first_contact_is_made_once_however_many_call(hosts: Remote, machine: Machine) -> None:
    with ThreadPoolExecutor(12) as pool:
        answers = set(pool.map(lambda _: ask(hosts, host(machine), "sleep 0.2; echo $PPID"), range(12)))
    assert len(answers) == 1, answers
    assert len(masters()) == 1


def test_another_way_is_another_connection(hosts: Remote, machine: Machine) -> None:
    box = host(machine)
    assert ask(hosts, box, "echo $PPID") != ask(hosts, replace(box, ssh_options={"Compression": "yes"}), "echo $PPID")


def test_a_hung_master_costs_seconds_and_is_put_down(hosts: Remote, machine: Machine) -> None:
    box = host(machine)
    assert ask(hosts, box, "echo here") == "here"
    (hung,) = masters()
    os.kill(hung, signal.SIGSTOP)
    before = time.monotonic()
    assert ask(hosts, box, "echo here", repeatable=True) == "here"
    assert time.monotonic() - before < 7
    assert eventually(lambda: hung not in masters())
    assert ask(hosts, box, "echo here") == "here"


def test_an_effect_over_a_hung_master_happens_once_or_is_unknown(hosts: Remote, machine: Machine) -> None:
    box = host(machine)
    assert ask(hosts, box, "echo >>~/effects") == ""
    (hung,) = masters()
    os.kill(hung, signal.SIGSTOP)
    before = time.monotonic()
    said = ask(hosts, box, "echo >>~/effects", deadline=6)
    assert time.monotonic() - before < 7
    # ssh itself may turn to a connection of its own, as long as it has not handed over anything.
    assert (said, ask(hosts, box, "wc -l <~/effects")) in (("", "2"), ("unknown: timed out after 6 s", "1"))


def test_an_effect_whose_master_is_killed_is_unknown_and_not_repeated(hosts: Remote, machine: Machine) -> None:
    box = host(machine)
    ask(hosts, box, "true")
    threading.Timer(0.5, lambda: os.kill(masters()[0], signal.SIGKILL)).start()
    assert ask(hosts, box, "echo >>~/effects; sleep 2").startswith("unknown: ")
    time.sleep(2)
    assert ask(hosts, box, "wc -l <~/effects") == "1"


def test_a_stale_socket_does_not_matter(hosts: Remote, machine: Machine) -> None:
    box = host(machine)
    ask(hosts, box, "true")
    os.kill(masters()[0], signal.SIGKILL)
    assert eventually(lambda: not masters())
    assert ask(hosts, box, "echo here") == "here"


@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize("repeatable", [False, True])
def test_a_cut_network_is_unknown_within_the_deadline(
    hosts: Remote, machine: Machine, warm: bool, repeatable: bool
) -> None:
    box = host(machine, deadline=4.0)
    if warm:
        ask(hosts, box, "true")
    machine.cut()
    before = time.monotonic()
    why = ask(hosts, box, "echo here", deadline=4, repeatable=repeatable)
    assert why in ("unknown: timed out after 4 s", "unknown: connection timed out")
    assert time.monotonic() - before < 4.5
    machine.heal()
    assert eventually(lambda: ask(hosts, box, "echo here", deadline=4, repeatable=True) == "here", 20)


def test_a_reboot_is_seen_at_once_by_a_look(hosts: Remote, machine: Machine) -> None:
    box = host(machine)
    ask(hosts, box, "true")
    former = machine.boot_id
    machine.reboot()
    before = time.monotonic()
    now = ask(hosts, box, "cat /proc/sys/kernel/random/boot_id", repeatable=True)
    assert now == machine.boot_id != former
    assert time.monotonic() - before < 8


def test_a_frozen_sshd_is_unknown_and_delays_nobody(hosts: Remote, cluster: Cluster) -> None:
    frozen, well = cluster.add(2)
    frozen.freeze()
    slow: list[str] = []
    waiting = threading.Thread(target=lambda: slow.append(ask(hosts, host(frozen, deadline=3.0), "true", deadline=3)))
    waiting.start()
    before = time.monotonic()
    assert ask(hosts, host(well), "echo here") == "here"
    assert time.monotonic() - before < 1.5
    waiting.join(5)
    assert slow[0] in ("unknown: timed out after 3 s", "unknown: connection timed out")
    frozen.thaw()
    assert ask(hosts, host(frozen), "echo here") == "here"


def test_a_slow_host_is_heard_although_it_is_asked_twice(hosts: Remote, machine: Machine) -> None:
    box = host(machine)
    ask(hosts, box, "true")
    assert ask(hosts, box, "sleep 5; echo here", repeatable=True) == "here"


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("kill -KILL $$", "answer was cut short"),
        ("exec 1>&-; kill -KILL $PPID $$", "answer was cut short"),
        ("sleep 60", "timed out after 3 s"),
    ],
)
def test_no_end_is_unknown(hosts: Remote, machine: Machine, command: str, why: str) -> None:
    assert ask(hosts, host(machine), command, deadline=3) in (f"unknown: {why}", "unknown: connection closed")


def test_a_pinned_key_is_all_that_counts(hosts: Remote, cluster: Cluster) -> None:
    one, other = cluster.add(2)
    assert ask(hosts, host(one), "echo here") == "here"
    why = ask(hosts, host(one, host_keys=(other.host_key,)), "echo here")
    assert why.startswith("unknown: host key is not the pinned one (now SHA256:")
    assert ask(hosts, host(one, host_keys=(other.host_key, one.host_key)), "echo here") == "here"
    assert ask(hosts, host(one, host_keys=(cluster_rsa(),)), "echo here").startswith(
        "unknown: host key is not the pinned one"
    )


def cluster_rsa() -> str:
    """A key of a type that the machines do not have."""
    return "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBF" + "A" * 85 + "="


def test_the_first_key_is_remembered_and_a_changed_one_is_an_error(
    hosts: Remote, machine: Machine, tmp_path: Path
) -> None:
    box = host(machine, host_keys=())
    assert ask(hosts, box, "echo here") == "here"
    known = tmp_path / "state" / "ssh" / "known_hosts"
    assert known.read_text() == f"{machine.address} {machine.host_key}\n"
    machine.stop()
    machine.new_host_key()
    machine.start()
    hosts.close()
    again = remote(tmp_path / "state")
    why = ask(again, box, "echo here")
    assert why.startswith("unknown: host key changed (now SHA256:")
    assert why.endswith(f"remove line 1 of {known}")
    assert ask(again, replace(box, host_keys=(machine.host_key,)), "echo here") == "here"


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"port": 1}, "connection refused"),
        ({"user": "nobody"}, "permission denied (publickey)"),
        ({"address": "no.such.host.invalid"}, "name does not resolve (no.such.host.invalid)"),
        ({"identity_file": "/no/such/key"}, "identity file /no/such/key does not exist"),
    ],
)
def test_why_a_host_is_unseen(hosts: Remote, machine: Machine, spec: dict[str, object], why: str) -> None:
    assert ask(hosts, host(machine, **spec), "true") == f"unknown: {why}"


def test_an_alias_of_the_users_configuration(tmp_path: Path, machine: Machine) -> None:
    users = tmp_path / "ssh config"
    users.write_text(
        f"Host mybox\n  HostName {machine.address}\n  User root\n  IdentityFile {machine.login_key}\n"
        "  ForwardAgent yes\n  RemoteCommand echo hijacked\n"
    )
    box = host(machine, address="mybox", user="", port=None, identity_file="")
    through = remote(tmp_path / "state", ssh_config=users)
    assert ask(through, box, "hostname") == machine.name
    without = remote(tmp_path / "state")
    assert ask(without, box, "hostname") == "unknown: name does not resolve (mybox)"
    through.close()


def test_a_jump_host_of_the_users_configuration(tmp_path: Path, cluster: Cluster) -> None:
    jump, target = cluster.add(2)
    users = tmp_path / "config"
    users.write_text(
        f"Host inner\n  HostName {target.address}\n  ProxyJump outer\nHost outer\n  HostName {jump.address}\n"
    )
    through = remote(tmp_path / "state", ssh_config=users)
    # What is written of the target, its pinned key above all, does not hold for the jump host.
    assert ask(through, host(target, address="inner"), 'echo "$(hostname) ${SSH_CLIENT%% *}"') == (
        f"{target.name} {jump.address}"
    )
    through.close()


def test_an_identity_file_for_all_hosts(tmp_path: Path, machine: Machine) -> None:
    through = remote(tmp_path / "state", identity_file=machine.login_key)
    assert ask(through, host(machine, identity_file="/no/such/key"), "echo here") == "here"
    through.close()


@pytest.mark.parametrize("hops", [1, 2])
def test_a_jump_host(hosts: Remote, cluster: Cluster, tmp_path: Path, hops: int) -> None:
    *jumps, target = cluster.add(hops + 1)
    # The target takes connections from the last jump host alone.
    target.run(*["iptables", "-A", "INPUT", "-p", "tcp", "--dport", "22", "!", "-s"], jumps[-1].address, "-j", "REJECT")
    jump = ",".join(f"root@{machine.address}:22" for machine in jumps)
    assert ask(hosts, host(target), "true", deadline=4) == "unknown: connection refused"
    assert ask(hosts, host(target, proxy_jump=jump), "hostname") == target.name
    assert {line.split()[0] for line in (tmp_path / "state/ssh/known_hosts").read_text().splitlines()} == {
        machine.address for machine in jumps
    }
    jumps[0].stop()
    assert ask(hosts, host(target, proxy_jump=jump, deadline=5.0), "hostname", deadline=5).startswith("unknown: ")


def test_a_jump_host_with_the_address_of_its_target(hosts: Remote, machine: Machine) -> None:
    jump = f"root@{machine.address}"
    assert ask(hosts, host(machine, proxy_jump=jump), "hostname") == machine.name


def test_nothing_is_left_of_a_hundred_calls(hosts: Remote, machine: Machine) -> None:
    box = host(machine)
    ask(hosts, box, "true")
    time.sleep(0.1)

    def census() -> tuple[int, int]:
        return len(list(Path("/proc/self/fd").iterdir())), threading.active_count()

    before, quiet = census(), len(machine.processes())
    for number in range(100):
        assert ask(hosts, box, "echo here" if number % 10 else "kill -KILL $$", repeatable=bool(number % 2)) != ""
    assert eventually(lambda: census() == before), (census(), before)
    assert eventually(lambda: len(machine.processes()) <= quiet), machine.processes()
    assert len(masters()) == 1


def test_close_ends_calls_under_way_and_leaves_no_ssh(hosts: Remote, machine: Machine) -> None:
    box = host(machine, deadline=60)
    machine.freeze()
    answers: list[str] = []
    asking = threading.Thread(target=lambda: answers.append(ask(hosts, box, "true", deadline=60)))
    asking.start()
    mine = Path(f"/proc/{os.getpid()}/task")

    def children() -> list[str]:
        return " ".join(path.read_text() for path in mine.glob("*/children")).split()

    assert eventually(lambda: any(b"/ssh\0" in Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children()))
    hosts.close()
    asking.join(5)
    assert not asking.is_alive()
    assert not any(b"/ssh\0" in Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children())
    assert answers[0].startswith("unknown: ")
    machine.thaw()
