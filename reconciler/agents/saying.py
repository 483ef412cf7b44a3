"""Events → one readable line each, for `logs`. Pure."""

import json
import re
from collections.abc import Callable

from reconciler.agents.values import Event, parse

LONGEST = 500  # characters of a line
_SHORT = 160  # of a tool's argument

# What a tool call is about, most telling first.
_TELLING = ("command", "file_path", "path", "filePath", "pattern", "url", "query", "description", "prompt")


def lines(of_event: Callable[[Event], str]) -> Callable[[str], str]:
    """Takes what makes a line of an event; returns what makes one of a line of JSON, empty when it is none."""

    def line(text: str) -> str:
        event = parse(text) if text.lstrip()[:1] == "{" else None
        try:
            return flat(of_event(event)) if isinstance(event, dict) else ""
        except RecursionError:  # what could be read need not be short enough to be written
            return ""

    return line


def flat(text: str, longest: int = LONGEST) -> str:
    """Takes a text; returns it on one line and not longer than `longest`; `…` says that there was more."""
    words = re.sub(r"\s+", " ", text[: 4 * longest]).strip()
    return words if len(words) <= longest and len(text) <= 4 * longest else words[: longest - 1] + "…"


def called(tool: str, arguments: object) -> str:
    """Takes a tool's name and its arguments; returns both in short: a shell command is its own name."""
    if not isinstance(arguments, dict):
        return tool
    for key in _TELLING:
        value = arguments.get(key)
        if isinstance(value, str) and value:
            short = flat(value, _SHORT)
            return f"$ {short}" if key == "command" else f"{tool} {short}"
    return f"{tool} {flat(json.dumps(arguments), _SHORT)}" if arguments else tool


def ended(cost: float | None, tokens: int | None) -> str:
    """Takes what a run used; returns how its end is told."""
    used = [f"${cost:.2f}" if cost >= 1 else f"${cost:.4f}"] if cost is not None else []
    used += [f"{tokens} tokens"] if tokens is not None else []
    return f"done: {', '.join(used)}" if used else "done"


def failed(why: str) -> str:
    """Takes why, if that is known; returns how a bad end is told."""
    return f"failed: {why}" if why else "failed"


def nothing(_: str) -> str:
    """The output of a tool without events is shown as it is."""
    return ""
