"""The page of figures says what the last run said, and what is counted is compared as it should be."""

import pytest

from benchmarks.counts import cells, different
from benchmarks.figure import Figure, Goal
from benchmarks.page import BEGIN, END, PAGE, figures, table, with_figures


def test_the_page_says_what_the_last_run_said() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert with_figures(page, figures()) == page, "make bench-page writes it"


def test_a_page_without_marks_is_no_page() -> None:
    with pytest.raises(ValueError, match="needs the lines"):
        with_figures(f"{BEGIN} and no end", figures())
    with pytest.raises(ValueError, match="needs the lines"):
        with_figures(f"no begin, and {END}", figures())


def test_each_goal_is_shown_beside_what_it_is_measured_against() -> None:
    goals = (Goal(1.0), Goal(2.0, "bare"))
    figure = Figure(1, "look", "s", (1.5, 1.5), {"bare": (1.0,), "other": (3.0,), "peer": None}, goals)
    other = Figure(2, "size", "MiB", (5.0,))
    assert table({"figures": [other.document(), figure.document()]}).splitlines()[2:] == [
        "| 1 | look | 1.5 s |  |  |  | ≤ 1 s | **no** |",
        "|  |  |  | bare | 1 s | 1.50 | ≤ 2 × | yes |",
        "|  |  |  | other | 3 s | 0.50 |  |  |",
        "|  |  |  | peer | not installed |  |  |  |",
        "| 2 | size | 5 MiB |  |  |  |  |  |",
    ]


def test_a_count_that_is_not_as_it_was_is_named() -> None:
    before = {"git": 7, "ssh": 3, "sftp": 1}
    assert different(before, {"git": 8, "ssh": 3, "scp": 1}) == ["git", "sftp", "scp"]
    assert different(before, before) == []


@pytest.mark.parametrize(
    "before, now, shown",
    [
        (200, 210, ("210", "200", "+5.0%")),
        (1000, 1000, ("1,000", "1,000", "")),
        (None, 4, ("4", "–", "")),
        (4, None, ("–", "4", "")),
    ],
)
def test_a_count_is_shown_with_its_change(before: int | None, now: int | None, shown: tuple[str, str, str]) -> None:
    assert cells(before, now) == shown
