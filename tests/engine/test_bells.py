"""A host that never stops to ring is heard now and then: others want to be heard, too."""

from reconciler.wake.bells import BURST, RATE, _Patience


def test_many_rings_at_once_count_and_no_more_than_some_a_second_from_then_on() -> None:
    patience = _Patience()
    assert sum(patience.allows(100.0) for _ in range(10_000)) == BURST
    assert sum(patience.allows(100.0 + tick / 1000) for tick in range(10_000)) in range(
        int(10 * RATE) - 1, int(10 * RATE) + 2
    )


def test_who_was_quiet_is_heard_at_once() -> None:
    patience = _Patience()
    while patience.allows(100.0):
        pass
    assert sum(patience.allows(1000.0) for _ in range(10_000)) == BURST
