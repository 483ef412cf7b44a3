"""Checks of hosts and of this machine, as a list or as JSON."""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from reconciler.show.escape import safe


class Check(Protocol):
    """What a check has to tell."""

    @property
    def host(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def ok(self) -> bool: ...
    @property
    def why(self) -> str: ...
    @property
    def warning(self) -> bool: ...


def items(checks: Iterable[Check]) -> list[dict[str, Any]]:
    """The rows of `checks` in JSON."""
    return [{"host": check.host or None, "name": check.name, "ok": check.ok, "why": check.why} for check in checks]


def text(checks: Sequence[Check], *, color: bool) -> str:
    """One line per check, grouped by host."""
    lines: list[str] = []
    seen: str | None = None
    wide = max((len(check.name) for check in checks), default=0)
    for check in checks:
        if check.host != seen:
            seen = check.host
            lines.append(f"{seen or 'this machine'}:")
        sign, tone = ("✗", "31") if not check.ok else ("!", "33") if check.warning else ("✓", "32")
        mark = f"\x1b[{tone}m{sign}\x1b[0m" if color else sign
        lines.append(f"  {mark} {check.name:<{wide}}  {safe(check.why)}")
    return "".join(f"{line}\n" for line in lines)
