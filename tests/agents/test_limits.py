"""Until when a limit lasts, from headers and from sentences of the tools' own."""

from datetime import UTC, datetime

import pytest

from reconciler.agents.limits import Limit, headed, of_status, told

LIMITED = Limit("RateLimited")
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC).timestamp()
HOUR, DAY = 3600.0, 86400.0


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        *[(429, "RateLimited"), (401, "AuthFailed"), (403, "AuthFailed"), (402, "QuotaExceeded")],
        *[(200, ""), (500, ""), (529, ""), (None, ""), (1e14, "")],
    ],
)
def test_status(status: float | None, reason: str) -> None:
    assert of_status(status) == reason


@pytest.mark.parametrize(
    ("sentence", "at"),
    [
        ("or try again at 5:18 PM.", NOON + 5 * HOUR + 18 * 60),
        ("or try again at 5:18 AM.", NOON + 17 * HOUR + 18 * 60),
        ("try again at 12:00 PM", NOON),
        ("try again at 11:55 AM", NOON - 300),  # the run went on for some minutes after it was told
        ("try again at Nov 23rd, 2026 9:05 AM.", NOON + DAY + 21 * HOUR + 300),
        ("try again at Dec 1st, 2026 12:00 PM.", NOON + 10 * DAY),
        ("try again at 25:99 PM.", None),
        ("try again at Nov 99th, 2026 9:05 AM.", None),
        ("try again later.", None),
    ],
)
def test_a_moment_is_told(sentence: str, at: float | None) -> None:
    assert told(LIMITED, sentence, NOON) == Limit("RateLimited", at=at)


def test_a_time_of_day_needs_a_day() -> None:
    assert told(LIMITED, "try again at 5:18 PM", None) == LIMITED
    assert told(LIMITED, "try again at Nov 23rd, 2026 9:05 AM", None).at == NOON + DAY + 21 * HOUR + 300


@pytest.mark.parametrize(
    ("sentence", "after"),
    [
        ("Please try again in 11.054s. Visit …", 11.054),
        ("try again in 120ms", 0.12),
        ("Try again in 2 days 3 hours 5 minutes.", 2 * DAY + 3 * HOUR + 300),
        ("try again in 1 day, 2 hours and 3 minutes.", DAY + 2 * HOUR + 180),
        ("try again in 1h30m", 5400),
        ("Suggested retry after 86400s.", DAY),
        ("Please retry in 7.5s", 7.5),
        ("please try after 6 minutes and 22 seconds", 382),
        ("try again in 3 months", None),
        ("try again in 3 parsecs", None),
    ],
)
def test_a_span_is_told(sentence: str, after: float | None) -> None:
    assert told(LIMITED, sentence, NOON).after == (pytest.approx(after) if after else None)


@pytest.mark.parametrize(
    ("headers", "limit"),
    [
        ({"Retry-After": "7200"}, Limit("RateLimited", after=7200)),
        ({"retry-after": "Sat, 21 Nov 2026 12:00:00 GMT"}, Limit("RateLimited", at=NOON)),
        ({"retry-after-ms": "1500", "retry-after": "2"}, Limit("RateLimited", after=1.5)),
        ({"x-ratelimit-reset": str(int(NOON))}, Limit("RateLimited", at=NOON)),
        ({"x-ratelimit-reset": str(int(NOON * 1000))}, Limit("RateLimited", at=NOON)),
        ({"x-ratelimit-reset-requests": "1h2m3s"}, Limit("RateLimited", after=3723)),
        ({"x-ratelimit-reset-tokens": "6m0s"}, Limit("RateLimited", after=360)),
        ({"retry-after": "99999999"}, Limit("RateLimited", after=366 * DAY)),
        ({"retry-after": "soon"}, LIMITED),
        ({"retry-after": "-5"}, LIMITED),
        ({"retry-after": 5}, LIMITED),
        ({"retry-after": "Sat, 99 Nov 2026"}, LIMITED),
        ({}, LIMITED),
    ],
)
def test_headers(headers: dict[str, object], limit: Limit) -> None:
    assert headed(LIMITED, headers) == limit


@pytest.mark.parametrize("reason", ["", "AuthFailed"])
def test_only_limits_end_by_themselves(reason: str) -> None:
    assert told(Limit(reason), "try again in 5s", NOON) == Limit(reason)
    assert headed(Limit(reason), {"retry-after": "5"}) == Limit(reason)
