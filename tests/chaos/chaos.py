"""Rounds of chaos: a quiet fleet, a frozen neighbour, a nemesis, peace, judgement."""

import contextlib
import shutil
import tempfile
import time
from pathlib import Path

from tests.chaos.figures import Figures, percentile
from tests.chaos.judge import converge, judge
from tests.chaos.nemesis import Nemesis
from tests.chaos.world import DEADLINE, World
from tests.machines.cluster import Cluster
from tests.waiting import until

PARENT = Path("/var/tmp")
PATIENCE = 90.0  # seconds to converge
SLACK = 5.0  # seconds that a busy test machine may add


class Chaos:
    """`run` it; then `violations` is to be empty, and `line` and `table` say what was seen."""

    def __init__(self, seed: int, hosts: int) -> None:
        self.seed = seed
        self.hosts = hosts
        self.figures = Figures()
        self.folder = Path(tempfile.mkdtemp(prefix=f"reconciler-chaos-{seed}-", dir=PARENT))
        self.violations: list[str] = []
        self.line = ""

    def run(self, minutes: float, *, kinds: tuple[str, ...] = (), tell: bool = False) -> None:
        """Rounds for that long. What it leaves in `folder` stays only when a promise was broken."""
        begin = time.monotonic()
        with Cluster() as cluster:
            world = World(cluster, self.folder, self.hosts, self.seed)
            world.witness.start()
            try:
                converge_and_judge(world)
                while not world.truth.violations and time.monotonic() - begin < minutes * 60:
                    self._round(world, kinds)
                    if tell:
                        print(self._line(world, time.monotonic() - begin), flush=True)
            finally:
                world.witness.end()
                self.line = self._line(world, time.monotonic() - begin)
                self.violations = world.truth.violations
                if self.violations:
                    world.keep()
                world.controller.kill()
                world.second.kill()
        if not self.violations:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _round(self, world: World, kinds: tuple[str, ...]) -> None:
        world.works.release.unlink(missing_ok=True)
        world.controller.stop()
        world.controller.save(world.copy)
        world.controller.start()
        nemesis = Nemesis(world, kinds)
        self._beside_a_frozen_host(world, nemesis)
        nemesis.rage(world.dice.uniform(8, 16))
        seconds = converge_and_judge(world)
        self.figures.round(nemesis.done, seconds)

    def _beside_a_frozen_host(self, world: World, nemesis: Nemesis) -> None:
        """A task for a host that is well starts in time while another host is frozen."""
        until(world.controller.listens, timeout=30)
        if world.controller.new_to_the_fleet():
            with world.edits:
                world.add("short")
                world.commit("something to start, so that it takes every host")
            world.fleet.run("reconcile", "--allow-prune")  # it may not know what it acted on before it forgot
            until(lambda: not world.controller.new_to_the_fleet(), timeout=30)
        nemesis.strike("frozen", DEADLINE + 2)
        well = next(host for host in world.machines if ("frozen", host.name) not in nemesis.where())
        time.sleep(1)
        with world.edits:
            world.busy()
            name = world.add("short", host=well.name)
            world.commit("a task beside a frozen host")
        begin = time.monotonic()
        limit = DEADLINE + SLACK
        with contextlib.suppress(AssertionError):
            until(lambda: any(entry.task == name for entry in world.truth.entries()), timeout=3 * limit, every=0.05)
        self.figures.neighbours.append(time.monotonic() - begin)
        if self.figures.neighbours[-1] > limit:
            seconds = self.figures.neighbours[-1]
            world.truth.violation(f"{name} took {seconds:.1f} s to start on {well.name} beside a frozen host")

    def _line(self, world: World, seconds: float) -> str:
        figures, truth = self.figures, world.truth
        entries = truth.entries()
        found = "\n".join(truth.violations)
        words = {
            "minutes": f"{seconds / 60:.1f}",
            "hosts": self.hosts,
            "faults": figures.faults(),
            "controllers_killed": world.controller.killed + world.second.killed,
            "reboots": sum(machine.boots - 1 for machine in world.machines),
            "runs": len({entry.run for entry in entries}),
            "double": found.count(" again on ") + found.count("at one time") + found.count("while"),
            "lost": found.count("the result of"),
            "strangers": found.count("a stranger was killed"),
            "orphans": found.count("left on"),
            "violations": len(truth.violations),
            "unknowable": len(truth.excused),
            "reused_pids": world.strangers.reused,
            "beside_frozen_p50": f"{percentile(figures.neighbours, 50):.1f}",
            "beside_frozen_max": f"{max(figures.neighbours, default=0):.1f}",
            "converge_p50": f"{percentile(figures.converged, 50):.1f}",
            "converge_p99": f"{percentile(figures.converged, 99):.1f}",
            "seed": self.seed,
        }
        return "chaos " + " ".join(f"{key}={value}" for key, value in words.items())


def converge_and_judge(world: World) -> float:
    """How long it took until the fleet was as git says; what is wrong then is a violation."""
    seconds = converge(world, PATIENCE)
    if not any(text.startswith("not converged") for text in world.truth.violations):
        judge(world)
    world.note(f"converged in {seconds:.1f} s")
    return seconds
