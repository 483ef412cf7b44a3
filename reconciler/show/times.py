"""Points in time and how long ago they were, for machines and for people."""

from datetime import UTC, datetime

LAST = 253_402_300_799  # 9999-12-31T23:59:59Z


def moment(seconds: float | None) -> str | None:
    """Seconds since the epoch as RFC 3339 in UTC, `2026-11-20T23:54:00Z`; None stays None."""
    if seconds is None:
        return None
    return _date(seconds).strftime("%Y-%m-%dT%H:%M:%SZ")


def clock(seconds: float) -> str:
    """The time of day in UTC, `23:54:01`."""
    return _date(seconds).strftime("%H:%M:%S")


def span(seconds: float) -> str:
    """A length of time as kubectl writes it: two units while they matter (`42s`, `3m12s`, `5h`, `2d3h`, `40d`)."""
    whole = max(0, int(seconds))
    minutes, hours, days = whole // 60, whole // 3600, whole // 86_400
    if whole < 120:
        return f"{whole}s"
    if minutes < 10:
        return _two(minutes, "m", whole % 60, "s")
    if hours < 3:
        return f"{minutes}m"
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return _two(days, "d", hours % 24, "h")
    return f"{days}d"


def age(since: float | None, now: float) -> str:
    """How long ago that was; empty when it is not known."""
    return "" if since is None else span(now - since)


def took(start: float | None, end: float | None, now: float) -> str:
    """How long something took, or has taken until now; empty when it has not started."""
    return "" if start is None else span((now if end is None else end) - start)


def _date(seconds: float) -> datetime:
    """What lies beyond the calendar is its last second: others have chosen that number."""
    return datetime.fromtimestamp(min(max(0, int(seconds)), LAST), UTC)


def _two(first: int, unit: str, second: int, smaller: str) -> str:
    return f"{first}{unit}{second}{smaller}" if second else f"{first}{unit}"
