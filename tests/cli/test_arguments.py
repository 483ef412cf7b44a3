"""What is typed: durations, selectors, names, and global options anywhere on the line."""

import click
import pytest

from reconciler.cli.arguments import Duration, Selector, bare
from reconciler.cli.main import hoisted


@pytest.mark.parametrize("text, seconds", [("90s", 90), ("1h30m", 5400), ("30d", 2_592_000), ("0s", 0)])
def test_durations(text: str, seconds: float) -> None:
    assert Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "90", "1m1h", "-1s", "1.5h", "1h\n"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(click.BadParameter, match="90s"):
        Duration().convert(text, None, None)


def test_selectors() -> None:
    assert Selector().convert("a=b, c=d", None, None) == {"a": "b", "c": "d"}
    for text in ("", "a", "=b"):
        with pytest.raises(click.BadParameter):
            Selector().convert(text, None, None)


def test_names_may_carry_their_kind() -> None:
    assert [bare(name, "task") for name in ("build", "task/build", "tasks/build", "host/build")] == [
        "build",
        "build",
        "build",
        "host/build",
    ]


@pytest.mark.parametrize(
    "typed, meant",
    [
        ("plan -C dir", "-C dir plan"),
        ("reconcile --wait --ref=main -o json", "--ref=main reconcile --wait -o json"),
        ("exec build -- git -C x", "exec build -- git -C x"),
        ("--no-color get tasks", "--no-color get tasks"),
        ("plan -C", "-C plan"),
        ("host check box1 --identity-file key", "--identity-file key host check box1"),
        ("host add box1 --identity-file key -C dir", "-C dir host add box1 --identity-file key"),
    ],
)
def test_global_options_may_stand_anywhere_before_a_double_dash(typed: str, meant: str) -> None:
    assert hoisted(typed.split()) == meant.split()
