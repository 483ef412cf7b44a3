"""Durations and sizes as users write them. Pure; what comes in was checked by the schema."""

import re

SECONDS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
BYTES = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}


def seconds(text: str) -> int:
    """Take `1h30m` and return 5400; raise ValueError for what is no duration."""
    found = re.fullmatch(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", text, re.ASCII)
    if not text or not found:
        raise ValueError(f"{text!r} is no duration: write for example 90s, 1h30m or 30d")
    return sum(int(number or 0) * unit for number, unit in zip(found.groups(), SECONDS.values(), strict=True))


def seconds_or_never(text: str) -> int | None:
    """Take `1h30m` or `never` and return 5400 or None."""
    return None if text == "never" else seconds(text)


def size(value: str | int) -> int:
    """Take `2GiB` or plain bytes and return bytes; raise ValueError for what is no size."""
    if isinstance(value, int):
        return value
    found = re.fullmatch(r"(\d+)([KMGT]iB)?", value, re.ASCII)
    if not found:
        raise ValueError(f"{value!r} is no size: write for example 2GiB, 500MiB or plain bytes")
    return int(found[1]) * BYTES[found[2] or ""]
