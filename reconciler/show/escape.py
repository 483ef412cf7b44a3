"""Text that hosts, workers and files chose, made harmless: no control character reaches a terminal or a log."""

import re

# C0 and C1 controls, line separators, lone surrogates, and the marks that turn the direction of text around.
_CLASS = "\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff"
_UNSAFE = re.compile(f"[{_CLASS}]")
_UNSAFE_BUT_LAYOUT = re.compile(f"(?![\n\t])[{_CLASS}]")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def safe(text: str) -> str:
    """Take any text; return it on one line with every control character spelled out (`\\x1b`, `\\n`, `\\u202e`)."""
    return _UNSAFE.sub(_spelled, text)


def safe_lines(text: str) -> str:
    """As `safe`, but newlines and tabs stay: for logs and answers of several lines."""
    return _UNSAFE_BUT_LAYOUT.sub(_spelled, text.replace("\r\n", "\n"))


def safe_json(text: str) -> str:
    """Take JSON text; return the same value with every unsafe character as a JSON escape; its layout stays."""
    return _UNSAFE_BUT_LAYOUT.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def first_line(text: str) -> str:
    """The first line that says something, made safe; `…` stands for what follows."""
    lines = [line for line in text.replace("\r", "\n").split("\n") if line.strip()]
    return "" if not lines else safe(lines[0].strip()) + (" …" if len(lines) > 1 else "")


def _spelled(found: re.Match[str]) -> str:
    character = found.group()
    code = ord(character)
    return _SHORT.get(character) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")
