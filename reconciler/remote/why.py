"""What ssh said, as a short reason for people. Nothing is decided by it. Pure."""

import re

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/=]{20,}")
_OFFENDING = re.compile(r"Offending \S+ key in (?P<file>.+):(?P<line>\d+)\s*$", re.MULTILINE)

# The first that is found in what ssh wrote; `{…}` is taken from the match.
_REASONS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), reason)
    for pattern, reason in (
        (
            r"No (?P<type>\S+) host key is known for",
            "host key is not the pinned one (it is of type {type})",
        ),
        (r"Permission denied \((?P<how>[^)]*)\)", "permission denied ({how})"),
        (r"Too many authentication failures", "permission denied (too many keys were offered: set identityFile)"),
        (r"Could not resolve hostname (?P<name>\S+):", "name does not resolve ({name})"),
        (r"Connection refused", "connection refused"),
        (r"No route to host", "no route to host"),
        (r"Network is unreachable", "network is unreachable"),
        (r"(?i)connection timed out|Operation timed out", "connection timed out"),
        (r"Bad configuration option: (?P<option>\S+)", "this machine's ssh does not know the option {option}"),
        (r"no matching (?P<what>[a-z ]+) found", "no {what} in common"),
        (r"bash: (?:command )?not found|bash: No such file", "bash is not installed there"),
        (r"Timeout, server .* not responding", "connection lost"),
        (r"(?i)connection (?:closed|reset)|broken pipe|lost connection|stdio forwarding failed", "connection closed"),
    )
)


def why_of(errors: str, code: int, *, pinned: bool) -> str:
    """Why a call has no answer, from its standard error and exit code."""
    if "REMOTE HOST IDENTIFICATION HAS CHANGED" in errors:
        return _changed(errors, pinned=pinned)
    for pattern, reason in _REASONS:
        if found := pattern.search(errors):
            return clean(reason.format(**found.groupdict()))
    lines = [said for line in errors.split("\n") if (said := clean(line))]
    return lines[-1] if code != 0 and lines else "answer was cut short"


def clean(text: str, longest: int = 200) -> str:
    """One printable line of what a stranger wrote."""
    line = " ".join(_CONTROL.sub(" ", text).split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def _changed(errors: str, *, pinned: bool) -> str:
    found = _FINGERPRINT.search(errors)
    now = f" (now {found[0]})" if found else ""
    if pinned:
        return clean(f"host key is not the pinned one{now}: correct hostKeys if the machine was set up anew")
    place = _OFFENDING.search(errors)
    where = f"line {place['line']} of {place['file']}" if place else "its line in known_hosts"
    return clean(f"host key changed{now}: if the machine was set up anew, remove {where}", 400)
