"""What may be shown: no character that a terminal, a log or JSON stumbles over."""

import re

UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def harmless(text: str) -> None:
    """Raises AssertionError when a control character is in `text` (line breaks and tabs are layout)."""
    found = UNSAFE.search(text)
    assert found is None, f"U+{ord(found[0]):04X} in {text[:200]!r}"
