"""Every case folder, read as: given this, decide says that. What a case does not mention is quiet."""

import pytest

from reconciler.decide import decide
from reconciler.decide.runs import REASONS
from reconciler.model.change import CANCEL_WORDS

from .cases import NOW, names, read, shown

QUIET = {"changes": [], "waits": {}, "held": [], "held_why": ""}


@pytest.mark.parametrize("name", names())
def test_case(name: str) -> None:
    case = read(name)
    plan = decide(case.desired, case.observed, case.memory, NOW, case.options)
    expect = {**QUIET, **case.expect}
    assert {key: shown(plan, case, key) for key in expect} == expect


def test_every_word_of_a_cancel_is_known_as_ours() -> None:
    assert {word for word, _ in REASONS} == CANCEL_WORDS
