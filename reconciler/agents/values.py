"""What programs wrote → JSON values of which one knows what they are. Pure; nothing here raises."""

import json
import math
from collections.abc import Iterator, Mapping

Event = Mapping[str, object]

NOTHING: Event = {}
_decoder = json.JSONDecoder()


def parse(text: str) -> object:
    """Takes JSON; returns its value, None when it is none. Strings in it can be written anywhere."""
    try:
        return _clean(json.loads(text), text)
    except (ValueError, RecursionError):
        return None


def scan(text: str, start: int) -> tuple[object, int]:
    """Takes a text and where a JSON value may begin; returns it and its end, or None and where to go on."""
    try:
        value, end = _decoder.raw_decode(text, start)
        return _clean(value, text), end
    except (ValueError, RecursionError):
        return None, start + 1


def _clean(value: object, text: str) -> object:
    """Half of a surrogate pair is legal in JSON and can be stored and printed nowhere."""
    return _whole(value) if "\\u" in text else value


def _whole(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, dict):
        return {str(_whole(key)): _whole(item) for key, item in value.items()}
    return [_whole(item) for item in value] if isinstance(value, list) else value


def decoded(data: bytes | None) -> str:
    """Takes bytes; returns them as text, whatever they are."""
    return (data or b"").decode("utf-8", "replace")


def events(data: bytes) -> Iterator[Event]:
    """Takes one JSON object a line; yields the objects. Lines that are none (half-written, cut, noise) are left out."""
    for line in data.splitlines():
        line = line.strip()
        if line[:1] == b"{" and line[-1:] == b"}":
            value = parse(decoded(line))
            if isinstance(value, dict):
                yield value


def object_at(value: Event, *keys: str) -> Event:
    """Takes an object and a path in it; returns the object there, an empty one when there is none."""
    found: object = value
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else NOTHING


def objects_at(value: Event, key: str) -> list[Event]:
    """Takes an object and a key; returns the objects in the list there."""
    found = value.get(key)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def text_at(value: Event, key: str) -> str:
    """Takes an object and a key; returns the text there, empty when there is none."""
    found = value.get(key)
    return found if isinstance(found, str) else ""


def number_at(value: Event, key: str) -> float | None:
    """Takes an object and a key; returns the amount there: a finite number that is not negative, or None."""
    found = value.get(key)
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    return float(found) if 0 <= found < 1e15 and math.isfinite(found) else None


def total(value: Event, *keys: str) -> int | None:
    """Takes an object and keys; returns the sum of the amounts there, None when none is there."""
    found = [number for key in keys if (number := number_at(value, key)) is not None]
    return int(sum(found)) if found else None
