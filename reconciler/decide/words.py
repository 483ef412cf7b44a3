"""The sentences users read: one place, so that one thing is always said in the same words."""

from collections.abc import Sequence


def span(seconds: float) -> str:
    """Takes seconds; returns an age as people say it: `40s`, `3m`, `1h30m`, `2d4h`."""
    whole = max(0, int(seconds))
    days, hours, minutes = whole // 86_400, whole // 3600 % 24, whole // 60 % 60
    if days:
        return f"{days}d{hours}h" if hours else f"{days}d"
    if hours:
        return f"{hours}h{minutes}m" if minutes else f"{hours}h"
    return f"{minutes}m" if minutes else f"{whole}s"


def size(amount: int | None) -> str:
    """Takes bytes; returns them as kubectl writes them, `3.2Gi`; empty when not known."""
    if amount is None:
        return ""
    value = float(amount)
    for unit in ("", "Ki", "Mi", "Gi"):
        if value < 1024:
            return f"{value:.0f}{unit}" if value >= 10 or not unit else f"{value:.1f}{unit}"
        value /= 1024
    return f"{value:.0f}Ti" if value >= 10 else f"{value:.1f}Ti"


def amount(number: float) -> str:
    """Takes an amount of money; returns it without digits that nobody needs: `5`, `5.02`."""
    return f"{round(number, 4):.10g}"


def opening(text: str, most: int = 40) -> str:
    """Takes a text; returns its first words in one line, with `…` where it goes on."""
    whole = " ".join(text.split())
    if len(whole) <= most:
        return whole
    cut = whole[: most + 1].rpartition(" ")[0] or whole[:most]
    return f"{cut.rstrip(' .,;:')}…"


def count(number: int, noun: str) -> str:
    """Takes a number and a noun; returns `1 task`, `2 tasks`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def listing(items: Sequence[str], most: int = 3) -> str:
    """Takes names; returns the first of them, and how many more there are."""
    shown = ", ".join(items[:most])
    return shown if len(items) <= most else f"{shown} and {len(items) - most} more"


def unseen(host: str, why: str, *, asking: bool, age: float | None) -> str:
    """Takes what is known of a host that did not answer; returns the sentence."""
    if asking:
        return f"still asking host {host}"
    since = f" for {span(age)}" if age is not None else ""
    return f"host {host} unseen{since}: {why}"


def ended(state: str, reason: str) -> str:
    """Takes a state and a reason; returns `Failed (ExitCode 3)`."""
    return f"{state} ({reason})" if reason else state


def short(revision: str) -> str:
    """Takes a commit id; returns the part of it that people read."""
    return revision[:8]
