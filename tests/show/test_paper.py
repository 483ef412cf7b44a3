"""Columns line up whatever the script, and colours are there only when asked for."""

from reconciler.show.paper import Cell, Paper, cells, columns, cut

ROWS = [[Cell("NAME", "bold"), Cell("WHY", "bold")], [Cell("a", "good"), Cell("")], [Cell("漢字漢"), Cell("wide")]]


def test_columns_are_aligned_by_cells_and_lines_end_clean() -> None:
    assert columns(ROWS) == ["NAME     WHY", "a", "漢字漢   wide"]
    assert columns([]) == []


def test_colour_does_not_move_columns() -> None:
    painted = columns(ROWS, Paper(color=True))
    assert painted[0] == "\x1b[1mNAME\x1b[0m     \x1b[1mWHY\x1b[0m"
    assert painted[1] == "\x1b[32ma\x1b[0m"


def test_the_last_column_is_cut_to_the_terminal_unless_nothing_would_be_left() -> None:
    row = [Cell("name"), Cell("x" * 50)]
    assert columns([row], Paper(width=40)) == ["name   " + "x" * 32 + "…"]
    assert columns([row], Paper(width=10)) == ["name   " + "x" * 50]


def test_cutting_counts_cells() -> None:
    assert cut("漢字漢字", 5) == "漢字…"
    assert cells(cut("漢字漢字", 4)) <= 4
    assert cut("abc", 3) == "abc"
