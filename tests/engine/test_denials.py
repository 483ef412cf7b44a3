"""Who refuses the login is asked less and less often."""

from dataclasses import replace

from reconciler.engine.denials import FIRST, MOST, Denials
from reconciler.model.host import Host
from reconciler.model.observed import Seen, Unseen

BOX = Host("box", address="10.0.0.1", identity_file="~/.ssh/old")
DENIED = Unseen("permission denied (publickey)", denied=True)


def pauses(denials: Denials, times: int) -> list[float]:
    """How long each refusal keeps the host from being asked again."""
    now, found = 0.0, []
    for _ in range(times):
        denials.note("box", BOX, DENIED, now)
        step = 1.0
        while denials.patient({"box": BOX}, now + step):
            step += 1.0
        found.append(step)
        now += step
    return found


def test_the_pause_doubles_up_to_a_limit() -> None:
    found = pauses(Denials(), 7)
    assert 0.85 * FIRST < found[0] < 1.15 * FIRST
    assert 1.5 < found[1] / found[0] < 2.5
    assert found[-1] < 1.15 * MOST


def test_other_failures_are_no_refusals() -> None:
    denials = Denials()
    denials.note("box", BOX, Unseen("connection timed out"), 0.0)
    assert denials.patient({"box": BOX}, 0.1) == set()


def test_it_ends_with_an_answer_another_key_or_a_person() -> None:
    denials = Denials()
    denials.note("box", BOX, DENIED, 0.0)
    assert denials.patient({"box": BOX}, 1.0) == {"box"}
    assert denials.patient({"box": replace(BOX, identity_file="~/.ssh/new")}, 1.0) == set()
    assert denials.patient({"box": replace(BOX, slots=1)}, 1.0) == {"box"}
    denials.note("box", BOX, Seen(), 2.0)
    assert denials.patient({"box": BOX}, 2.1) == set()
    denials.note("box", BOX, DENIED, 3.0)
    denials.clear()
    assert denials.patient({"box": BOX}, 3.1) == set()
