"""Says in our own words what a schema refused, and what to write instead. Pure."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from reconciler.load.complaint import Complaint, Path, closest, quoted, shown

TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
}
KIND = re.compile(r"(?:fleet|host|project|agent|task)s?/")  # as kubectl writes names
BOOLEAN_WORDS = frozenset({"yes", "no", "on", "off", "y", "n", "true", "false"})


class Refusal(Protocol):
    """What is read of a validation error."""

    validator: Any
    validator_value: Any
    instance: Any
    schema: Any


def worded(path: Path, refusal: Refusal, root: Mapping[str, Any]) -> Complaint:
    """Take the path of a key, why its schema refused it, and the schema of the kind; return the complaint."""
    secret = sensitive(path)
    limit, value, rules = refusal.validator_value, refusal.instance, refusal.schema
    expects = rules.get("x-expects", "")
    match refusal.validator:
        case "required":
            return Complaint(path, "is missing", _missing(path, rules))
        case "additionalProperties":
            return _unknown(path, rules, root)
        case "type" if {"const", "enum"} & set(rules) and not isinstance(value, str):
            return _one_of(path, rules.get("enum") or [rules["const"]], value, root)
        case "type":
            types = limit if isinstance(limit, list) else [limit]
            plain = types == ["string"] and expects.startswith(("text", "a script", "one line"))
            wanted = "text" if plain else expects or " or ".join(TYPES[name] for name in types)
            return Complaint(
                path, f"expected {wanted}, got {kind_of(value)}", _retyped(path, types, value, rules, root)
            )
        case "const" | "enum":
            known = [limit] if refusal.validator == "const" else limit
            return _one_of(path, known, value, root)
        case "pattern" | "minLength" if expects and value:
            given = "" if secret or not isinstance(value, str) else f', got "{quoted(value)}"'
            return Complaint(path, f"expected {expects}{given}", _reshaped(value, expects))
    return _limited(path, str(refusal.validator), limit, value, expects)


def _limited(path: Path, rule: str, limit: Any, value: Any, expects: str) -> Complaint:
    match rule:
        case "minLength" | "minItems":
            unit = "characters" if rule == "minLength" else "entries"
            return Complaint(path, "is empty" if not value else f"expected at least {limit} {unit}", expects)
        case "maxLength":
            return Complaint(path, f"expected at most {limit} characters, got {len(value)}")
        case "minimum":
            return Complaint(path, f"expected {limit} or more, got {value}")
        case "exclusiveMinimum":
            return Complaint(path, f"expected {expects or f'more than {limit}'}, got {value}")
        case "maximum":
            return Complaint(path, f"expected at most {limit}, got {value}")
        case "maxItems" | "maxProperties":
            return Complaint(path, f"expected at most {limit} entries, got {len(value)}")
        case "uniqueItems":
            return Complaint(path, "the same entry is given twice", "keep one of them")
    return Complaint(path, f"expected {expects}" if expects else "this value is refused")


def sensitive(path: Path) -> bool:
    """Return whether what sits at a path may be a secret, so that it is never shown."""
    return any(part in ("env", "secrets") for part in path[1:])


def kind_of(value: Any) -> str:
    """Return what a value is, without the value."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true or false"
    for kind, name in ((str, "text"), (int, "a number"), (float, "a decimal number"), (list, "a list")):
        if isinstance(value, kind):
            return name
    return "a mapping"


def _missing(path: Path, rules: Mapping[str, Any]) -> str:
    examples = rules.get("properties", {}).get(path[-1], {}).get("examples", [])
    if examples and isinstance(examples[0], str) and "\n" not in examples[0]:
        return f"write for example `{path[-1]}: {examples[0]}`"
    return f"write `{quoted(str(path[-1]))}:`"


def _unknown(path: Path, rules: Mapping[str, Any], root: Mapping[str, Any]) -> Complaint:
    name = str(path[-1])
    meant = closest(name, rules.get("properties", {})) or closest(_plain(name), rules.get("properties", {}))
    if meant:
        alike = "" if name.isascii() else " some letters of this one only look alike, or cannot be seen"
        return Complaint(path, "unknown key", f"did you mean {meant}?{alike}")
    elsewhere = [place for place in _places(root, ()) if place[-1] == name and place != path]
    if elsewhere:
        return Complaint(path, "unknown key here", f"it belongs to {shown(elsewhere[0][:-1]) or 'the document itself'}")
    known = ", ".join(rules.get("properties", {}))
    return Complaint(path, "unknown key", f"known here: {known}; start it with x- to have it ignored")


def _places(rules: Mapping[str, Any], path: Path) -> Iterator[Path]:
    for name, inner in rules.get("properties", {}).items():
        yield (*path, name)
        yield from _places(inner, (*path, name))


def _retyped(path: Path, types: list[str], value: Any, rules: Mapping[str, Any], root: Mapping[str, Any]) -> str:
    key = quoted(next((part for part in reversed(path) if isinstance(part, str)), "value"))
    expects = rules.get("x-expects", "")
    if value is None:
        return _nothing(path, root)
    if isinstance(value, bool | int | float) and "string" in types and "array" not in types:
        if "duration" in expects and not isinstance(value, bool):
            return f"give it a unit: `{key}: {value}s`"
        plain = "…" if sensitive(path) or isinstance(value, float) else str(value).lower()
        return (
            f'write it in quotes: "{plain}"' if isinstance(path[-1], int) else f'write it in quotes: `{key}: "{plain}"`'
        )
    if isinstance(value, str) and "boolean" in types and value.lower() in BOOLEAN_WORDS:
        return f"write true or false: `{value}` is text in YAML 1.2"
    if {"integer", "number"} & set(types) and isinstance(value, str | float):
        digits = re.sub(r"[_, ]", "", value) if isinstance(value, str) else f"{value:.0f}"
        if isinstance(value, float) or (digits.isascii() and digits.isdigit()):
            return "write it without quotes" if value == digits else f"write `{key}: {digits}`"
    if types == ["array"] and isinstance(value, int | float) and not sensitive(path):
        return f"write a list: `{key}: [{value}]`"
    if isinstance(value, str) and "array" in types:
        return f"write a list: `{key}: [{'…' if sensitive(path) else quoted(value)}]`"
    if isinstance(value, list) and types == ["string"] and expects.startswith(("text", "a script")):
        return f"write one text; `{key}: |` begins one of several lines"
    if types == ["object"] and not expects:
        known = ", ".join(list(rules.get("properties", {}))[:8])
        return f"its keys are {known}" if known else f"write `{key}: {{NAME: …}}`"
    return ""


def _nothing(path: Path, root: Mapping[str, Any]) -> str:
    """What to do about a key without a value: one that has to be there cannot go."""
    rules = root
    for part in path[:-1]:
        rules = rules.get("properties", {}).get(part, {}) if isinstance(part, str) else rules.get("items", {})
    return "give it a value" if path and path[-1] in rules.get("required", ()) else "give it a value, or remove the key"


def _one_of(path: Path, known: list[Any], value: Any, root: Mapping[str, Any]) -> Complaint:
    names = [str(name) for name in known]
    wanted = " or ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)
    hint = f"write `{quoted(str(path[-1]))}: {names[0]}`" if len(names) == 1 else ""
    if not isinstance(value, str):
        hint = hint or (_nothing(path, root) if value is None else "")
        return Complaint(path, f"expected {wanted}, got {kind_of(value)}", hint)
    meant = closest(value, names)
    given = "" if sensitive(path) else f', got "{quoted(value)}"'
    return Complaint(path, f"expected {wanted}{given}", hint or (f"did you mean {meant}?" if meant else ""))


def _reshaped(value: Any, expects: str) -> str:
    if isinstance(value, str) and expects.startswith("a name of"):
        meant = re.sub(r"[^a-z0-9]+", "-", KIND.sub("", _plain(value.casefold()))).strip("-")[:63].strip("-")
        return f"for example {meant}" if meant else ""
    if isinstance(value, str) and expects.startswith("auto,"):
        return "did you mean auto?" if closest(value, ["auto"]) else f"a script is a step: `qa: [{quoted(value)}]`"
    return ""


def _plain(text: str) -> str:
    """A text without accents, and without what is not ASCII."""
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
