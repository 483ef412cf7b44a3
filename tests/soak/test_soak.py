"""A short soak, judged by counts alone; `make soak` runs a long one."""

from pathlib import Path

import pytest

from tests.machines.network import why_not
from tests.soak.flat import SOON, growth, rising
from tests.soak.run import soak

CYCLES, EVERY, SEED = 120, 15, 7


def test_a_straight_line_tells_growth_from_noise() -> None:
    assert round(growth([0, 0, 0, *range(7)])) == 6
    assert growth([9, 5, 1, 1, 1, 1, 1, 1, 1, 1]) == 0
    assert rising([{"fds": 10 + number} for number in range(10)], {"fds": (2, 0)})
    assert not rising([{"fds": 10 + number % 2} for number in range(10)], {"fds": (2, 0)})


@pytest.mark.machines
@pytest.mark.timeout(600)
def test_nothing_is_left_of_cycles_and_faults(tmp_path: Path) -> None:
    if why := why_not():
        pytest.skip(why)
    outcomes = list(soak(tmp_path, CYCLES, SEED, every=EVERY))
    last = outcomes[-1]
    assert rising(last.samples, SOON) == {}
    assert last.cycles == CYCLES
    assert last.samples[-1]["runs"] > 10
    assert {"cut", "freeze", "reboot", "kill_master", "bad_commit", "new_secret", "hang_up"} <= last.events.keys()
