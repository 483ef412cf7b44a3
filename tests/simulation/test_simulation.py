"""No schedule breaks a promise, and no story does, wherever in it the controller is killed."""

import os

import pytest

from tests.simulation.__main__ import simulate
from tests.simulation.crashes import STORIES, tell
from tests.simulation.schedule import run

SEED = int(os.environ.get("SIMULATION_SEED", "1"))
COUNT = int(os.environ.get("SIMULATION_COUNT", "300"))  # `make unit` runs 50,000 beside the tests


@pytest.mark.parametrize("story", STORIES)
def test_a_controller_is_killed_at_every_boundary_of_a_story(story: str) -> None:
    chapters = STORIES[story]
    untroubled = tell(chapters, None, SEED)
    assert not untroubled.violations
    assert untroubled.boundaries > 20
    told = {at: tell(chapters, at, SEED + at).violations for at in range(1, untroubled.boundaries + 1)}
    assert {at: violations for at, violations in told.items() if violations} == {}


@pytest.mark.timeout(600)
def test_no_schedule_breaks_a_promise() -> None:
    *_, total = simulate(COUNT, SEED)
    assert total.schedules == COUNT
    assert [(verdict.seed, verdict.violations) for verdict in total.broken] == []
    assert len([kind for kind, count in total.faults.items() if count]) > 35
    print(total.line())


def test_a_seed_tells_the_same_story_again() -> None:
    first, second = run(SEED, trace=True), run(SEED, trace=True)
    assert first.trace == second.trace
