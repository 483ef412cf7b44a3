"""Every case folder, read as: given this, decide says that. What a case does not mention is quiet."""

import pytest

from reconciler.decide import decide

from .cases import NOW, names, read, shown

QUIET = {"changes": [], "waits": {}, "held": [], "held_why": ""}


@pytest.mark.parametrize("name", names())
def test_case(name: str) -> None:
    case = read(name)
    plan = decide(case.desired, case.observed, case.memory, NOW, case.options)
    expect = {**QUIET, **case.expect}
    assert {key: shown(plan, case, key) for key in expect} == expect
