"""The table of figures says what was measured, and judges it."""

from benchmarks.figure import Figure, Goal, amount
from benchmarks.table import table


def test_a_figure_is_judged_alone_and_beside_others() -> None:
    figure = Figure(
        1,
        "20 hosts",
        "s",
        (0.2, 0.3, 0.25),
        {"bare ssh": (0.1, 0.1, 0.2), "ansible": (3.0,), "pyinfra": None},
        (Goal(0.3), Goal(1.5, "bare ssh"), Goal(1.5, "bare ssh", plus=0.1), Goal(0.2, "ansible"), Goal(0.2, "pyinfra")),
    )
    head, *lines = table([figure])
    assert [line.split("   ")[-1].strip() for line in lines] == ["yes", "NO", "yes", "yes", "?"]
    assert lines[0].split()[:5] == ["1", "20", "hosts", "250", "ms"]
    assert "bare ssh" in lines[1]
    assert "2.50" in lines[1]
    assert "≤ 1.5 ×" in lines[1]
    assert "≤ 1.5 × + 100 ms" in lines[2]
    assert "5 × faster" in lines[3]
    assert "not installed" in lines[4]
    assert head.split()[0] == "#"


def test_many_samples_have_a_worst_one_in_a_hundred() -> None:
    figure = Figure(4, "latency", "s", (0.1,) * 98 + (2.0, 3.0), goals=(Goal(0.3), Goal(1.0, worst=True)))
    assert figure.worst == 3.0
    assert "p99 3 s" in table([figure])[1]
    assert [figure.reached(goal) for goal in figure.goals] == [True, False]


def test_figures_stand_in_the_order_of_their_numbers() -> None:
    figures = [Figure(10, "memory", "MiB", (1.0,)), Figure(2, "cold", "s", (1.0,))]
    assert [line.split()[0] for line in table(figures)[1:]] == ["2", "10"]


def test_amounts_have_three_digits() -> None:
    assert [amount(value, "s") for value in (0.01234, 0.5, 12.345, 1234.5)] == [
        "12.3 ms",
        "500 ms",
        "12.3 s",
        "1,234 s",
    ]
    assert amount(140.4, "MiB") == "140 MiB"


def test_what_a_figure_is_as_json() -> None:
    document = Figure(
        2, "cold", "s", (1.0, 3.0), {"ssh": (4.0,), "none": None}, (Goal(1, "ssh"),), key="cold"
    ).document()
    assert document["median"] == 2.0
    assert document["key"] == "cold"
    assert document["others"] == {"ssh": {"median": 4.0, "ratio": 0.5, "samples": [4.0]}, "none": None}
    assert document["goals"] == [{"words": "≤ 1 ×", "against": "ssh", "reached": True}]
