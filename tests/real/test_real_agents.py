"""Fleets whose agents are the real codex and claude: what the stand-ins are believed to be, these are.

Opt-in: `make real-agents`. The model API is on this machine, nothing is asked of anybody else once npm has installed.
"""

import re

import pytest

from tests.e2e.agents import Remote, alive, rows, runs, task
from tests.e2e.fleet import Fleet
from tests.e2e.hosts import once
from tests.real.conftest import RealFleet
from tests.real.programs import CLAUDE, CODEX, OPENCODE, Program
from tests.standins.model_api import ModelApi
from tests.waiting import until

pytestmark = pytest.mark.timeout(900)  # npm may have to download first
every = pytest.mark.parametrize("program", [CODEX, CLAUDE, OPENCODE], ids=lambda program: program.name)


@every
def test_a_task_succeeds_with_an_answer_that_fits(real_fleet: RealFleet, model: ModelApi, program: Program) -> None:
    fleet, place = real_fleet(program)
    task(fleet, "work", "pr push", program.name)
    fleet.commit()
    fleet.reconcile()
    row = rows(fleet)["work"]
    assert (row["phase"], row["reason"]) == ("Succeeded", None), row
    assert row["summary"] == "The work is done (pr)."
    assert row["pullRequestUrl"] == "https://github.com/acme/app/pull/7"
    branch = f"reconciler/{row['run']}"
    assert row["branch"] == branch
    assert Remote(fleet.room / "remotes/app.git").show(branch, "WORK.md") == f"work of {row['run']}"
    assert place.worktrees() == {row["run"]}
    assert alive(place.root) == []
    if program is not CODEX:  # which tells of none
        assert row["costUsd"] > 0
    session = fleet.json("describe", "task", "work")
    assert re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-|ses_", str(session)), "its session can be gone on with by hand"
    # The prompt went in by standard input, whole.
    assert "stand-in: pr push" in str(model.seen[-1].body)


@every
def test_the_task_goes_on_by_a_follow_up(real_fleet: RealFleet, program: Program) -> None:
    fleet, _ = real_fleet(program)
    task(fleet, "work", "pr push", program.name)
    fleet.commit()
    fleet.reconcile()
    branch = rows(fleet)["work"]["branch"]
    fleet.run("task", "follow-up", "work", "More of it.\n\nstand-in: pr push", check=0)
    fleet.reconcile()
    assert (rows(fleet)["work"]["phase"], rows(fleet)["work"]["branch"]) == ("Succeeded", branch)
    assert len(Remote(fleet.room / "remotes/app.git").log(branch)) == 3


# claude asks again for minutes after a 401 and a 429 with a short wait, opencode for ever after one with a long wait.
FAULTS = [
    *((CODEX, script) for script in ("401", "429", "quota", "garbage", "empty")),
    *((CLAUDE, script) for script in ("429-later", "garbage", "empty")),
    *((OPENCODE, script) for script in ("401", "429", "garbage")),
]
REASONS = {"401": "AuthFailed", "429": "RateLimited", "429-later": "RateLimited", "quota": "QuotaExceeded"}


@pytest.mark.parametrize(("program", "script"), FAULTS, ids=lambda value: getattr(value, "name", value))
def test_a_failure_has_the_reason_that_is_told(real_fleet: RealFleet, program: Program, script: str) -> None:
    fleet, _ = real_fleet(program)
    task(fleet, "work", script, program.name)
    fleet.commit()
    run = _first_end(fleet)
    assert (run["phase"], run["reason"]) == ("Failed", REASONS.get(script, "InvalidResult")), run


@every
@pytest.mark.parametrize("script", ["hang", "tool-hang", "survivors hang"])
def test_closing_the_task_leaves_no_process(
    real_fleet: RealFleet, program: Program, script: str, model: ModelApi
) -> None:
    fleet, place = real_fleet(program)
    task(fleet, "work", script, program.name)
    fleet.commit()
    once(fleet)
    run = until(lambda: next(iter(runs(fleet)), ""))
    until(lambda: model.seen, timeout=60)
    if script != "hang":
        until(lambda: [process for process in alive(place.root) if " sleep 765" in process], timeout=60)
    assert alive(place.root)
    fleet.run("task", "close", "work", check=0)
    fleet.reconcile()
    assert alive(place.root) == []
    assert runs(fleet)[run]["phase"] == "Canceled"
    assert place.worktrees() == set()


def test_an_idle_codex_is_ended(real_fleet: RealFleet) -> None:
    fleet, place = real_fleet(CODEX)
    task(fleet, "work", "429-later", idleTimeout="5s")
    fleet.commit()
    run = _first_end(fleet)
    assert run["phase"] == "Failed"
    assert run["reason"] in ("RateLimited", "IdleTimeout")
    assert alive(place.root) == []


@every
def test_host_check_finds_the_program_and_all_its_flags(real_fleet: RealFleet, program: Program) -> None:
    fleet, _ = real_fleet(program)
    task(fleet, "work", "pr", program.name)
    fleet.commit()
    checks = {check["name"]: check for check in fleet.json("host", "check", "here", check=None)["checks"]}
    assert checks[program.name]["ok"], checks[program.name]
    assert program.version in checks[program.name]["why"]


def _first_end(fleet: Fleet) -> dict[str, object]:
    """The run of the only task, once it has ended."""

    def end() -> dict[str, object] | None:
        fleet.run("reconcile")
        return next((run for run in runs(fleet).values() if run["phase"] in ("Failed", "Succeeded")), None)

    once(fleet)
    return until(end, timeout=60, every=1)
