"""What is wrong with one key of one document, before its place in the file is known."""

import difflib
import re
from collections.abc import Iterable
from typing import NamedTuple

Path = tuple[str | int, ...]


class Complaint(NamedTuple):
    """One sentence about one key; never with a value that sits under `env` or `secrets`."""

    path: Path
    message: str
    hint: str = ""


def shown(path: Path) -> str:
    """Take a path and return it as users read it: `spec.secrets[0].name`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif re.fullmatch(r"[A-Za-z0-9_-]{1,80}", part):
            text += f".{part}" if text else part
        else:
            text += f'["{quoted(part)}"]'
    return text


def quoted(text: str) -> str:
    """Take any text and return the begin of it, as it can be printed on one line and seen: `a\\u200bb`."""
    line = "".join(letter if letter.isprintable() else _escaped(letter) for letter in text[:80])
    return line if len(text) <= 80 else f"{line[:79]}…"


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode()


def closest(word: str, known: Iterable[str]) -> str:
    """Return the known word that was probably meant, or nothing."""
    plain = {re.sub(r"[-_ ]", "", name).lower(): name for name in known}
    wanted = re.sub(r"[-_ ]", "", word).lower()
    if wanted in plain:
        return plain[wanted]
    turned = [name for name in plain if len(name) > 2 and sorted(name) == sorted(wanted)]
    if turned:
        return plain[turned[0]]
    found = difflib.get_close_matches(wanted[:80], plain, n=1, cutoff=0.7)
    return plain[found[0]] if found else ""
