"""Ages as kubectl writes them, moments as RFC 3339."""

import pytest

from reconciler.show.times import age, clock, moment, span, took

MIDNIGHT = 1_795_219_200.0  # 2026-11-21T00:00:00Z


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (-5, "0s"),
        (0.9, "0s"),
        (119, "119s"),
        (120, "2m"),
        (192, "3m12s"),
        (600, "10m"),
        (10_799, "179m"),
        (10_800, "3h"),
        (12_000, "3h20m"),
        (100_000, "27h"),
        (183_600, "2d3h"),
        (172_800, "2d"),
        (3_456_000, "40d"),
    ],
)
def test_spans(seconds: float, written: str) -> None:
    assert span(seconds) == written


def test_moments_are_utc_and_whole_seconds() -> None:
    assert moment(MIDNIGHT - 359.2) == "2026-11-20T23:54:00Z"
    assert clock(MIDNIGHT - 359) == "23:54:01"
    assert moment(None) is None


def test_what_is_not_known_is_empty() -> None:
    assert age(None, MIDNIGHT) == ""
    assert took(None, MIDNIGHT, MIDNIGHT) == ""
    assert took(MIDNIGHT - 60, None, MIDNIGHT) == "60s"
    assert took(MIDNIGHT - 60, MIDNIGHT - 18, MIDNIGHT) == "42s"
