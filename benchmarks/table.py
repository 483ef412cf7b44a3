"""Figures → lines of one table. Pure."""

from collections.abc import Iterator, Sequence

from benchmarks.figure import MANY, Figure, Goal, amount
from reconciler.show.paper import Cell, columns

TITLES = ("#", "figure", "ours", "beside", "theirs", "ratio", "goal", "reached")
REACHED = {True: "yes", False: "NO", None: "?"}


def table(figures: Sequence[Figure]) -> list[str]:
    """A heading and the figures by number, a line for each thing that one is compared with."""
    ordered = sorted(figures, key=lambda figure: figure.number)
    lines = [TITLES, *(row for figure in ordered for row in rows(figure))]
    return columns([[Cell(text) for text in line] for line in lines])


def rows(figure: Figure) -> Iterator[tuple[str, ...]]:
    """The cells of one figure: first what stands alone, then what is compared."""
    ours = amount(figure.median, figure.unit)
    if len(figure.ours) >= MANY:
        ours += f" (p99 {amount(figure.worst, figure.unit)})"
    first = (str(figure.number), figure.what, ours)
    for cells in _compared(figure):
        yield (*first, *cells)
        first = ("", "", "")


def _compared(figure: Figure) -> Iterator[tuple[str, ...]]:
    alone = [goal for goal in figure.goals if not goal.against]
    for goal in alone:
        yield ("–", "–", "–", *_judged(figure, goal))
    if not alone and not figure.others:
        yield ("–", "–", "–", "–", "–")
    for name in figure.others:
        goals = [goal for goal in figure.goals if goal.against == name]
        other, ratio = figure.other(name), figure.ratio(name)
        theirs = "not installed" if other is None else amount(other, figure.unit)
        compared = (name, theirs, "–" if ratio is None else f"{ratio:.2f}")
        for goal in goals:
            yield (*compared, *_judged(figure, goal))
        if not goals:
            yield (*compared, "–", "–")


def _judged(figure: Figure, goal: Goal) -> tuple[str, str]:
    return goal.words(figure.unit), REACHED[figure.reached(goal)]
