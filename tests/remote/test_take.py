"""The lease: who may act on a host."""

import os
import re
import shutil
import subprocess
from dataclasses import replace
from threading import Thread

import pytest

from tests.remote.harness import HostUnderTest
from tests.waiting import until


def test_observing_an_empty_host_makes_nothing(empty_host: HostUnderTest):
    answer = empty_host.observe()
    assert answer.code == 0
    marks = answer.pairs("workspace")
    assert float(marks.pop("now")) > 1e9
    assert marks == {"fleet": "", "id": "", "name": "", "lease": "", "revision": "", "holder": ""}
    assert answer["records"] == answer["live"] == ""
    assert not empty_host.root.exists()


def test_facts(empty_host: HostUnderTest):
    facts = empty_host.observe().pairs("facts")
    assert facts["boot_id"] == open("/proc/sys/kernel/random/boot_id").read().strip()
    for key in ("uptime", "load1", "memory_free", "swap_free", "disk_free", "inodes_free"):
        assert float(facts[key]) >= 0, key
    assert int(facts["disk_free"]) > 1 << 20


def test_taking_makes_the_workspace(empty_host: HostUnderTest):
    answer = empty_host.take()
    marks = answer.pairs("workspace")
    assert answer.code == 0
    assert (marks["fleet"], marks["name"]) == ("fleet-0001;demo", "h1")
    assert (marks["lease"], marks["revision"]) == ("1;0a1b2c3d", "")
    assert re.fullmatch("[0-9a-f]{32}", marks["id"])
    assert empty_host.root.stat().st_mode & 0o777 == 0o700


def test_taking_again_is_a_no_op(host: HostUnderTest):
    before = {path: os.lstat(path).st_ino for path in host.root.rglob("*")}
    assert host.take().code == 0
    assert {path: os.lstat(path).st_ino for path in host.root.rglob("*")} == before


@pytest.mark.parametrize(
    "number, ledger, code",
    [
        (1, "0a1b2c3d", 0),
        (2, "0a1b2c3d", 0),
        (2, "ffffffff", 0),
        (1, "ffffffff", 3),
        (10, "ffffffff", 0),
    ],
)
def test_only_a_higher_number_takes_the_lease(host: HostUnderTest, number: int, ledger: str, code: int):
    answer = replace(host, number=number, ledger=ledger).take()
    assert answer.code == code
    if code:
        assert answer["lease"] == "1;0a1b2c3d"
    else:
        assert answer.pairs("workspace")["lease"] == f"{number};{ledger}"


def test_a_lower_number_is_refused_even_to_its_own_ledger(host: HostUnderTest):
    assert replace(host, number=9).take().code == 0
    answer = replace(host, number=8).take()
    assert (answer.code, answer["lease"]) == (3, "9;0a1b2c3d")


@pytest.mark.parametrize("verb", ["take", "act", "reset"])
def test_another_fleet_is_left_alone(host: HostUnderTest, verb: str):
    answer = replace(host, fleet_id="fleet-0002", fleet_name="other", number=5).call(verb)
    assert answer.code == 4
    assert answer.pairs("workspace")["fleet"] == "fleet-0001;demo"
    assert host.observe().pairs("workspace")["lease"] == "1;0a1b2c3d"


def test_another_host_name_shares_a_workspace_only_as_a_rename(host: HostUnderTest):
    renamed = replace(host, host_name="h2", number=2)
    answer = renamed.take()
    assert (answer.code, answer.pairs("workspace")["name"]) == (4, "h1")
    assert renamed.take(rename_from="h3").code == 4
    assert renamed.take(rename_from="h1").pairs("workspace")["name"] == "h2"


@pytest.mark.parametrize("verb", ["act", "reset"])
@pytest.mark.parametrize("change", [{"number": 2}, {"ledger": "ffffffff"}])
def test_changes_need_exactly_the_lease(host: HostUnderTest, verb: str, change: dict[str, object]):
    answer = replace(host, revision="other", **change).call(verb)  # type: ignore[arg-type]
    assert (answer.code, answer["lease"]) == (3, "1;0a1b2c3d")
    assert host.observe().pairs("workspace")["revision"] == ""


def test_changes_without_a_workspace_are_refused(empty_host: HostUnderTest):
    answer = empty_host.call("act")
    assert (answer.code, answer["lease"]) == (3, "")
    assert not empty_host.root.exists()


def test_acting_records_the_revision_and_reports(host: HostUnderTest):
    answer = replace(host, revision="0" * 40).call("act")
    assert answer.code == 0
    assert answer.pairs("workspace")["revision"] == "0" * 40
    assert {"records", "live", "facts", "trash"} <= {name for name, _ in answer.frames}


def test_racing_controllers_take_one_after_the_other(empty_host: HostUnderTest):
    answers = {}

    def take(number: int) -> None:
        answers[number] = replace(empty_host, number=number, ledger=f"{number:08x}").take()

    threads = [Thread(target=take, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.code for answer in answers.values()} <= {0, 3}
    assert answers[8].code == 0
    assert empty_host.observe().pairs("workspace")["lease"] == "8;00000008"
    ids = {answer.pairs("workspace")["id"] for answer in answers.values() if answer.code == 0}
    assert len(ids) == 1


def test_what_a_wiped_workspace_left_running_is_ended_before_there_is_a_new_one(host: HostUnderTest):
    assert host.launch("a-00000001-1", "trap '' TERM\nsetsid sleep 601 &\nsleep 600") == "accepted"
    until(lambda: len(host.marked("a-00000001-1")) >= 3)
    marks = {"RECONCILER_MARK": "b-1;x", "RECONCILER_RUN_DIR": f"{host.root}-other/_/runs/b-1"}
    with subprocess.Popen(["sleep", "602"], env={**host.env, **marks}) as stranger:
        shutil.rmtree(host.root)
        assert host.take().code == 0
        assert host.marked("a-00000001-1") == []
        assert stranger.poll() is None
        stranger.kill()
