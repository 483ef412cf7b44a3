"""The filters of prompt templates that can make a text longer or take it apart, with a limit. Pure."""

LONGEST = 1_000_000  # characters of a value, and of a whole prompt
MOST = 1_000  # rounds of all loops of a prompt together


class TooMuch(Exception):
    """A template makes more than anybody would read."""


def lines(text: str) -> list[str]:
    """Take a text and return its lines."""
    return str(text).splitlines()


def split(text: str, separator: str = ",") -> list[str]:
    """Take a text and what stands between its parts; return the parts, trimmed, without the empty ones."""
    found = [found.strip() for found in str(text).split(str(separator) or ",")]
    return [part for part in found if part]


def join(parts: list[str], separator: str = "") -> str:
    """Take texts and what stands between them; return them as one."""
    if not isinstance(parts, list):
        return str(parts)
    _bounded(sum(len(str(part)) for part in parts) + len(parts) * len(str(separator)))
    return str(separator).join(str(part) for part in parts)


def replace(text: str, old: str, new: str) -> str:
    """Take a text, what to replace in it and by what; return it with all of them replaced."""
    whole, before, after = str(text), str(old), str(new)
    if not before:
        return whole
    _bounded(len(whole) + whole.count(before) * len(after))
    return whole.replace(before, after)


def indent(text: str, width: int = 4, first: bool = False) -> str:
    """Take a text and a number of blanks; return it with its lines (without `first`, all but the first) moved in."""
    whole, blanks = str(text), max(0, min(int(width), 100))
    _bounded(len(whole) + (whole.count("\n") + 1) * blanks)
    moved = [f"{' ' * blanks}{line}" if line else "" for line in whole.split("\n")]
    return "\n".join(moved if first else [whole.split("\n")[0], *moved[1:]])


def _bounded(length: int) -> None:
    if length > LONGEST:
        raise TooMuch


BOUNDED = {"lines": lines, "split": split, "join": join, "replace": replace, "indent": indent}
PLAIN = ("default", "d", "trim", "upper", "lower", "title", "capitalize", "first", "last", "length", "count")
