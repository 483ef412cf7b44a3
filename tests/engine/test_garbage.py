"""While it is decided, nothing looks for garbage: deciding leaves none."""

import gc
from collections.abc import Iterator

import pytest

from benchmarks.busy import NOW, busy
from reconciler.decide import decide
from reconciler.engine.garbage import uncollected
from reconciler.model.change import Options


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Whatever a test leaves behind, the others collect."""
    yield
    gc.enable()


def test_a_plan_goes_with_its_last_reference() -> None:
    """Circles would wait for a collector: what is made for 1,000 tasks on hosts of all kinds has none."""
    fleet = busy(100)
    gc.collect()
    with uncollected():
        plan = decide(fleet.desired, fleet.observed, fleet.memory, NOW, Options())
        assert plan.changes
        del plan
        assert gc.collect() == 0


@pytest.mark.parametrize("enabled", [True, False])
def test_it_is_as_before_after_an_error_too(enabled: bool) -> None:
    """Who had turned it off keeps it off."""
    (gc.enable if enabled else gc.disable)()
    seen = []
    with pytest.raises(ZeroDivisionError), uncollected():
        seen.append(1 / gc.isenabled())
    assert (seen, gc.isenabled()) == ([], enabled)
