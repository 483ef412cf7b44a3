"""A cancel provably kills, and every way in which a run can end is told as what it is."""

import shlex
import time
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from tests.e2e.fleet import Fleet
from tests.e2e.hosts import events
from tests.machines.cluster import Cluster
from tests.machines.machine import Machine
from tests.waiting import until

OnMachines = Callable[..., tuple[Fleet, list[Machine]]]

pytestmark = [pytest.mark.machines]

# Leaves nothing out: sessions of their own, ignored signals, daemons that forked twice, and more and more of them.
UNRULY = """
    setsid bash -c 'trap "" TERM HUP INT; while :; do sleep 0.1; done; : victim' &
    (setsid bash -c '(exec -a victim-daemon sleep 6000) & disown' &) &
    (cd / && nohup bash -c 'exec -a victim-nohup sleep 6000' >/dev/null 2>&1 &)
    setsid bash -c 'trap "" TERM; for i in {1..400}; do (exec -a victim-storm sleep 6000) & sleep 0.03; done; wait; : victim' &
    touch ~/unruly
    bash -c 'trap "" TERM; while :; do sleep 0.1; done; : victim'
"""


def commands(machines: Iterable[Machine], word: str) -> list[str]:
    """The processes with a word in their command line."""
    return [f"{m.name}: {p.command}" for m in machines for p in m.processes() if word in p.command]


def runs(fleet: Fleet) -> dict[str, tuple[str, str | None]]:
    """Run → phase and reason."""
    return {item["name"]: (item["phase"], item["reason"]) for item in fleet.json("get", "runs")["items"]}


def task(fleet: Fleet, name: str) -> dict[str, Any]:
    """The row of a task."""
    return next(item for item in fleet.json("get", "tasks")["items"] if item["name"] == name)


def decoys(machine: Machine, run: str) -> list[int]:
    """Start processes that look like the run's, and are not: nobody may touch them. Their pids."""
    for number, mark in enumerate((f"{run};00000000", f"{run}1;00000000", run, "")):
        start = f"RECONCILER_MARK={shlex.quote(mark)} exec -a decoy-{run}-{number} setsid -f bash -c 'sleep 6001; : decoy {run}' </dev/null &>/dev/null"
        machine.run("bash", "-c", start)
    return until(lambda: sorted(found) if len(found := _decoys(machine)) == 4 else None)


def _decoys(machine: Machine) -> list[int]:
    return [process.pid for process in machine.processes() if ": decoy" in process.command]


def test_closing_leaves_no_survivor_and_touches_nobody_else(on_machines: OnMachines) -> None:
    fleet, [machine] = on_machines(1)
    fleet.task("unruly", UNRULY, labels={"which": "unruly"})
    fleet.task("unruly-1", "exec -a innocent sleep 6000")
    fleet.commit()
    fleet.run("reconcile", check=0)
    until(lambda: (machine.home / "unruly").exists() and len(commands([machine], "victim")) > 20)
    others = decoys(machine, str(task(fleet, "unruly")["run"]))
    fleet.run("task", "close", "unruly", check=0)
    report = fleet.reconcile("-l", "which=unruly")  # the other one goes on
    assert ("cancel", "unruly") in {(change["action"], change["task"]) for change in report["changes"]}
    assert commands([machine], "victim") == []
    assert len(commands([machine], "innocent")) == 1
    assert sorted(_decoys(machine)) == others
    assert fleet.phases() == {"unruly": "Closed", "unruly-1": "Running"}


def test_a_cancel_takes_a_moment_not_the_grace_period(on_machines: OnMachines) -> None:
    fleet, [machine] = on_machines(1)
    fleet.task("long", "sleep 6000")
    fleet.commit()
    fleet.run("reconcile", check=0)
    until(lambda: commands([machine], "sleep 6000"))
    fleet.run("task", "close", "long", check=0)
    began = time.monotonic()
    fleet.reconcile()
    assert time.monotonic() - began < 8  # grace is 10 s; about 1 s on an idle machine
    assert commands([machine], "sleep 6000") == []
    assert list(runs(fleet).values()) == [("Canceled", None)]


def beats(machine: Machine) -> list[str]:
    """The times that a worker wrote down there, which may have been killed before its first."""
    file = machine.home / "beat"
    return file.read_text().splitlines() if file.exists() else []


def test_an_edit_starts_only_after_the_old_one_has_ended(on_machines: OnMachines) -> None:
    fleet, machines = on_machines(2)
    fleet.task("beat", "trap '' TERM; while :; do date +%s.%N >>~/beat; sleep 0.02; done")
    fleet.commit()
    fleet.run("reconcile", check=0)
    old = until(lambda: next((m for m in machines if beats(m)), None))
    fleet.task("beat", "date +%s.%N >~/began")
    fleet.commit()
    fleet.reconcile()
    new = next(m for m in machines if (m.home / "began").exists())
    assert float(beats(old)[-1]) < float((new.home / "began").read_text())
    assert {phase for phase, _ in runs(fleet).values()} == {"Canceled", "Succeeded"}


def test_deleted_suspended_and_drained_work_ends(on_machines: OnMachines) -> None:
    fleet, machines = on_machines(2)
    fleet.task("deleted", "exec -a worker-deleted sleep 6000")
    fleet.task("drained", "exec -a worker-drained sleep 6000")
    fleet.task("suspended", "exec -a worker-suspended sleep 6000")
    fleet.commit()
    fleet.run("reconcile", check=0)
    until(lambda: len(commands(machines, "worker-")) == 3)
    [there] = [m for m in machines if commands([m], "worker-drained")]
    fleet.remove("tasks/deleted.yaml")
    fleet.task("suspended", "exec -a worker-suspended sleep 6000", suspend={"cancel": True})
    fleet.write(f"hosts/{there.name}.yaml", there.host_yaml(minFree="1MiB", drain="{deadline: 0s}"))
    fleet.commit()
    until(
        lambda: fleet.run("reconcile", "--allow-prune", check=0) and task(fleet, "drained")["attempt"] == 2, timeout=40
    )
    until(lambda: len(commands(machines, "worker-")) == 1)
    assert commands([there], "worker-") == []
    assert task(fleet, "suspended")["phase"] == "Pending"
    fleet.run("resume", "suspended", check=0)
    fleet.run("reconcile", check=0)
    until(lambda: len(commands(machines, "worker-suspended")) == 1)
    assert task(fleet, "suspended")["attempt"] == 2


def test_a_run_whose_supervisor_is_killed_is_cleared_up_and_retried(on_machines: OnMachines) -> None:
    fleet, [machine] = on_machines(1)
    fleet.task(
        "orphan",
        "case $RECONCILER_RUN in *-1) setsid -f bash -c 'exec -a victim sleep 6000'; exec -a victim sleep 6000;; esac",
        retries={"limit": 1, "backoff": "1s"},
    )
    fleet.commit()
    fleet.run("reconcile", check=0)
    until(lambda: len(commands([machine], "victim sleep")) + len(commands([machine], "victim 6000")) == 2)
    machine.run("pkill", "-KILL", "-f", "supervisor.sh supervise")
    fleet.reconcile()
    assert commands([machine], "victim") == []
    assert sorted(runs(fleet).values()) == [("Lost", "SupervisorGone"), ("Succeeded", None)]


def test_how_runs_end(on_machines: OnMachines) -> None:
    fleet, _ = on_machines(1, slots=8)
    fleet.task("signal", "kill -9 $$")
    fleet.task("timeout", "sleep 6000", timeout="1s")
    fleet.task("idle", "echo busy; sleep 6000", idleTimeout="2s")
    fleet.task("code", "exit 42")
    fleet.task("asks", "echo 'Which colour?' >BLOCKED.md")
    fleet.task("says", """echo '{"status": "succeeded", "summary": "all green"}' >"$RECONCILER_RESULT_FILE" """)
    fleet.task("gives-up", """echo '{"status": "failed", "summary": "no way"}' >"$RECONCILER_RESULT_FILE" """)
    fleet.task("stuck", """echo '{"status": "blocked", "summary": "May I?"}' >"$RECONCILER_RESULT_FILE" """)
    fleet.task("talks", "head -c 200M /dev/zero | tr '\\\\0' 'x'; echo done >&2")
    fleet.commit()
    report = fleet.reconcile(check=5)
    assert report["exit"]["name"] == "task-failed"
    items = {item["name"]: item for item in fleet.json("get", "tasks")["items"]}
    assert {name: (item["phase"], item["reason"]) for name, item in items.items()} == {
        "signal": ("Failed", "Signal"),
        "timeout": ("Failed", "Timeout"),
        "idle": ("Failed", "IdleTimeout"),
        "code": ("Failed", "ExitCode"),
        "asks": ("Blocked", None),
        "says": ("Succeeded", None),
        "gives-up": ("Failed", "InvalidResult"),
        "stuck": ("Blocked", None),
        "talks": ("Succeeded", None),
    }
    assert {name: items[name]["summary"] for name in ("asks", "says", "gives-up", "stuck")} == {
        "asks": "Which colour?",
        "says": "all green",
        "gives-up": "no way",
        "stuck": "May I?",
    }
    assert "Which colour?" in fleet.run("describe", "task", "asks", check=0).stdout
    tail = fleet.run("logs", "talks", "--tail", "3", check=0).stdout
    assert "the log ends here at its limit" in tail[-300:]
    assert fleet.run("logs", "talks", "--stream", "stderr", check=0).stdout == "done\n"


def test_an_answer_is_read_before_anything_follows(on_machines: OnMachines) -> None:
    """Exit codes come with every report, answers when they are collected: a question stops retries and dependents."""
    fleet, machines = on_machines(1)
    asks = """echo x >>~/asked; echo '{"status": "blocked", "summary": "May I?"}' >"$RECONCILER_RESULT_FILE" """
    fleet.task("asks", asks)
    fleet.task("asks-and-fails", f"{asks}; exit 3", retries={"limit": 3, "backoff": "0s"})
    for number in range(3):
        fleet.task(f"after-{number}", "echo x >>~/after", dependsOn=["asks", "asks-and-fails"][: number + 1])
    fleet.commit()
    fleet.reconcile(check=5)
    assert (machines[0].home / "asked").read_text() == "x\n" * 2
    assert not (machines[0].home / "after").exists()
    assert fleet.phases() == {
        "asks": "Blocked",
        "asks-and-fails": "Blocked",
        **{f"after-{n}": "Pending" for n in range(3)},
    }


def test_a_full_disk(fleet: Fleet, cluster: Cluster) -> None:
    """Nothing starts where there is no room; what runs when the disk fills up ends well, and nothing is lost."""
    [machine] = cluster.add(1, disk=24)
    fleet.write(f"hosts/{machine.name}.yaml", machine.host_yaml(minFree="4MiB"))
    fleet.task("fills", "head -c 100M /dev/zero >~/big || true; head -c 1M /dev/zero | tr '\\\\0' 'x'; echo end")
    fleet.commit()
    fleet.reconcile()
    assert fleet.phases() == {"fills": "Succeeded"}
    assert "the disk was full here" in fleet.run("logs", "fills", check=0).stdout
    fleet.task("waits", "echo here")
    fleet.commit()
    fleet.run("reconcile", check=0)
    assert task(fleet, "waits")["phase"] == "Pending"
    assert "minFree" in task(fleet, "waits")["why"] or "free" in task(fleet, "waits")["why"]
    # Without the floor, a launch for which there is no room fails cleanly, and is made good later.
    fleet.write(f"hosts/{machine.name}.yaml", machine.host_yaml(minFree="0"))
    fleet.commit()
    failed = fleet.run("reconcile")
    assert failed.returncode == 3, failed.stdout + failed.stderr
    [refused] = events(fleet, "refused")
    assert (refused["task"], refused["host"]) == ("waits", machine.name)
    assert "see the disk" in refused["why"]
    assert refused["why"] in fleet.run("describe", "task", "waits", check=0).stdout
    assert task(fleet, "waits")["why"] == f"attempt 1 never started: {refused['why']}"
    (machine.home / "big").unlink()
    fleet.reconcile()
    assert set(fleet.phases().values()) == {"Succeeded"}
    assert fleet.run("logs", "waits", check=0).stdout == "here\n"
