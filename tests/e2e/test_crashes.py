"""The controller is killed at every boundary of its effects, one after the other, and started again: over real sshd.

Two hosts, and work of every kind: it succeeds, fails and is tried again, is cancelled, edited, followed up and deleted.
A pass of the whole story without a kill tells how many boundaries there are. CI takes a few of them, the same each time;
`make crashes` takes all or as many as you like, and prints how many were met.
"""

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.agents import GITCONFIG, agent, make_remote, project
from tests.e2e.fleet import Fleet
from tests.machines.keys import make_key
from tests.machines.loopback import LoopbackHost

ROOT = Path(__file__).parents[2]
IN_CI = 2  # of all boundaries
BEGIN = 'echo "$RECONCILER_RUN" >>~/log\n'
AGENT = BEGIN + """printf '{"status": "succeeded", "summary": "done"}' >"$RECONCILER_RESULT_FILE"\n"""
ENDS = {
    "plain": "Succeeded",
    "flaky": "Succeeded",
    "work": "Succeeded",
    "long": "Closed",
}


class Story:
    """One fleet with two hosts, from its first commit to its last clean-up; killed at boundary `at`, 0 for never."""

    def __init__(self, folder: Path, at: int) -> None:
        self.folder, self.at = folder, at
        folder.mkdir()
        make_key(folder / "key")
        self.hosts = [LoopbackHost(folder / name, name, folder / "key").start() for name in ("one", "two")]
        self.fleet = Fleet(folder / "fleet")
        self.kills = 0
        for host in self.hosts:
            (host.home / ".gitconfig").write_text(GITCONFIG)
            self.fleet.write(f"hosts/{host.name}.yaml", host.host_yaml(minFree="1MiB"))
        project(self.fleet, str(make_remote(folder / "remotes").path))
        agent(self.fleet, "own", "command", command=["bash", "-c", AGENT])

    def tell(self) -> None:
        """The whole story. What it left is for `judge`."""
        fleet = self.fleet
        fleet.task("plain", BEGIN)
        fleet.task("flaky", BEGIN + "case $RECONCILER_RUN in *-1) exit 3;; esac", retries={"limit": 2, "backoff": "1s"})
        fleet.task("long", BEGIN + "sleep 612")
        self.work()
        self.live("reconcile")
        fleet.task("long", BEGIN + "sleep 612", state="closed")
        fleet.task("plain", BEGIN + "true edited")
        self.work("And this.")
        self.live("reconcile", "--wait", "--timeout", "60s")
        self.phases = fleet.phases()
        fleet.remove("tasks/flaky.yaml")
        fleet.remove("tasks/work.yaml")
        self.live("reconcile", "--wait", "--allow-prune", "--timeout", "60s")

    def work(self, *requests: str) -> None:
        """Write the task of an agent."""
        spec = {
            "project": "app",
            "agent": "own",
            "prompt": "Do it.",
            "followUps": [{"request": one} for one in requests],
        }
        self.fleet.write("tasks/work.yaml", self.fleet.document("Task", "work", spec))

    def live(self, *words: str) -> None:
        """Commit, and run the program to its end; again when it was killed."""
        self.fleet.commit()
        for _ in range(3):
            done = subprocess.run(
                [sys.executable, "-m", "tests.e2e.crashing", str(self.folder), str(self.at), *words],
                cwd=self.fleet.repo,
                env={**self.fleet.env(), "PYTHONPATH": str(ROOT)},
                capture_output=True,
                text=True,
                timeout=120,
            )
            if done.returncode != -9:
                assert done.returncode == 0, done.stdout + done.stderr
                return
            self.kills += 1
        raise AssertionError("it was killed more than once")

    def passed(self) -> list[str]:
        """The names of all boundaries, in order."""
        return (self.folder / "passed").read_text().splitlines()

    def judge(self) -> None:
        """Every run executed at most once, every end is on record, and nothing is left."""
        logs = [host.home / "log" for host in self.hosts]
        executed = Counter(line for log in logs if log.exists() for line in log.read_text().split())
        assert {run: count for run, count in executed.items() if count > 1} == {}
        assert self.phases == ENDS
        rows = self.fleet.json("get", "runs")["items"]
        assert [row["name"] for row in rows if row["phase"] not in ("Succeeded", "Failed", "Canceled", "Lost")] == []
        # What was deleted is not shown any more, but its last words are here.
        kept = {path.name for path in self.fleet.state.glob("fleets/*/runs/*")}
        assert {run for run in executed if run not in kept} == set()
        gone = [path.name for host in self.hosts for path in host.home.glob(".reconciler/*/runs/*") if path.is_dir()]
        assert [name for name in gone if name.startswith(("flaky-", "work-"))] == []
        assert [path for host in self.hosts for path in host.home.glob(".reconciler/_/trash/*")] == []
        assert self.fleet.run("plan", "--detailed-exitcode").returncode == 0
        alive = [path for path in Path("/proc").glob("[0-9]*/environ") if self._ours(path)]
        assert alive == []

    def _ours(self, path: Path) -> bool:
        try:
            return f"RECONCILER_RUN_DIR={self.folder}/".encode() in path.read_bytes()
        except OSError:
            return False

    def end(self) -> None:
        """Stop its hosts."""
        for host in self.hosts:
            host.delete()


@pytest.fixture
def story(tmp_path: Path) -> Callable[[int], Story]:
    """Makes stories; their hosts end with the test."""
    made: list[Story] = []

    def make(at: int) -> Story:
        made.append(Story(tmp_path / f"at-{at}", at))
        return made[-1]

    yield make  # type: ignore[misc]
    for one in made:
        one.end()


@pytest.mark.timeout(0 if "CRASHES" in os.environ else 600)
def test_killed_at_every_boundary(story: Callable[[int], Story], capsys: pytest.CaptureFixture[str]) -> None:
    whole = story(0)
    whole.tell()
    whole.judge()
    boundaries = len(whole.passed())
    every = max(1, boundaries // int(os.environ.get("CRASHES", IN_CI)))
    covered, names, began = 0, set[str](), time.monotonic()
    for at in range(every // 2 + 1, boundaries + 1, every):
        one = story(at)
        one.tell()
        one.judge()
        one.end()
        covered += one.kills
        names |= {one.passed()[at - 1]} if one.kills else set()
    with capsys.disabled():
        kinds = len(set(whole.passed()))
        print(
            f"\nboundaries={boundaries} kinds={kinds} covered={covered} kinds_covered={len(names)} double=0 lost=0 "
            f"seconds={time.monotonic() - began:.0f}"
        )
    assert covered >= 1
