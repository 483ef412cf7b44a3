"""Takes secret values out of everything that is stored or shown."""

import base64
import json
import re
from collections.abc import Iterable
from threading import Lock
from typing import overload
from urllib.parse import quote, quote_plus

LEAST = 6  # characters below which a form is left alone: it would be found everywhere
LINE = 16  # the same for one line of a value of several lines
MASK = "***"


class Redactor:
    """Knows values and the forms in which they turn up; safe to use from several threads."""

    def __init__(self) -> None:
        """Knows nothing yet."""
        self._lock = Lock()
        self._forms: frozenset[bytes] = frozenset()
        self._pattern: re.Pattern[bytes] | None = None
        self.reach = 0  # bytes before a boundary in which a form that crosses it can begin

    def add(self, values: Iterable[str]) -> None:
        """Register values that must never be seen again."""
        forms = {form for value in values for form in _forms(value)}
        with self._lock:
            if forms <= self._forms:
                return
            self._forms |= forms
            # Longest first: of two forms that begin alike the whole of the longer one goes.
            ordered = sorted(self._forms, key=lambda form: (-len(form), form))
            self._pattern = re.compile(b"|".join(map(re.escape, ordered)))
            self.reach = len(ordered[0]) - 1

    @overload
    def scrub(self, text: str) -> str: ...

    @overload
    def scrub(self, text: bytes) -> bytes: ...

    def scrub(self, text: str | bytes) -> str | bytes:
        """Text with `***` for every known form; bytes keep their length (`*` each), since logs are counted in bytes."""
        pattern = self._pattern
        if pattern is None:
            return text
        if isinstance(text, bytes):
            return pattern.sub(lambda found: b"*" * len(found[0]), text)
        return pattern.sub(MASK.encode(), text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")


def _forms(value: str) -> set[bytes]:
    raw = value.encode("utf-8", "surrogateescape")
    texts = {value, value.strip(), json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    texts |= {quote(raw, safe=""), quote(raw), quote_plus(raw)}
    forms = {text.encode("utf-8", "surrogateescape") for text in texts}
    forms |= {_lower_escapes(form) for form in forms}
    for shift in range(3):
        forms |= _base64(raw, shift)
    lines = {line.strip() for line in raw.splitlines()}
    return {form for form in forms if len(form) >= LEAST} | {line for line in lines if len(line) >= LINE}


def _base64(raw: bytes, shift: int) -> set[bytes]:
    """What `raw` looks like inside the base64 of a longer text, where it begins `shift` bytes into a group of three."""
    whole = base64.b64encode(b"\0" * shift + raw)
    first = (shift * 8 + 5) // 6  # characters that hold bits of what comes before
    last = len(whole.rstrip(b"=")) - (1 if (shift + len(raw)) % 3 else 0)  # … and of what comes after
    inner = whole[first:last]
    # Short values lose so many characters that what is left may be anything.
    return {inner, inner.replace(b"+", b"-").replace(b"/", b"_")} if len(raw) >= LEAST else set()


def _lower_escapes(form: bytes) -> bytes:
    """`%2f` for `%2F`: both are in use."""
    return re.sub(rb"%[0-9A-F]{2}", lambda found: found[0].lower(), form)
