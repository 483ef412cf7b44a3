"""A short chaos with a fixed seed: `make chaos MINUTES=60 SEED=7 HOSTS=5` for more."""

import pytest

from tests.chaos.chaos import Chaos
from tests.machines.network import why_not


@pytest.mark.machines
@pytest.mark.timeout(400)
def test_promises_hold_in_the_midst_of_it_and_everything_converges_after() -> None:
    if why := why_not():
        pytest.skip(why)
    chaos = Chaos(seed=4, hosts=3)
    chaos.run(minutes=0.7)
    print(chaos.figures.table(), chaos.line, sep="\n")
    assert not chaos.violations, f"{chaos.line}\nlogs in {chaos.folder}\n" + "\n".join(chaos.violations)
    assert chaos.figures.faults() >= 5, "there was hardly any chaos"
