"""`python -m benchmarks.page`: the figures of the last full run, as docs/performance.md shows them.

What stands between the two marks is never written by hand: a test compares it with `figures.json`.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.figure import MANY, amount
from benchmarks.machine import ROOT

FIGURES = ROOT / "benchmarks/figures.json"
PAGE = ROOT / "docs/performance.md"
BEGIN, END = "<!-- figures: made by `make bench-page` -->\n", "<!-- end of figures -->"
REACHED = {True: "yes", False: "**no**", None: "?"}
TITLES = ("#", "figure", "ours", "beside", "theirs", "ratio", "goal", "reached")

Run = Mapping[str, Any]  # what `python -m benchmarks --json` writes


def main() -> None:
    """Write the table into the page."""
    PAGE.write_text(with_figures(PAGE.read_text(encoding="utf-8"), figures()), encoding="utf-8")


def figures() -> Run:
    """The last run that was kept."""
    run: Run = json.loads(FIGURES.read_text(encoding="utf-8"))
    return run


def with_figures(page: str, run: Run) -> str:
    """Takes the page and a run; returns the page with the figures of that run. Raises ValueError without marks."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page needs the lines {BEGIN.strip()} and {END}")
    return f"{before}{begin}\n{about(run['machine'])}\n\n{table(run)}\n\n{end}{after}"


def about(machine: Mapping[str, Any]) -> str:
    """The machine, its load and the versions, as a paragraph."""
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    what = f"{machine['cpu']}, {machine['cores']} cores, {machine['memory']}, {machine['kernel']}"
    return f"{what}; load before the run {machine['load']:.2f}. {versions}."


def table(run: Run) -> str:
    """Markdown, in the order of the numbers."""
    ordered = sorted(run["figures"], key=lambda figure: figure["number"])
    lines = [TITLES, ("-",) * len(TITLES), *(row for figure in ordered for row in rows(figure))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def rows(figure: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """One for the figure alone, and one for each thing that it is compared with."""
    unit, goals = figure["unit"], figure["goals"]
    ours = amount(figure["median"], unit)
    if len(figure["samples"]) >= MANY:
        ours += f" (p99 {amount(figure['p99'], unit)})"
    first = (str(figure["number"]), figure["what"], ours)
    alone = [goal for goal in goals if not goal["against"]]
    others = [(name, goals_of(goals, name), other) for name, other in figure["others"].items()]
    for goal in alone or ([] if others else [None]):
        yield (*first, "", "", "", *judged(goal))
        first = ("", "", "")
    for name, against, other in others:
        theirs = amount(other["median"], unit) if other else "not installed"
        ratio = f"{other['ratio']:.2f}" if other else ""
        for goal in against or [None]:
            yield (*first, name, theirs, ratio, *judged(goal))
            first = ("", "", "")


def goals_of(goals: list[Mapping[str, Any]], name: str) -> list[Mapping[str, Any]]:
    """Those that compare with the other of that name."""
    return [goal for goal in goals if goal["against"] == name]


def judged(goal: Mapping[str, Any] | None) -> tuple[str, str]:
    """What was to be reached, and whether it was."""
    return (goal["words"], REACHED[goal["reached"]]) if goal else ("", "")


if __name__ == "__main__":
    main()
