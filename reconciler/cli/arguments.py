"""Types of command line arguments: durations, label selectors, names."""

import re
from typing import Any

import click

_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_DURATION = re.compile(r"(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,9})s)?\Z")


class Duration(click.ParamType[float]):
    """`30d`, `1h30m`, `90s` as seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds; fails with a hint."""
        if isinstance(value, int | float):
            return float(value)
        match = _DURATION.match(value)
        if not value or match is None:
            self.fail(f"{value!r} is no duration: write it like 90s, 10m or 1h30m", param, ctx)
        return float(sum(int(number or 0) * unit for number, unit in zip(match.groups(), _UNITS.values(), strict=True)))


class Selector(click.ParamType[dict[str, str]]):
    """`team=web,tier=1` as a mapping."""

    name = "selector"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, str]:
        """Labels that must all match; fails with a hint."""
        if isinstance(value, dict):
            return value
        pairs = [part.partition("=") for part in value.split(",") if part]
        if not pairs or any(not key or not equals for key, equals, _ in pairs):
            self.fail(f"{value!r} is no selector: write it like team=web,tier=1", param, ctx)
        return {key.strip(): text.strip() for key, _, text in pairs}


def bare(name: str, kind: str) -> str:
    """`task/build` or `build` as `build`."""
    prefix, slash, rest = name.partition("/")
    return rest if slash and prefix in (kind, f"{kind}s") else name
