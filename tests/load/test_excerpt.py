"""The line under a problem never shows what sits under `env` or `secrets`, however the file is written or broken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.load.excerpt import excerpt, masked

CASES = {
    "a plain map": ("env:\n  A: s3cret\n  B: 's3cret'\nrun: x", "env:\n  A: …\n  B: …\nrun: x"),
    "a list": ("secrets:\n- s3cret\n- name: s3cret\n  from: s3cret\nx: 1", "secrets:\n…\n- name: …\n  from: …\nx: 1"),
    "a value in place of a name": ("secrets:\n  - s3cret: x\n  - A=s3cret\n", "secrets:\n  …\n  …\n"),
    "a flow map": ("env: {A: s3cret}\nrun: x", "env: …\nrun: x"),
    "a flow map over lines": ("env: {A: s3cret,\n  B: s3cret\n}\nrun: x", "env: …\n  …\n…\nrun: x"),
    "inside a flow map": ("spec: {run: x, env: {A: s3cret}, y: s3cret}\nnext: 1", "spec: {run: x, env: …\nnext: 1"),
    "a block scalar": ("env:\n  A: |\n    s3cret\n    B: s3cret\n\nrun: x", "env:\n  A: …\n    …\n    …\n\nrun: x"),
    "quoted keys": ('"env":\n  "A": s3cret\n', '"env":\n  "A": …\n'),
    "a broken map": ("env:\n  A s3cret\n  B: 's3cret\nrun: x", "env:\n  …\n  B: …\nrun: x"),
    "a value with a colon": ("env:\n  A: b: s3cret\n", "env:\n  A: …\n"),
    "json": ('{"spec": {"env": {"A": "s3cret"}}}', '{"spec": {"env": …'),
    "an explicit key": ("? env\n: A: s3cret\nrun: x", "? env\n…\nrun: x"),
    "other words": ("environment: a\nmyenv: b\n# env: c", "environment: a\nmyenv: b\n# env: c"),
    "next document": ("env:\n  A: s3cret\n---\nrun: x", "env:\n  A: …\n---\nrun: x"),
}


@pytest.mark.parametrize("text, expected", CASES.values(), ids=CASES)
def test_values_are_left_out(text: str, expected: str) -> None:
    assert "\n".join(masked(text.split("\n"))) == expected


@given(
    st.lists(st.sampled_from(["env:\n", "env: {", "  ", "A: s3cret\n", "- s3cret\n", "\n", "\n  ", "}", ": s3cret\n"]))
)
def test_below_env_nothing_is_shown(parts: list[str]) -> None:
    text = "env:\n  " + "".join(parts).replace("\n", "\n  ")  # all of it is inside
    assert "s3cret" not in "\n".join(masked(text.split("\n")))


def test_a_long_line_is_cut_and_control_characters_are_left_out() -> None:
    assert len(excerpt(["x" * 1000], 1)) == 161
    assert excerpt(["a\x1b[31m\tb\r"], 1) == "a[31m b"
    assert excerpt(["a"], 7) == ""


def test_a_password_in_a_url_is_left_out() -> None:
    assert excerpt(["  gitUrl: https://ada:s3cret@example.org/web.git"], 1) == "  gitUrl: https://…@example.org/web.git"
    assert excerpt(["  gitUrl: ssh://git@example.org:22/a@b"], 1) == "  gitUrl: ssh://git@example.org:22/a@b"
