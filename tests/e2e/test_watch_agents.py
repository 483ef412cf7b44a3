"""The daemon and coding agents: what it looks for before it starts one, and when it goes on with one that had to wait."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from tests.e2e.agents import STANDINS, agent, make_remote, project, rows, runs, task
from tests.e2e.fleet import Fleet
from tests.e2e.hosts import at, events
from tests.e2e.watching import Watch
from tests.waiting import until


@pytest.fixture
def programs(fleet: Fleet, tmp_path: Path) -> Path:
    """A folder on the PATH of this machine as a host, with codex alone."""
    fleet.fleet(interval="1h")  # so that whatever happens was not found by looking around
    folder = tmp_path / "programs"
    folder.mkdir()
    (folder / "codex").symlink_to(STANDINS / "codex")
    fleet.local(shellPrelude=f'PATH="{folder}:$PATH"')
    project(fleet, str(make_remote(tmp_path / "remotes").path))
    task(fleet, "first", "success")
    fleet.commit()
    return folder


@pytest.fixture
def watch(fleet: Fleet, programs: Path) -> Iterator[Watch]:
    """A daemon that has nothing left to do."""
    with Watch(fleet) as watch:
        watch.says("ended first")
        yield watch


def test_a_program_that_a_commit_names_first_is_looked_for_before_anything_starts(
    fleet: Fleet, watch: Watch, programs: Path, tmp_path: Path
) -> None:
    task(fleet, "second", "success", "opencode")
    fleet.commit()
    why = "opencode is not installed on here"
    until(lambda: rows(fleet).get("second", {}).get("why") == why)
    # Another PATH is a reason to look again.
    more = tmp_path / "more"
    more.mkdir()
    (more / "opencode").symlink_to(STANDINS / "opencode")
    fleet.local(shellPrelude=f'PATH="{more}:{programs}:$PATH"')
    fleet.commit()
    watch.says("ended second")
    assert rows(fleet)["second"]["attempt"] == 1


def test_a_limited_agent_goes_on_at_its_time(fleet: Fleet, watch: Watch, programs: Path, tmp_path: Path) -> None:
    (programs / "opencode").symlink_to(STANDINS / "opencode")
    agent(fleet, "opencode", maxConcurrent=1)
    task(fleet, "limited", f"429 after=4 once={tmp_path}/once", "opencode")
    task(fleet, "other", "success", "opencode", priority="low")
    fleet.commit()
    watch.says("ended limited")
    watch.says("ended other")
    turned_away, again = sorted(
        (run for run in runs(fleet).values() if run["task"] == "limited"), key=lambda run: int(run["attempt"])
    )
    assert (turned_away["reason"], again["attempt"]) == ("RateLimited", 2)
    [retried] = events(fleet, "retried")
    assert 3 <= at(retried) - datetime.fromisoformat(turned_away["finishedAt"]).timestamp() <= 12
    assert [run["attempt"] for run in runs(fleet).values() if run["task"] == "other"] == [1], "it waited, too"
