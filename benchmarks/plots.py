"""`python -m benchmarks.plots`: how costs grow, from the figures of the last full run, as one SVG for the docs.

It runs with matplotlib in an environment of its own (`make bench-plots`), and needs nothing of reconciler.
"""

import json
import re
from pathlib import Path

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot

ROOT = Path(__file__).parents[1]
PLOT = ROOT / "docs/performance-growth.svg"
CURVES = (  # of keys `KIND-SIZE`: the kind, the title, what is counted
    ("plan", "to plan", "tasks, with a tenth as many hosts"),
    ("read", "to read all files", "files"),
    ("reread", "to read a change of one", "files"),
    ("push", "to run all tasks", "tasks, on a tenth as many hosts"),
)
# The same figures give the same bytes; letters stay letters.
STEADY = {"svg.hashsalt": "reconciler", "svg.fonttype": "none", "font.size": 9}
GREY, BLUE = "#8c959f", "#0969da"  # both can be read on white and on black


def main() -> None:
    """Draw the curves for which there are at least two sizes."""
    run = json.loads((ROOT / "benchmarks/figures.json").read_text(encoding="utf-8"))
    found = [(medians(run, kind), title, counted) for kind, title, counted in CURVES]
    found = [one for one in found if len(one[0]) > 1]
    with pyplot.rc_context(STEADY):
        picture, places = pyplot.subplots(1, len(found), figsize=(3 * len(found), 2.6), squeeze=False)
        for place, (points, title, counted) in zip(places[0], found, strict=True):
            curve(place, points, title, counted)
        picture.tight_layout()
        picture.savefig(PLOT, metadata={"Date": None, "Creator": None}, transparent=True)


def medians(run, kind):
    """Size → median seconds."""
    matches = ((re.fullmatch(rf"{kind}-([0-9]+)", one["key"]), one["median"]) for one in run["figures"])
    return dict(sorted((int(match[1]), median) for match, median in matches if match))


def curve(place, points, title, counted):
    """Seconds over sizes, both logarithmic, beside what would be proportional to the smallest."""
    sizes, seconds = list(points), list(points.values())
    place.loglog(
        sizes, [seconds[0] * size / sizes[0] for size in sizes], color=GREY, linestyle=":", label="proportional"
    )
    place.loglog(sizes, seconds, color=BLUE, marker="o", markersize=4, label="measured")
    place.set_title(title, color=GREY)
    place.set_xlabel(counted, color=GREY)
    place.set_xticks(sizes, [f"{size:,}" for size in sizes])
    ends = sorted({min(seconds), max(seconds)})
    place.set_yticks(ends, [f"{value:.2g} s" for value in ends])
    place.minorticks_off()
    place.tick_params(colors=GREY)
    for side in place.spines.values():
        side.set_color(GREY)
    place.spines[["top", "right"]].set_visible(False)
    place.legend(frameon=False, labelcolor=GREY)


if __name__ == "__main__":
    main()
