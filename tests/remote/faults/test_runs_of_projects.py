"""Whatever is killed at whatever line while a project is prepared: its next run finds a checkout that works, and all work."""

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.remote.faults.experiment import (
    Fault,
    FaultyHost,
    check_clean_up,
    check_ends,
    check_second_call,
    converge,
    faults,
    results,
    successor,
)
from tests.remote.faults.ledger import ALL, Ledger, words
from tests.remote.faults.sites import UNPREPARED, WORKER, Prepare, Site, Sources, check_work
from tests.remote.harness import Fields
from tests.standins.github import HOST, GitHub
from tests.waiting import until

SLICE = 4  # of the points in CI
BATCH = 10  # that are prepared at the same time
ONLY_HERE = re.compile(r"checkout\.new|^reconciler_project|/question")  # of what runs without a project meet, too
FOLLOW = {"tree_mode": "resume"}
FORK = {"fork": "auto", "issue": "1"}


@dataclass(frozen=True)
class Scenario:
    """What is on the host before, and the settings of the run. It follows up on another where `tree_mode` says so."""

    before: Prepare | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    mine: bool = False  # somebody's work is there before
    role: str = "work"

    def tree(self, run: str) -> str:
        return f"{run.split('-')[0]}-0b0b0b0b-1" if "tree_mode" in self.settings else run


SCENARIOS = {
    "is cloned": Scenario(),
    "is there": Scenario(Site.cloned),
    "was neglected": Scenario(Site.neglected),
    "cannot be cloned": Scenario(settings={"git_url": "/nowhere"}, role="supervise"),
    "has its work": Scenario(Site.worked_in, FOLLOW, mine=True),
    "has only its branch": Scenario(Site.left, FOLLOW, mine=True),
    "has nothing of it but origin does": Scenario(Site.pushed, FOLLOW),
    "has nothing of it": Scenario(Site.cloned, {"tree_mode": "continue"}),
    "has a branch of its name": Scenario(Site.left, {"start": "tag:v1"}, mine=True),
    "has half of its worktree": Scenario(Site.half_made, {"tree_mode": "continue"}),
    "is forked": Scenario(settings=FORK),
}


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    return Sources.make(tmp_path / "sources")


@pytest.fixture
def github(tmp_path: Path) -> Iterator[GitHub]:
    (tmp_path / "github/acme").mkdir(parents=True)
    with GitHub(tmp_path / "github") as github:
        yield github


@dataclass
class Experiment:
    """Runs of one scenario on one host, each with a project of its own."""

    host: FaultyHost
    scenario: Scenario
    sources: Sources
    github: GitHub

    def site(self, run: str) -> Site:
        return Site(self.host.root / run.split("-")[0], self.scenario.tree(run), self.sources)

    def fields(self, run: str, **settings: str) -> Fields:
        repository = f"https://{HOST}/acme/{run.split('-')[0]}"
        given = {"git_url": str(self.sources.bare), "repo_url": repository, "base": "", **self.scenario.settings}
        given |= settings
        files = {"prompt.md": "In @RECONCILER_WORKTREE@: @RECONCILER_ISSUE@", "setup.sh": "echo x >>setup-done"}
        if not given.get("issue"):
            files["prompt.md"] = "In @RECONCILER_WORKTREE@"
        return self.host.launch_fields(
            run,
            self.host.worker + WORKER,
            project=run.split("-")[0],
            worktree=self.scenario.tree(run),
            settings=given,
            files=files,
            checks={"one": "test -s work && test $RECONCILER_BASE_BRANCH = main"},
        )

    def launch(self, runs: Sequence[str], trace: Path | None = None) -> None:
        """Makes everything as it was before them, and launches them."""
        for run in runs:
            if self.scenario.before:
                self.scenario.before(self.site(run))
            name = run.split("-")[0]
            place = self.github.folder / f"acme/{name}.git"
            place.unlink(missing_ok=True)
            place.symlink_to(self.sources.bare)
            self.github.add(f"acme/{name}", push=False).issues[1] = ("A title", "A body")
            self.github.repositories.pop(f"agent/{name}", None)
        self.host.broken("act", [one for run in runs for one in self.fields(run)], "begin", trace=trace)

    def wait(self, runs: Sequence[str]) -> None:
        """Until nothing of them is at work any more, by itself."""
        paths = {self.host.path(run) for run in runs}
        until(
            lambda: all(lock == "free" for path, (lock, _) in self.host.observe().live().items() if path in paths), 90
        )

    def check(self, planned: Mapping[str, Fault]) -> None:
        """From the faults to the end: settled, taken up by the next attempt, and everything kept."""
        host, runs = self.host, list(planned)
        self.wait(runs)
        before = results(host, runs)
        successor(host)
        converge(host, runs)
        check_ends(host, runs, before)
        check_second_call(host, runs)
        late = {run: self.fields(run) for run in runs}
        assert set(host.call("act", [one for fields in late.values() for one in fields]).words()) == {"taken"}
        following = [f"{run[:-1]}2" for run in runs]
        launches = {run: self.fields(run, git_url=str(self.sources.bare)) for run in following}
        words = host.call("act", [one for fields in launches.values() for one in fields]).words()
        assert words == ["accepted"] * len(following)
        self.wait(following)
        for run, fault in zip(following, planned.values(), strict=True):
            said = (host.directory(run) / "supervisor.log").read_text()
            assert host.record(run, "result").startswith("state=succeeded"), (fault, said)
        everything = [*runs, *following]
        check_ends(host, everything, before)
        ends = results(host, everything)
        assert not [run for run, end in ends.items() if UNPREPARED in f"{end};"], ends
        executed = {run for run, end in ends.items() if end.startswith("state=succeeded")}
        if "tree_mode" in self.scenario.settings:
            executed -= set(runs)  # the next one has written its own over it
        sites = {(site.place, site.tree): site for site in map(self.site, everything)}
        check_work(host, list(sites.values()), executed)
        for site in map(self.site, runs):
            site.check(mine=self.scenario.mine)
        check_clean_up(host, everything, late | launches)


def discover(experiment: Experiment, trace: Path) -> list[Fault]:
    """The fault points of a scenario."""
    run = "dry-0000000a-1"
    experiment.launch([run], trace)
    end = until(lambda: experiment.host.record(run, "result"), 60)
    assert end.startswith("state=succeeded" if experiment.scenario.role == "work" else "state=failed;r=PrepareFailed")
    experiment.wait([run])
    until(lambda: not experiment.host.marked(run))
    found = [fault for fault in faults(trace) if fault.role == experiment.scenario.role]
    return [fault for fault in found if fault.place.startswith("project:") or ONLY_HERE.search(words(fault))]


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", SCENARIOS)
def test_while_a_project_that(
    tmp_path: Path,
    ledger: Ledger,
    decoys: "list[subprocess.Popen[bytes]]",
    sources: Sources,
    github: GitHub,
    name: str,
) -> None:
    scenario = SCENARIOS[name]
    if "fork" in scenario.settings and not shutil.which("gh"):
        pytest.skip("needs gh (apt install gh)")

    def make(folder: str) -> Experiment:
        host = FaultyHost.make(tmp_path / folder)
        host.env = {**host.env, "HOME": str(tmp_path), **github.environment()}
        assert host.take().code == 0
        return Experiment(host, scenario, sources, github)

    found = ledger.choose(discover(make("dry"), tmp_path / "trace"))
    found = found if ALL else found[::SLICE]
    for start in range(0, len(found), BATCH):
        experiment = make(str(start))
        planned = {f"f{index:03d}-0000000a-1": fault for index, fault in enumerate(found[start : start + BATCH])}
        for run, fault in planned.items():
            experiment.host.plan(run, fault)
        experiment.launch(list(planned))
        experiment.check(planned)
        ledger.note(experiment.host, planned)
    assert [decoy.poll() for decoy in decoys] == [None] * len(decoys)
