"""Values as YAML that people would have written: plain where that is safe, quoted where it is not. Pure."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from reconciler.load import yaml
from reconciler.load.text import FORBIDDEN

PLAIN = re.compile(r"[A-Za-z0-9_./~À-ɏ][\w./~@%+=:,;!?()$^'\"&*<>|-]*(?: [\w./~@%+=:;!?()$^'\"&*<>|-]+)*\Z")
IN_BRACKETS = re.compile(r"[A-Za-z0-9_./~][\w./~@%+=-]*(?: [\w./~@%+=-]+)*\Z")
OLD_BOOLEANS = frozenset({"y", "n", "yes", "no", "on", "off"})  # text by YAML 1.2, but not to every reader
SHORT = 60  # characters of a mapping that still goes on one line


def document(value: Mapping[str, Any]) -> str:
    """Take a document as plain values and return it as block YAML, ending with a line break."""
    return "".join(f"{line}\n" for line in _mapping(value))


def entry(key: str, value: Any, *, flow: bool = False, wide: bool = False) -> str:
    """Take a key and its value and return `key: value`, without indentation and line break at the end.

    `flow`: it goes into braces. `wide`: a mapping is written one key a line, however short it is."""
    if flow:
        return f"{scalar(key)}: {inline(value)}"
    return "\n".join(_entry(key, value, wide))


def item(value: Any) -> str:
    """Take an entry of a list and return it as block YAML behind a dash, without a line break at the end."""
    return "\n".join(_item(value))


def inline(value: Any) -> str:
    """Take any value and return it on one line, mappings and lists in brackets."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{inline(key)}: {inline(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(inline(item) for item in value) + "]"
    if isinstance(value, str) and not IN_BRACKETS.match(value):
        return _quoted(value)
    return scalar(value)


def scalar(value: Any) -> str:
    """Take a text, number, boolean or None and return it on one line, outside of brackets."""
    if not isinstance(value, str):
        return json.dumps(value)
    if PLAIN.match(value) and value.lower() not in OLD_BOOLEANS and _same(value):
        return value
    return _quoted(value)


def _same(text: str) -> bool:
    reading = yaml.read(f"x: {text}\n".encode())
    return not reading.faults and [content.value for content in reading.contents] == [{"x": text}]


def _quoted(text: str) -> str:
    def escaped(found: re.Match[str]) -> str:
        return f"\\U{ord(found[0]):08x}"

    return FORBIDDEN.sub(escaped, json.dumps(text, ensure_ascii=False))


def _mapping(value: Mapping[str, Any]) -> list[str]:
    return [line for key, item in value.items() for line in _entry(key, item, wide=True)]


def _entry(key: str, value: Any, wide: bool) -> list[str]:
    name = scalar(key)
    if isinstance(value, str) and "\n" in value:
        header, lines = _literal(value)
        return [f"{name}: {header}", *(f"  {line}" if line else "" for line in lines)]
    if isinstance(value, Mapping) and value and (wide or len(inline(value)) > SHORT):
        return [f"{name}:", *(f"  {line}" if line else "" for line in _mapping(value))]
    if isinstance(value, Sequence) and not isinstance(value, str) and value:
        return [f"{name}:", *(f"  {line}" if line else "" for entry in value for line in _item(entry))]
    return [f"{name}: {inline(value) if isinstance(value, Mapping | Sequence) and not value else _one(value)}"]


def _item(value: Any) -> list[str]:
    """A mapping goes on one line when it is short, has several keys and no text of several lines."""
    long = isinstance(value, Mapping) and (len(value) == 1 or len(inline(value)) > SHORT or "\\n" in inline(value))
    if not long:
        return [f"- {inline(value) if isinstance(value, Mapping) else scalar(value)}"]
    first, *rest = _mapping(value)
    return [f"- {first}", *(f"  {line}" if line else "" for line in rest)]


def _one(value: Any) -> str:
    return inline(value) if isinstance(value, Mapping) else scalar(value)


def _literal(text: str) -> tuple[str, list[str]]:
    """A block scalar's header and lines; one quoted line when a block would not keep the text as it is."""
    body = text.removesuffix("\n")
    odd = FORBIDDEN.search(text) or "\r" in text or body.endswith("\n") or re.search(r"^[ \t]+$", body, re.M)
    if odd or not body or body.startswith((" ", "\t", "\n")):
        return _quoted(text), []
    return ("|" if text.endswith("\n") else "|-"), body.split("\n")
