"""Why an API refused, and until when: HTTP status codes, headers and sentences of the tools' own. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

RATE_LIMITED, QUOTA_EXCEEDED, AUTH_FAILED = "RateLimited", "QuotaExceeded", "AuthFailed"
_REASONS = {401: AUTH_FAILED, 402: QUOTA_EXCEEDED, 403: AUTH_FAILED, 429: RATE_LIMITED}

LONGEST = 366 * 86400.0  # seconds; what is farther away is no time to wait for

# The clock time is the host's; the adapters have their tools tell it in UTC.
_AT = re.compile(
    r"\b[Tt]ry again at (?:(?P<day>[A-Z][a-z]{2} \d{1,2})(?:st|nd|rd|th), (?P<year>\d{4}) )?"
    r"(?P<time>\d{1,2}:\d\d [AP]M)\b"
)
_IN = re.compile(
    r"\b(?:[Tt]ry again|[Tt]ry|[Rr]etry) (?:in|after) ((?:\d{1,9}(?:\.\d{1,9})? ?[a-z]{1,7}[, ]{0,2}(?:and )?){1,4})"
)
_PART = re.compile(r"(\d{1,9}(?:\.\d{1,9})?) ?([a-z]{1,7})")
_UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


@dataclass(frozen=True, slots=True)
class Limit:
    """A refusal. At most one of the times is known: seconds since the epoch, or from the end of the run on."""

    reason: str = ""
    at: float | None = None
    after: float | None = None


def of_status(status: float | None) -> str:
    """Takes an HTTP status; returns the reason it stands for, or an empty text."""
    return _REASONS.get(int(status), "") if status is not None else ""


def told(limit: Limit, sentence: str, now: float | None = None) -> Limit:
    """Takes a refusal, a sentence of the tool's own and when the run ended; adds the time that the sentence tells."""
    sentence = sentence[-2000:]
    if limit.reason not in (RATE_LIMITED, QUOTA_EXCEEDED):
        return limit
    if match := _AT.search(sentence):
        return replace(limit, at=_moment(match, now))
    if match := _IN.search(sentence):
        return replace(limit, after=_span(match[1]))
    return limit


def headed(limit: Limit, headers: Mapping[str, object]) -> Limit:
    """Takes a refusal and headers of the answer; adds the time that they tell."""
    if limit.reason not in (RATE_LIMITED, QUOTA_EXCEEDED):
        return limit
    named = {name.lower(): text.strip() for name, text in headers.items() if isinstance(text, str)}
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0), ("x-ratelimit-reset", 1.0)):
        text = named.get(name, "")
        if re.fullmatch(r"\d{1,15}(\.\d{1,9})?", text):
            return _after(limit, float(text) * unit)
        if (until := _date(text)) is not None:
            return replace(limit, at=until)
    for name in ("x-ratelimit-reset-requests", "x-ratelimit-reset-tokens"):
        if named.get(name) and (span := _span(named[name])):
            return replace(limit, after=span)
    return limit


def _after(limit: Limit, seconds: float) -> Limit:
    """An amount as large as a date is one (some count it in milliseconds)."""
    if seconds >= 1e12:
        return replace(limit, at=seconds / 1000)
    if seconds >= 1e9:
        return replace(limit, at=seconds)
    return replace(limit, after=min(seconds, LONGEST))


def _date(text: str) -> float | None:
    from email.utils import parsedate_to_datetime  # it brings a lot with it

    try:
        return parsedate_to_datetime(text[:64]).timestamp() if "," in text[:64] else None
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _span(text: str) -> float | None:
    """`2 days 3 hours 5 minutes`, `1h30m`, `11.054s`, `120ms` → seconds."""
    seconds = 0.0
    for amount, unit in _PART.findall(text):
        size = _UNITS.get("ms" if unit.startswith(("ms", "mil")) else unit[0])
        if size is None or unit.startswith("mo"):
            return None
        seconds += float(amount) * size
    return min(seconds, LONGEST) or None


def _moment(match: re.Match[str], now: float | None) -> float | None:
    """A date and time; a time alone is the next one after the run's end."""
    try:
        if match["day"]:
            written = f"{match['day']} {match['year']} {match['time']}"
            return datetime.strptime(written, "%b %d %Y %I:%M %p").replace(tzinfo=UTC).timestamp()
        if now is None:
            return None
        ended = datetime.fromtimestamp(now, UTC)
        clock = datetime.strptime(match["time"], "%I:%M %p").replace(tzinfo=UTC).time()
        moment = datetime.combine(ended.date(), clock, UTC)
        if moment <= ended - timedelta(minutes=10):  # the tool may have said it some minutes before the run ended
            moment += timedelta(days=1)
        return moment.timestamp()
    except (ValueError, OverflowError, OSError):
        return None
