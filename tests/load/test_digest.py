"""Golden digests: a change here would run finished work again on every upgrade. Never edit one."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.load.digest import VERSION, digest, rerun_key

GOLDEN: list[tuple[str, dict[str, Any]]] = [
    ("cbfc781f", {"run": "make"}),
    ("6ef4b576", {"run": "make\n"}),
    ("2e2113b8", {"run": "make", "env": {"B": "2", "A": "1"}}),
    ("a3a677fe", {"run": "make", "secrets": ["GH_TOKEN", {"name": "A", "from": "B"}]}),
    ("bd43a7c8", {"run": "make", "rerun": 2}),
    ("c9f99e01", {"run": "make", "rerun": "2"}),
    ("885a046b", {"run": "echo größer → 🚀"}),
    ("74127b22", {"run": "make", "rerun": None}),
    ("cc7fb500", {"run": "make", "rerun": [1, 2.5, True, {"a": None}]}),
]


@pytest.mark.parametrize("expected, spec", GOLDEN)
def test_version_1_never_changes(expected: str, spec: dict[str, Any]) -> None:
    assert VERSION == 1
    assert digest(spec) == expected


@pytest.mark.parametrize(
    "value, expected",
    [(2, "d4735e3a"), ("2", "cc11310c"), (None, "74234e98"), (True, "b5bea41b")],
)
def test_rerun_keys_never_change(value: object, expected: str) -> None:
    assert rerun_key({"rerun": value}) == expected


def test_no_rerun_is_a_dash() -> None:
    assert rerun_key({"run": "make"}) == "-"


OTHER = ["title", "description", "state", "suspend", "priority", "host", "timeout", "retries", "dependsOn", "x-note"]


@given(st.dictionaries(st.sampled_from(OTHER), st.text()))
def test_keys_that_are_no_work_count_for_nothing(more: dict[str, str]) -> None:
    assert digest({"run": "make", **more}) == digest({"run": "make"})


def test_order_and_notes_count_for_nothing_but_an_empty_key_does() -> None:
    assert digest({"run": "a", "env": {"A": "1", "B": "2"}}) == digest({"env": {"B": "2", "A": "1"}, "run": "a"})
    assert digest({"run": "a", "secrets": [{"name": "A", "x-why": "b"}]}) == digest(
        {"run": "a", "secrets": [{"name": "A"}]}
    )
    assert digest({"run": "a", "env": {}}) != digest({"run": "a"})
