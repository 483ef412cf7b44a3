"""The life of hosts: cut off, rebooted, renamed, moved, removed, wiped, gone, drained. Nothing runs twice, nobody waits."""

import re
import time
from collections.abc import Callable

import pytest

from tests.e2e.hosts import (
    BEGIN,
    LONG,
    OnMachines,
    at,
    changes,
    declare,
    events,
    launched,
    once,
    settle,
    starts,
    unreachable,
    where,
    whys,
    workers,
)
from tests.machines.machine import Machine
from tests.waiting import until

pytestmark = [pytest.mark.machines]


@pytest.mark.parametrize(
    ("break_it", "mend_it", "words"),
    [(Machine.cut, Machine.heal, ["--wait", "--allow-prune"]), (Machine.freeze, Machine.thaw, [])],
    ids=["cut", "frozen"],
)
def test_a_host_that_does_not_answer_delays_nobody_and_loses_nothing(
    on_machines: OnMachines, break_it: Callable[[Machine], None], mend_it: Callable[[Machine], None], words: list[str]
) -> None:
    fleet, (one, _) = on_machines(2, deadline="5s")
    ends = f"{BEGIN}until test -e ~/go; do sleep 0.1; done; echo the result"
    fleet.task("stays", LONG, host="box1")
    fleet.task("ends", ends, host="box1")
    fleet.commit()
    once(fleet)
    until(lambda: len(starts(one)) == 2)
    once(fleet)
    break_it(one)
    # Edited, deleted: nothing of it is cancelled, started elsewhere or pruned.
    fleet.task("stays", LONG + "# an edit", host="box1")
    fleet.remove("tasks/ends.yaml")
    fleet.task("new", BEGIN)
    fleet.commit()
    before = time.time()
    report = once(fleet, 3, *words)
    took = time.time() - before
    assert took < 5 + 4, took
    assert {host for _, _, host in changes(report)} == {"box2"}
    assert set(unreachable(report)) == {"box1"}
    assert "host box1 unseen" in whys(report)["stays"]
    waited = at(events(fleet, "launched")[-1]) - at(events(fleet, "revision")[-1])
    assert waited <= 3, "the other host waited for it"
    tables = fleet.run("get", "tasks").stdout + fleet.run("get", "hosts").stdout
    rows = {line.split()[0]: line for line in tables.splitlines() if line}
    assert rows["stays"].split()[1:3] == ["Unknown", "box1"]
    assert re.search(r"last seen Running \d+s ago$", rows["stays"].rstrip())
    assert (rows["box1"].split()[1], rows["box2"].split()[1]) == ("Unreachable", "Ready")
    fleet.task("stays", LONG, host="box1")
    fleet.task("ends", ends, host="box1")
    fleet.commit()
    (one.home / "go").touch()
    mend_it(one)
    healed = {"ends": "Succeeded box1", "stays": "Running box1", "new": "Succeeded box2"}
    settle(fleet, lambda: where(fleet) == healed)
    assert once(fleet)["changes"] == []
    assert fleet.run("logs", "ends", check=0).stdout == "the result\n"
    assert len(starts(one)) == 2


def test_what_ran_on_a_rebooted_host_is_lost_and_retried_as_retries_says(on_machines: OnMachines) -> None:
    fleet, (one,) = on_machines(1)
    fleet.task("once", LONG)
    fleet.task("again", f"{BEGIN}test -e ~/x || {{ touch ~/x; sleep 600; }}", retries={"limit": 1, "backoff": "1s"})
    fleet.commit()
    once(fleet)
    until(lambda: len(starts(one)) == 2)
    one.reboot()
    report = fleet.reconcile(check=5)
    assert changes(report) >= {("settle", "once", "box1"), ("settle", "again", "box1"), ("launch", "again", "box1")}
    rows = {run["name"].rsplit("-", 2)[0] + run["name"][-2:]: run for run in fleet.json("get", "runs")["items"]}
    assert {name: (run["phase"], run["reason"]) for name, run in rows.items()} == {
        "once-1": ("Lost", "Rebooted"),
        "again-1": ("Lost", "Rebooted"),
        "again-2": ("Succeeded", None),
    }
    assert once(fleet)["changes"] == []
    assert len(starts(one)) == 3


def test_hosts_that_let_nobody_in_say_why_and_the_others_go_on(on_machines: OnMachines) -> None:
    fleet, (good, pinned, met, closed) = on_machines(4, deadline="5s")
    declare(fleet, met, hostKeys=[])
    fleet.task("first", BEGIN, host="box1")
    fleet.commit()
    once(fleet)
    for machine in (pinned, met):
        machine.stop()
        machine.new_host_key()
        machine.start()
    declare(fleet, closed, user="nobody")
    fleet.host("nowhere", address="no.such.name.invalid", deadline="5s")
    for machine in (good, pinned):
        fleet.task(f"on-{machine.name}", BEGIN, host=machine.name)
    fleet.commit()
    report = fleet.reconcile(check=3)
    why = unreachable(report)
    assert set(why) == {"box2", "box3", "box4", "nowhere"}
    assert why["box2"].startswith("host key is not the pinned one (now SHA256:")
    assert why["box3"].startswith("host key changed (now SHA256:")
    assert "known_hosts" in why["box3"]
    assert why["box4"] == "permission denied (publickey)"
    assert why["nowhere"] == "name does not resolve (no.such.name.invalid)"
    assert where(fleet) == {"first": "Succeeded box1", "on-box1": "Succeeded box1", "on-box2": "Pending None"}
    checks = fleet.json("host", "check", "--all", check=3)["checks"]
    steps: dict[str, list[str]] = {}
    for check in checks:
        assert set(check) == {"host", "name", "ok", "why"}
        steps.setdefault(check["host"], []).append(f"{check['name']} {'ok' if check['ok'] else check['why']}")
    assert steps["box2"][:2] == ["name ok", "port ok"]
    assert steps["box2"][2].startswith("login host key is not the pinned one")
    assert steps["box4"] == ["name ok", "port ok", "login permission denied (publickey)"]
    assert steps["nowhere"][0].startswith("name no.such.name.invalid does not resolve")
    assert {"login ok", "workspace ok", "disk ok", "clock ok", "programs ok", "lock ok"} <= set(steps["box1"])
    assert fleet.json("host", "check", "box1")["exit"] == {"code": 0, "name": "ok"}
    good.stop()
    assert [check["ok"] for check in fleet.json("host", "check", "box1", check=3)["checks"]] == [True, False]
    good.start()
    # The machine was set up anew: its new key is written down, and its work starts.
    declare(fleet, pinned)
    fleet.commit()
    assert ("launch", "on-box2", "box2") in changes(fleet.reconcile(check=3))


def test_a_refused_login_is_not_tried_again_and_again(on_machines: OnMachines) -> None:
    """sshd would lock the whole controller out (PerSourcePenalties)."""
    fleet, (one, two) = on_machines(2)
    fleet.task("first", BEGIN, host="box2")
    fleet.commit()
    once(fleet)
    declare(fleet, one, user="nobody")
    fleet.task("other", LONG, host="box2")
    fleet.commit()
    process = fleet.start("watch", "--interval", "1s")
    try:
        until(lambda: len(starts(two)) == 2)
        time.sleep(5)  # five rounds
    finally:
        process.terminate()
        process.communicate(timeout=20)
    log = (one.folder / "sshd.log").read_text().splitlines()
    assert len([line for line in log if "closed by authenticating" in line]) == 1, log


def test_a_removed_host(on_machines: OnMachines) -> None:
    fleet, (one, two) = on_machines(2, deadline="5s")
    fleet.task("done", BEGIN, hostSelector={})
    fleet.task("runs", LONG)
    fleet.commit()
    once(fleet)
    until(lambda: len(starts(one, two)) == 2)
    once(fleet)
    home, away = (one, two) if workers(one) else (two, one)
    refused = fleet.run("host", "remove", home.name, check=1)
    assert f"{home.name} has work on it (runs-" in refused.stderr
    assert (fleet.repo / f"hosts/{home.name}.yaml").exists()
    # Removed while it cannot be asked: it stays on the books, and nothing of it starts elsewhere.
    home.cut()
    fleet.run("host", "remove", home.name, "--force", check=0)
    for command in ("plan", "reconcile"):
        report = fleet.json(command, check=3)
        assert changes(report) == set()
        assert "stays on the books" in unreachable(report)[home.name]
        assert f"host {home.name} unseen" in whys(report)["runs"]
    # It is back: cancelled there, collected, cleaned; the task starts elsewhere.
    home.heal()
    assert ("cancel", "runs", home.name) in changes(fleet.json("plan"))
    settle(fleet, lambda: len(starts(away)) == len({*starts(away)}) and where(fleet)["runs"] == f"Running {away.name}")
    assert workers(home) == []
    until(lambda: once(fleet)["changes"] == [])
    assert [host["name"] for host in fleet.json("get", "hosts")["items"]] == [away.name]
    workspace = home.home / ".reconciler/_"
    assert [*(workspace / "runs").iterdir(), *(workspace / "trash").iterdir()] == []
    assert [mark.name[:5] for mark in (workspace / "done").iterdir() if mark.name.startswith("runs")] == ["runs-"]
    # Declared again: what is done there is done.
    before = len(starts(one, two))
    declare(fleet, home)
    fleet.task("new", BEGIN, host=home.name)
    fleet.commit()
    assert changes(once(fleet)) >= {("launch", "new", home.name)}
    until(lambda: len(starts(one, two)) == before + 1)
    assert where(fleet)["done"].startswith("Succeeded")


def test_renamed_moved_and_both(on_machines: OnMachines) -> None:
    fleet, (one, _) = on_machines(2, deadline="5s")

    def tasks(name: str) -> None:
        fleet.task("done", BEGIN, host=name)
        fleet.task("runs", LONG, host=name)

    def same(name: str) -> None:
        """Nothing changes, nothing waits, everything is on the host of that name."""
        for command in ("plan", "reconcile"):
            report = fleet.json(command)
            assert (report["changes"], report["waits"], report["unreachable"]) == ([], [], [])
        assert where(fleet) == {"done": f"Succeeded {name}", "runs": f"Running {name}"}
        assert len(starts(one)) == 2

    tasks("box1")
    fleet.commit()
    once(fleet)
    until(lambda: len(starts(one)) == 2)
    settle(fleet, lambda: where(fleet) == {"done": "Succeeded box1", "runs": "Running box1"})
    # Another name.
    fleet.remove("hosts/box1.yaml")
    declare(fleet, one, "uno")
    tasks("uno")
    fleet.commit()
    same("uno")
    # Another address, while the old one still answers, and when it does not any more.
    declare(fleet, one.move(), "uno")
    fleet.commit()
    same("uno")
    one.leave()
    same("uno")
    # Both at once; the old address is dead.
    fleet.remove("hosts/uno.yaml")
    declare(fleet, one.move(), "eins")
    one.leave()
    tasks("eins")
    fleet.commit()
    same("eins")
    assert [host["name"] for host in fleet.json("get", "hosts")["items"]] == ["box2", "eins"]
    # A workspace elsewhere on the same machine is another place: what runs in the old one is cancelled.
    declare(fleet, one, "eins", workspaceRoot="~/elsewhere")
    fleet.commit()
    settle(fleet, lambda: len(starts(one)) == 3)
    until(lambda: once(fleet)["changes"] == [])
    assert where(fleet) == {"done": "Succeeded eins", "runs": "Running eins"}
    assert [run.rsplit("-", 1)[1] for run in starts(one) if run.startswith("runs")] == ["1", "2"]
    assert len(workers(one)) == 1
    assert list((one.home / ".reconciler/_/runs").iterdir()) == []


def test_a_wiped_host(on_machines: OnMachines) -> None:
    fleet, (one, _) = on_machines(2)
    fleet.task("once", LONG, host="box1")
    fleet.task("again", LONG, host="box1", retries={"limit": 1, "backoff": "1s"})
    fleet.task("done", BEGIN, host="box1")
    fleet.commit()
    once(fleet)
    settle(fleet, lambda: where(fleet)["done"] == "Succeeded box1" and len(starts(one)) == 3)
    one.run("rm", "-rf", ".reconciler")
    fleet.run("reconcile", "--wait", "--timeout", "5s", check=6)
    runs = {item["name"]: (item["phase"], item["reason"]) for item in fleet.json("get", "tasks")["items"]}
    assert runs == {"once": ("Lost", "Vanished"), "again": ("Running", None), "done": ("Succeeded", None)}
    assert [run[-2:] for run in starts(one)[3:]] == ["-2"]
    assert len(workers(one)) == 1, "what ran in the old workspace was ended before the new one began"
    # Nothing remembers anything: everything is new, and still nothing runs twice at a time.
    one.run("rm", "-rf", ".reconciler")
    fresh = fleet.other_controller("fresh")
    once(fresh)
    until(lambda: len(starts(one)) == 7)
    assert len(workers(one)) == 2


def test_two_documents_for_one_workspace(on_machines: OnMachines) -> None:
    fleet, (one,) = on_machines(1)
    fleet.task("runs", LONG)
    fleet.commit()
    once(fleet)
    until(lambda: starts(one))
    declare(fleet, one, "twin")
    fleet.commit()
    assert "is the same place" in fleet.run("validate", check=1).stdout
    # By another address it only shows when it is looked at.
    first = one.address
    declare(fleet, one.move(), "twin")
    fleet.commit()
    report = once(fleet, 3)
    assert unreachable(report) == {"twin": "shares its workspace with box1: set workspaceRoot to a local disk"}
    assert (report["changes"], where(fleet)) == ([], {"runs": "Running box1"})
    declare(fleet, one, "twin", workspaceRoot="~/twin")
    fleet.task("other", BEGIN, host="twin")
    fleet.commit()
    settle(fleet, lambda: where(fleet) == {"runs": "Running box1", "other": "Succeeded twin"})
    assert first != one.address
    assert len(starts(one)) == 2


def test_a_host_declared_gone(on_machines: OnMachines) -> None:
    fleet, (one, two) = on_machines(2, deadline="20s")
    fleet.task("pinned", LONG, host="box1")
    fleet.task("moves", LONG, retries={"limit": 1, "backoff": "0s"}, host="box1")
    fleet.commit()
    once(fleet)
    until(lambda: len(starts(one)) == 2)
    one.cut()
    declare(fleet, one, gone="true", deadline="20s")
    fleet.task("moves", LONG, retries={"limit": 1, "backoff": "0s"})
    fleet.task("new", BEGIN)
    fleet.commit()
    before = time.time()
    report = once(fleet)
    assert time.time() - before < 15, "nobody waits for its deadline"
    assert unreachable(report) == {}
    assert changes(report) >= {("settle", "moves", None), ("launch", "moves", "box2"), ("launch", "new", "box2")}
    assert fleet.json("get", "tasks", "pinned")["items"][0]["reason"] == "HostGone"
    assert fleet.json("get", "hosts", "box1")["items"][0]["why"]
    until(lambda: len(starts(two)) == 2)
    one.heal()
    report = once(fleet)
    assert changes(report) >= {("cancel", "pinned", "box1"), ("cancel", "moves", "box1")}
    until(lambda: workers(one) == [])
    until(lambda: once(fleet)["changes"] == [])
    assert where(fleet)["moves"] == "Running box2"
    assert fleet.json("get", "hosts", "box1")["items"][0]["why"] == "declared gone"
    # Back for good: what was cancelled there may start again, and nothing else does.
    declare(fleet, one)
    fleet.commit()
    assert changes(once(fleet)) == {("launch", "pinned", "box1")}
    assert where(fleet)["moves"] == "Running box2"
    assert len(starts(two)) == 2


def test_cordon_drain_slots_disk_and_labels(on_machines: OnMachines) -> None:
    fleet, (one, two) = on_machines(2)
    for number in range(4):
        fleet.task(f"t{number}", LONG)
    fleet.commit()
    once(fleet)
    until(lambda: len(starts(one, two)) == 4)
    fleet.run("host", "cordon", "box1", check=0)
    fleet.task("here", BEGIN, host="box1")
    fleet.task("there", BEGIN)
    fleet.commit()
    report = once(fleet)
    assert changes(report) >= {("launch", "there", "box2")}
    assert whys(report)["here"] == "host box1 is cordoned"
    # Drained for ever: what runs may finish. Then at once: it goes elsewhere, and no attempt is lost by it.
    fleet.run("host", "drain", "box1", "--deadline", "never", check=0)
    assert whys(once(fleet))["here"] == "host box1 is draining"
    assert len(workers(one)) == 2
    fleet.run("host", "drain", "box1", "--deadline", "0s", check=0)
    settle(fleet, lambda: len(workers(two)) == 4)
    assert workers(one) == []
    hosts = {host["name"]: host for host in fleet.json("get", "hosts")["items"]}
    assert (hosts["box1"]["draining"], hosts["box1"]["active"], hosts["box2"]["active"]) == (True, 0, 4)
    fleet.run("host", "uncordon", "box1", check=0)
    assert changes(once(fleet)) >= {("launch", "here", "box1")}
    # A deadline counts from when the drain was first seen.
    fleet.run("host", "drain", "box2", "--deadline", "1h", check=0)
    assert once(fleet)["waits"] == []
    assert len(workers(two)) == 4
    fleet.run("host", "uncordon", "box2", check=0)
    # Fewer slots cancel nothing. Too little disk and labels that nobody has are said.
    declare(fleet, two, slots=1)
    declare(fleet, one, minFree="900TiB")
    fleet.task("more", BEGIN, host="box2")
    fleet.task("disk", BEGIN, host="box1")
    fleet.task("label", BEGIN, hostSelector={"matchLabels": {"gpu": "a100"}})
    fleet.commit()
    waits = whys(once(fleet))
    assert waits["more"] == "host box2 is full (4/1 slots)"
    assert "of disk free, less than minFree 900Ti" in waits["disk"]
    assert waits["label"] == "no host has the labels gpu=a100"
    assert len(workers(two)) == 4
    assert "less than minFree" in fleet.json("get", "hosts", "box1")["items"][0]["why"]
    assert fleet.json("host", "check", "box1", check=3)["checks"][-1]["ok"] is False
    declare(fleet, one)
    text = (fleet.repo / "hosts/box1.yaml").read_text()
    fleet.write("hosts/box1.yaml", text.replace("{name: box1}", "{name: box1, labels: {gpu: a100}}"))
    fleet.commit()
    assert launched(once(fleet)) == {("disk", "box1"), ("label", "box1")}


def test_another_attempt_after_a_while(on_machines: OnMachines) -> None:
    fleet, (one, two) = on_machines(2, deadline="3s")
    fleet.task("moves", LONG, replaceAfter="5s")
    fleet.task("stays", LONG)
    fleet.commit()
    once(fleet)
    until(lambda: len(starts(one, two)) == 2)
    once(fleet)
    home, away = (one, two) if starts(one)[0].startswith("moves") else (two, one)
    home.cut()
    settle(fleet, lambda: len(starts(away)) == 2)
    assert [run[-2:] for run in starts(away) if run.startswith("moves")] == ["-2"]
    home.heal()
    settle(fleet, lambda: workers(home) == [])
    until(lambda: once(fleet)["changes"] == [])
    runs = {
        run["name"][-1]: run["phase"] for run in fleet.json("get", "runs")["items"] if run["name"].startswith("moves")
    }
    assert runs == {"1": "Canceled", "2": "Running"}
    assert where(fleet)["moves"] == f"Running {away.name}"
