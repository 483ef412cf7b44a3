"""Golden digests: a change here would run finished work again on every upgrade. Never edit one."""

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.load.digest import VERSION, digest, follow_ups, rerun_key

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
    ("e9fb158f", {"project": "web", "prompt": "Do it."}),
    ("acdbdf01", {"project": "web", "agent": "claude", "prompt": "Do it."}),
    ("0b6066b1", {"project": "web", "agent": "claude:opus", "prompt": "Do it."}),
    ("817d6629", {"project": "web", "agent": "claude", "prompt": "Do it.", "issue": 15}),
    ("e30aafd0", {"project": "web", "agent": "claude", "prompt": "Do it.", "base": {"tag": "v1"}}),
    ("8b5f8d79", {"project": "web", "agent": "claude", "prompt": "Do it.", "base": {"pullRequest": 7}}),
    (
        "0e75dc34",
        {
            "project": "web",
            "agent": "claude",
            "prompt": "Do it.",
            "template": {"name": "security", "variables": {"focus": "größer"}},
        },
    ),
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


OTHER = [
    "followUps",
    "qa",
    "title",
    "description",
    "state",
    "suspend",
    "priority",
    "host",
    "timeout",
    "retries",
    "dependsOn",
    "x-note",
]


@given(st.dictionaries(st.sampled_from(OTHER), st.text()))
def test_keys_that_are_no_work_count_for_nothing(more: dict[str, str]) -> None:
    assert digest({"run": "make", **more}) == digest({"run": "make"})


def test_order_and_notes_count_for_nothing_but_an_empty_key_does() -> None:
    assert digest({"run": "a", "env": {"A": "1", "B": "2"}}) == digest({"env": {"B": "2", "A": "1"}, "run": "a"})
    assert digest({"run": "a", "secrets": [{"name": "A", "x-why": "b"}]}) == digest(
        {"run": "a", "secrets": [{"name": "A"}]}
    )
    for key in ("template", "base"):
        assert digest({"prompt": "a", key: {"tag": "v1", "x-why": "b"}}) == digest({"prompt": "a", key: {"tag": "v1"}})
    assert digest({"run": "a", "env": {}}) != digest({"run": "a"})


def test_the_digests_of_follow_ups_never_change() -> None:
    found = follow_ups("login", ["more", "more", "größer → 🚀\n", "more"])
    assert found == ("8ca064d2", "eca4a522", "54032e3b", "13f63e4e")
    assert follow_ups("logout", ["more"]) == ("779da6c8",)


REQUESTS = st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=8)


@given(REQUESTS, st.integers(0, 8), st.sampled_from(["a", "b", "new"]))
def test_an_entry_that_is_put_in_starts_itself_alone(requests: list[str], place: int, request: str) -> None:
    before = follow_ups("t", requests)
    after = follow_ups("t", [*requests[:place], request, *requests[place:]])
    assert len(set(after)) == len(after)
    assert len(set(after) - set(before)) == 1
    assert set(before) <= set(after)


@given(REQUESTS.flatmap(lambda found: st.tuples(st.just(found), st.permutations(found))))
def test_moving_entries_starts_nothing(moved: tuple[list[str], list[str]]) -> None:
    assert sorted(follow_ups("t", moved[0])) == sorted(follow_ups("t", moved[1]))


def test_a_task_is_hashed_as_a_mapping_and_a_follow_up_as_a_list_so_they_never_are_the_same_text() -> None:
    def hashed(text: str) -> str:
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    assert digest({"project": "web", "prompt": "Do it."}) == hashed('{"project":"web","prompt":"Do it."}')
    assert follow_ups("login", ["more", "more"])[1] == hashed('["follow-up","login","more",1]')
