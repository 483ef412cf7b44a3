"""Every run starts at most once, and never on two hosts: killed controllers, several of them, late and doubled calls."""

import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.e2e.fleet import Fleet
from tests.machines.machine import Machine
from tests.waiting import until

OnMachines = Callable[..., tuple[Fleet, list[Machine]]]

pytestmark = [pytest.mark.machines]

# What every worker does: it says when it starts and when it ends, in the order in which that happens on its host.
BEGIN = """\
say() { echo "$1 $(date +%s.%N) $RECONCILER_RUN" >>~/log; }
trap 'say -' EXIT
say +
"""

# Stands in for ssh: keeps a call that launches in a folder, and never passes it on.
POSTMAN = """#!/bin/bash
if [[ -e {room}/hold && -f /dev/stdin ]] && grep -aqE '^launch [0-9]+$' /dev/stdin; then
  seconds=$(<{room}/hold)
  rm {room}/hold
  cat /dev/stdin >{room}/letter.part
  printf '%q ' "$@" >{room}/words
  mv {room}/letter.part {room}/letter
  exec sleep $seconds
fi
exec /usr/bin/ssh "$@"
"""


def log(machines: Iterable[Machine]) -> list[tuple[float, str, str, str]]:
    """When, `+` or `-`, run and host, from all machines in order of time (they share a clock)."""
    lines = []
    for machine in machines:
        file = machine.home / "log"
        for line in file.read_text().splitlines() if file.exists() else ():
            sign, moment, run = line.split()
            lines.append((float(moment), sign, run, machine.name))
    return sorted(lines)


def starts(machines: Iterable[Machine]) -> Counter[str]:
    """Run → how often it started, on whatever host."""
    return Counter(run for _, sign, run, _ in log(machines) if sign == "+")


def twice(machines: Iterable[Machine]) -> dict[str, int]:
    """Runs that started more than once; to be empty."""
    return {run: count for run, count in starts(machines).items() if count > 1}


def kill(process: subprocess.Popen[str]) -> None:
    """As the kernel does when memory is short: the controller is gone, its ssh processes may live on for a while."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def killed(fleet: Fleet, times: int, dice: random.Random, *words: str) -> int:
    """Start `reconcile` and kill it at random moments; gives how often it was in time."""
    hits = 0
    for _ in range(times):
        process = fleet.start("reconcile", "--wait", *words)
        end = time.monotonic() + dice.uniform(0.5, 2.0)
        while process.poll() is None and time.monotonic() < end:
            time.sleep(0.01)
        hits += process.poll() is None
        kill(process)
        if process.returncode >= 0:
            break
    return hits


def workers(machines: Iterable[Machine]) -> list[str]:
    """Processes of workers that sleep."""
    return [process.command for machine in machines for process in machine.processes() if "sleep 6" in process.command]


def test_a_controller_that_is_killed_again_and_again(on_machines: OnMachines) -> None:
    fleet, machines = on_machines(3, slots=3)
    seed = int(os.environ.get("SEED", random.SystemRandom().randrange(10**6)))
    print(f"SEED={seed}")
    dice = random.Random(seed)
    for number in range(22):
        fails = "case $RECONCILER_RUN in *-1) exit 3;; esac" if number % 5 == 0 else "exit 4" if number == 7 else ""
        after = [f"t{number - 6}"] if number in (11, 17) else []
        pause = f"sleep 0.{dice.randrange(1, 9)}\n"
        retries = {"limit": 1, "backoff": "1s"}
        fleet.task(f"t{number}", BEGIN + pause + fails, retries=retries, dependsOn=after)
    fleet.commit()
    killed(fleet, 7, dice)
    assert fleet.reconcile(check=5)["exit"]["name"] == "task-failed"
    assert twice(machines) == {}
    assert fleet.phases() == {f"t{number}": "Failed" if number == 7 else "Succeeded" for number in range(22)}
    assert sum(starts(machines).values()) <= 28
    _never_more_than(3, machines)
    # Now something to cancel and to clean up.
    for number in range(8):
        fleet.task(f"t{number}", BEGIN + "sleep 600 & sleep 601")
    fleet.commit()
    fleet.run("reconcile", check=0)
    until(lambda: len(workers(machines)) == 16)
    for number in range(4):
        fleet.remove(f"tasks/t{number}.yaml")
        fleet.task(f"t{number + 4}", BEGIN + "sleep 600", state="closed")
    fleet.commit()
    killed(fleet, 7, dice, "--allow-prune")
    assert fleet.reconcile("--allow-prune")["exit"]["code"] == 0
    assert workers(machines) == []
    assert twice(machines) == {}
    left = {path.name for machine in machines for path in (machine.home / ".reconciler/_/runs").iterdir()}
    assert {name for name in left if name.startswith(("t0-", "t1-", "t2-", "t3-"))} == set()
    assert [trash for machine in machines for trash in (machine.home / ".reconciler/_/trash").iterdir()] == []
    assert fleet.run("plan", "--detailed-exitcode").returncode == 0


def test_two_controllers_at_once(on_machines: OnMachines) -> None:
    fleet, machines = on_machines(3, slots=2)
    both = [fleet.other_controller("one"), fleet.other_controller("two")]
    for number in range(15):
        fails = "case $RECONCILER_RUN in *-1) exit 3;; esac" if number % 4 == 0 else ""
        fleet.task(f"t{number}", BEGIN + "sleep 0.3\n" + fails, retries={"limit": 1, "backoff": "1s"})
    fleet.commit()
    dice = random.Random(7)
    for _ in range(4):
        running = []
        for controller in dice.sample(both, 2):
            running.append(controller.start("reconcile", *dice.choice([(), ("--wait", "--timeout", "6s")])))
            time.sleep(dice.uniform(0, 0.4))
        for process in running:
            out, errors = process.communicate(timeout=60)
            assert process.returncode in (0, 3, 6, 7), out + errors
    until(lambda: both[0].run("reconcile", "--wait").returncode == 0, timeout=60)
    assert twice(machines) == {}
    assert set(both[0].phases().values()) == {"Succeeded"}
    _never_two_of_a_task(machines)
    _never_more_than(2, machines)


def test_the_controller_that_loses_the_fleet_stops_acting(on_machines: OnMachines) -> None:
    fleet, machines = on_machines(2, slots=2)
    fleet.task("long", BEGIN + "sleep 600")
    fleet.commit()
    watching = fleet.start("watch")
    until(lambda: len(workers(machines)) == 1)
    other = fleet.other_controller("other")
    other.environment["KEY"] = "that only one of them has"
    fleet.task("next", BEGIN + "true", secrets=["KEY"])
    fleet.commit()
    refused = other.run("reconcile")
    assert refused.returncode == 7, refused.stdout + refused.stderr
    assert sum(starts(machines).values()) == 1
    assert other.run("reconcile", "--take-over").returncode == 0
    out, errors = watching.communicate(timeout=30)
    assert watching.returncode == 7, out + errors
    until(lambda: sum(starts(machines).values()) == 2)
    assert len(workers(machines)) == 1  # what runs is the next one's now
    assert twice(machines) == {}


@pytest.fixture
def postman(tmp_path: Path) -> Path:
    """A folder with a file `ssh`; when `hold` is there too, the next call that launches ends up in `letter`."""
    room = tmp_path / "postman"
    room.mkdir()
    (room / "ssh").write_text(POSTMAN.format(room=room))
    (room / "ssh").chmod(0o755)
    return room


def deliver(room: Path) -> subprocess.Popen[str]:
    """Send the kept bytes to their host, as they were meant to be."""
    with (room / "letter").open() as letter:
        words = f"exec /usr/bin/ssh {(room / 'words').read_text()}"
        return subprocess.Popen(["bash", "-c", words], stdin=letter, stdout=subprocess.PIPE, text=True)


def hold_a_launch(fleet: Fleet, room: Path) -> None:
    """Start a controller whose first launch does not get through, and kill it."""
    fleet.environment["PATH"] = f"{room}:{os.environ['PATH']}"
    (room / "hold").write_text("600")
    process = fleet.start("reconcile", "--wait")
    until((room / "letter").exists)
    kill(process)


@pytest.mark.parametrize("who", ["the same ledger", "another ledger"])
def test_a_launch_that_arrives_late_is_refused(on_machines: OnMachines, postman: Path, who: str) -> None:
    fleet, machines = on_machines(2)
    fleet.task("once", BEGIN + "true")
    fleet.commit()
    hold_a_launch(fleet, postman)
    next_one = fleet if who == "the same ledger" else fleet.other_controller("other")
    next_one.reconcile("--timeout", "20s")  # woken by what it learns, not by its interval
    assert sum(starts(machines).values()) == 1
    answer, _ = deliver(postman).communicate(timeout=30)
    assert " end 3\n" in answer
    next_one.reconcile()
    assert sum(starts(machines).values()) == 1


def test_a_launch_that_arrives_twice_at_once_starts_once(on_machines: OnMachines, postman: Path) -> None:
    fleet, machines = on_machines(1)
    fleet.task("once", BEGIN + "sleep 1")
    fleet.commit()
    hold_a_launch(fleet, postman)
    letters = [deliver(postman) for _ in range(4)]
    answers = sorted(letter.communicate(timeout=30)[0].count("\naccepted ") for letter in letters)
    assert answers == [0, 0, 0, 1]
    report = fleet.reconcile()
    assert "launch" not in {change["action"] for change in report["changes"]}
    assert sum(starts(machines).values()) == 1
    assert fleet.phases() == {"once": "Succeeded"}


def test_a_launch_that_was_kept_back_while_the_controller_lives(on_machines: OnMachines, postman: Path) -> None:
    """The connection breaks: the controller calls it unknown, takes a higher number, and starts the next attempt."""
    fleet, machines = on_machines(2)
    fleet.environment["PATH"] = f"{postman}:{os.environ['PATH']}"
    fleet.task("once", BEGIN + "true")
    fleet.commit()
    (postman / "hold").write_text("0")
    fleet.reconcile("--timeout", "20s")
    assert fleet.phases() == {"once": "Succeeded"}
    assert " end 3\n" in deliver(postman).communicate(timeout=30)[0]
    assert sum(starts(machines).values()) == 1


def test_the_network_is_cut_in_the_middle_of_launches(on_machines: OnMachines) -> None:
    fleet, machines = on_machines(3, slots=3, deadline="2s")
    for number in range(18):
        fleet.task(f"t{number}", BEGIN + "sleep 0.4")
    fleet.commit()
    process = fleet.start("reconcile", "--wait")
    until(lambda: len(starts(machines)) > 2)
    for machine in machines[:2]:
        machine.cut()
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 3, out + errors
    for machine in machines:
        machine.heal()
    until(lambda: fleet.run("reconcile", "--wait").returncode == 0, timeout=90)
    assert twice(machines) == {}
    assert set(fleet.phases().values()) == {"Succeeded"}
    _never_two_of_a_task(machines)
    _never_more_than(3, machines)


def _never_two_of_a_task(machines: list[Machine]) -> None:
    """No two runs of a task at once, wherever."""
    alive: dict[str, str] = {}
    for _, sign, run, host in log(machines):
        task = run.rsplit("-", 2)[0]
        if sign == "+":
            assert task not in alive, f"{run} began on {host} while {alive[task]} ran"
            alive[task] = f"{run} on {host}"
        else:
            alive.pop(task, None)


def _never_more_than(slots: int, machines: list[Machine]) -> None:
    """No host ever had more workers than slots."""
    alive: dict[str, set[str]] = {machine.name: set() for machine in machines}
    for _, sign, run, host in log(machines):
        alive[host] = alive[host] | {run} if sign == "+" else alive[host] - {run}
        assert len(alive[host]) <= slots, f"{host}: {alive[host]}"
