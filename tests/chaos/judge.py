"""After each round: everything converges in time, and nothing is lost, left, killed or changed without need."""

import hashlib
import json
import subprocess
import time
from pathlib import Path
from typing import Any

from reconciler.remote.masters import private_folder
from tests.chaos.controllers import Controller
from tests.chaos.truth import judge_diary, recorded, records
from tests.chaos.world import World
from tests.machines.machine import Machine

PATIENCE = 25.0  # seconds after which a person looks at what is waited for
CYCLES = 10  # calls of `reconcile` until it says that all is done
RESULTS_KEPT = ("succeeded", "failed", "blocked", "lost", "canceled")


def converge(world: World, seconds: float) -> float:
    """Wait until the fleet is as git says; how long it took. Without a daemon as often as with one."""
    world.works.release.touch()
    begin = time.monotonic()
    if world.dice.random() < 0.5:
        world.controller.start()
    else:
        world.controller.stop()
    allow: list[str] = []
    for _ in range(CYCLES):
        left = seconds - (time.monotonic() - begin)
        if left < 1:
            break
        left = min(left, PATIENCE)
        done = world.fleet.run(
            "reconcile", "--wait", "--timeout", f"{left:.0f}s", "-o", "json", *allow, timeout=left + 60
        )
        world.controller.tell(f"reconcile --wait {' '.join(allow)}", done.stderr)
        world.note(f"reconcile --wait {' '.join(allow)}: exit {done.returncode}")
        if done.returncode in (0, 5):
            return time.monotonic() - begin
        # What is held counts as active when a run's end is part of it: a person looks after a while, and approves.
        held = done.stdout.startswith("{") and json.loads(done.stdout)["held"]
        allow = ["--allow-prune"] if held else []
        if done.returncode in (64, 70, 130) or done.returncode < 0:
            world.truth.violation(f"reconcile exited {done.returncode}: {done.stderr[-500:]}")
        time.sleep(0.5 if done.returncode == 7 else 0)
    report = json.loads(done.stdout) if done.stdout.startswith("{") else {}
    told = {key: report.get(key) for key in ("exit", "waits", "unreachable", "held")}
    world.truth.violation(f"not converged after {time.monotonic() - begin:.0f} s: {told} {done.stderr[-500:]}")
    return time.monotonic() - begin


def judge(world: World) -> None:
    """Everything that is promised of a fleet at rest; broken promises become violations."""
    world.controller.stop()
    world.second.stop()
    _nothing_lives(world)
    _tasks_are_done(world)
    before = {machine.name: _snapshot(machine) for machine in world.machines}
    again = world.fleet.run("reconcile", "-o", "json")
    report = json.loads(again.stdout) if again.stdout.startswith("{") else {}
    if again.returncode or report.get("changes"):
        world.truth.violation(f"the next reconcile exits {again.returncode} and does {report.get('changes')}")
    for machine in world.machines:
        after = _snapshot(machine)
        if changed := {path for path, _ in before[machine.name].items() ^ after.items()}:
            world.truth.violation(f"the next reconcile changes {sorted(changed)[:9]} on {machine.name}")
    _results_are_known(world)
    _nothing_is_left(world)
    for stranger in world.strangers.missing():
        world.truth.violation(f"a stranger was killed: {stranger}")
    judge_diary(world.truth)


def _tasks_are_done(world: World) -> None:
    """Each has Succeeded, or Failed as it has to; or no attempt was left."""
    rows = {row["name"]: row for row in world.fleet.json("get", "tasks")["items"]}
    if rows.keys() != world.tasks.keys():
        world.truth.violation(f"`get tasks` differs in {sorted(rows.keys() ^ world.tasks.keys())}")
    for name, row in rows.items():
        spec = world.tasks.get(name, {})
        expected = "Failed" if world.kinds[name] == "failing" else "Succeeded"
        spent = (row["attempt"] or 0) > spec.get("retries", {}).get("limit", 0)
        waits = any(rows[other]["phase"] != "Succeeded" for other in spec.get("dependsOn", ()) if other in rows)
        if row["phase"] != expected and not waits and not (spent and row["phase"] in ("Lost", "Failed")):
            world.truth.violation(f"{name} ({world.kinds[name]}) is {row['phase']}: {row['why']} {row['run']}")


def _nothing_lives(world: World) -> None:
    """No process of any run, once no run is active; no supervisor."""
    for process in world.witness.look():
        world.truth.violation(f"pid {process.pid} of {process.run} lives on {process.host} after all has ended")


def _results_are_known(world: World) -> None:
    """Every end that lies on a host is in the ledger, and what the worker printed is here."""
    known = world.controller.results()
    for machine in world.machines:
        root = machine.home / ".reconciler"
        ends = {run: text for (_, run), text in recorded(machine).items()}
        for mark in (root / "_/done").glob("*"):
            ends.setdefault(mark.name, str(mark.readlink()))
        for run, text in ends.items():
            state = text.removeprefix("state=").partition(";")[0]
            if known.get(run) != state:
                world.truth.violation(
                    f"the result of {run} on {machine.name} is {text}, the ledger has {known.get(run)}"
                )
        for path in records(root, "result"):
            run = path.name
            for file in ("stdout.log", "stderr.log", "events.jsonl"):
                wrote = (path / file).read_bytes() if (path / file).is_file() else b""
                if wrote and world.controller.collected(run, file) != wrote:
                    world.truth.violation(f"{file} of {run} on {machine.name} was not collected")


def _nothing_is_left(world: World) -> None:
    """Run directories and worktrees of tasks that left git, trash, secrets, processes of calls, connections."""
    for machine in world.machines:
        root = machine.home / ".reconciler"
        found = [path for path in root.glob("*/runs/*") if path.name.rsplit("-", 2)[0] not in world.tasks]
        found += [path for path in root.glob("*/worktrees/[!.]*") if path.name.rsplit("-", 2)[0] not in world.tasks]
        found += root.glob("_/trash/*")
        found += Path(f"{machine.home.parent}/dev/shm").glob("reconciler-*")
        for path in found:
            world.truth.violation(f"left on {machine.name}: {path.relative_to(machine.home.parent)}")
        for process in machine.processes():
            if process.command.startswith(("bash --noprofile", "/bin/bash --noprofile")):
                world.truth.violation(f"left on {machine.name}: {process.command}")
    for controller in (world.controller, world.second):
        for line in _connections(controller):
            world.truth.violation(f"a connection is left: {line}")


def _connections(controller: Controller) -> list[str]:
    """ssh processes of a controller, dead or alive, within some seconds."""
    words = (str(controller.fleet.state), str(private_folder(controller.fleet.state)))
    until = time.monotonic() + 5
    while True:
        lines = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout
        found = [line for line in lines.splitlines() if "ssh" in line and any(word in line for word in words)]
        if not found or time.monotonic() > until:
            return found
        time.sleep(0.2)


def _snapshot(machine: Machine) -> dict[str, Any]:
    """Path → everything about a file of the workspace."""
    root = machine.home / ".reconciler"
    seen = {}
    for path in root.rglob("*"):
        about = path.lstat()
        text = str(path.readlink()) if path.is_symlink() else ""
        if path.is_file() and not path.is_symlink():
            text = hashlib.sha256(path.read_bytes()).hexdigest()
        size = 0 if path.is_dir() else about.st_size
        seen[str(path.relative_to(root))] = (about.st_mode, size, about.st_mtime_ns, text)
    return seen
