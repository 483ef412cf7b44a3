"""Everything of one chaos: machines, the fleet's repository, controllers, strangers, and what is known of them."""

import shutil
import subprocess
import threading
import time
from pathlib import Path
from random import Random
from typing import Any

from tests.chaos.controllers import Controller
from tests.chaos.strangers import Strangers
from tests.chaos.truth import Truth, Witness
from tests.chaos.work import Works
from tests.e2e.agents import GITCONFIG, make_remote
from tests.e2e.fleet import Fleet
from tests.machines.cluster import Cluster
from tests.machines.machine import Machine

DISK = 96  # MiB of every home
DEADLINE = 5.0  # seconds a host has to answer
STEADY = ("short", "noisy", "long", "stubborn", "litter", "flaky", "failing", "agent", "slow-agent", "long", "short")
LASTING = ("long", "stubborn", "slow-agent")


class World:
    """`folder` is kept when something went wrong. `edits` orders those who commit."""

    def __init__(self, cluster: Cluster, folder: Path, hosts: int, seed: int) -> None:
        self.folder = folder
        self.dice = Random(seed)
        self.works = Works(folder)
        self.truth = Truth(self.works.diary)
        self.fleet = Fleet(folder)
        self.fleet.environment["GIT_OPTIONAL_LOCKS"] = "0"
        self.edits = threading.RLock()
        self.tasks: dict[str, dict[str, Any]] = {}
        self.kinds: dict[str, str] = {}
        self.gone: dict[str, dict[str, Any]] = {}  # tasks that left git, to be restored
        self.names = 0
        self.machines = cluster.add(hosts, disk=DISK)
        self.called = {machine.name: machine.name for machine in self.machines}  # machine -> what its Host is called
        self.copy = folder / "copy-of-state"
        self.controller = Controller(self.fleet, folder / "controller.log")
        self.second = Controller(self.fleet.other_controller("second"), folder / "second.log")
        self.strangers = Strangers(self.machines)
        self.witness = Witness(self.truth, lambda: self.machines)
        self._remote = make_remote(folder)
        self._begin()

    def _begin(self) -> None:
        for machine in self.machines:
            (machine.home / ".gitconfig").write_text(GITCONFIG + "[safe]\n  directory = *\n")
            self.declare(machine)
            self.strangers.arrive(machine)
        document = self.fleet.document
        self.fleet.fleet(interval="5s", defaults={"host": {"slots": 8}})
        self.fleet.write("projects/app.yaml", document("Project", "app", {"gitUrl": str(self._remote.path)}))
        self.fleet.write("agents/codex.yaml", document("Agent", "codex", {"tool": "codex"}))
        for kind in STEADY:
            self.add(kind)
        patient = self.add("long")
        self.put(patient, {**self.tasks[patient], "replaceAfter": "6s"})
        self.truth.overlaps.add(patient)
        after = self.add("short")
        self.put(after, {**self.tasks[after], "dependsOn": ["t1"]})
        self.commit("begin")

    # --- what people commit ---

    def declare(self, machine: Machine) -> None:
        """Write the Host document of a machine."""
        options = {"minFree": "1MiB", "deadline": f"{DEADLINE:.0f}s"}
        prelude = f"'PATH=\"{self.works.bin}:$PATH\"'"
        text = machine.host_yaml(**options, shellPrelude=prelude)
        name = self.called[machine.name]
        self.fleet.write(f"hosts/{machine.name}.yaml", text.replace(f"name: {machine.name}", f"name: {name}"))

    def add(self, kind: str, **spec: Any) -> str:
        """A new task; its name."""
        self.names += 1
        name = f"t{self.names}"
        self.kinds[name] = kind
        self.put(name, {**self.works.spec(kind, self.dice), **spec})
        return name

    def put(self, name: str, spec: dict[str, Any]) -> None:
        """Write a task as it shall be."""
        self.tasks[name] = spec
        self.fleet.write(f"tasks/{name}.yaml", self.fleet.document("Task", name, spec))

    def busy(self) -> None:
        """Work that lasts runs once more: there is something to break."""
        for name, kind in self.kinds.items():
            if kind in LASTING and name in self.tasks:
                self.names += 1
                self.put(name, {**self.tasks[name], "rerun": str(self.names)})

    def take_away(self, name: str) -> None:
        """Delete a task's file."""
        self.gone[name] = self.tasks.pop(name)
        self.fleet.remove(f"tasks/{name}.yaml")

    def commit(self, message: str) -> str:
        """Commit what was written."""
        return self.fleet.commit(message)

    # --- helping a person who looks at what went wrong ---

    def note(self, text: str) -> None:
        """Keep it in the journal."""
        with (self.folder / "journal").open("a") as journal:
            journal.write(f"{time.time():.1f} {text}\n")

    def keep(self) -> None:
        """Copy what lies on the hosts and what runs there."""
        for machine in self.machines:
            if machine.running:
                into = self.folder / "hosts" / machine.name
                into.mkdir(parents=True, exist_ok=True)
                root = machine.home / ".reconciler"
                copy = ["rsync", "-a"] if shutil.which("rsync") else ["cp", "-a"]
                subprocess.run([*copy, str(root / "_"), str(into)], check=False, capture_output=True)
                listing = subprocess.run(["find", str(root), "-ls"], check=False, capture_output=True, text=True).stdout
                (into / "listing").write_text(listing)
                processes = "".join(f"{one.pid} {one.outside} {one.command}\n" for one in machine.processes())
                (into / "processes").write_text(processes)
