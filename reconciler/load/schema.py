"""The door to jsonschema: one validator per kind, every complaint at once, in our own words."""

import functools
import importlib.resources
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path as FilePath
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend
from referencing import Registry

from reconciler.load.complaint import Complaint
from reconciler.load.wording import worded

KINDS = ("Fleet", "Host", "Project", "Agent", "Task")
API_VERSION = "reconciler/v1"


def schema_text(kind: str) -> str:
    """Take a kind and return its schema as it is shipped; raise KeyError for a kind that does not exist."""
    if kind not in KINDS:
        raise KeyError(kind)
    name = f"{kind.lower()}.json"
    packaged = importlib.resources.files("reconciler") / "schemas" / name
    if packaged.is_file():
        return packaged.read_text(encoding="utf-8")
    return (FilePath(__file__).parents[2] / "schemas" / name).read_text(encoding="utf-8")


@functools.cache
def schema(kind: str) -> Mapping[str, Any]:
    """Take a kind and return its schema with every `$ref` written out."""
    raw = json.loads(schema_text(kind))
    definitions = raw.pop("$defs", {})
    expanded = _expanded(raw, definitions)
    assert isinstance(expanded, dict)
    return expanded


def check(kind: str, document: Mapping[str, Any]) -> tuple[Complaint, ...]:
    """Take a document of a known kind and return everything its schema refuses, one complaint a key."""
    validator = _validator(kind)
    if validator.is_valid(document):
        return ()
    found: dict[tuple[str | int, ...], ValidationError] = {}
    for error in validator.iter_errors(document):
        path = tuple(error.absolute_path)
        if "propertyNames" in error.absolute_schema_path:
            path = (*path, error.instance)
        if path not in found or error.validator == "type":
            found[path] = error  # a wrong type makes every other complaint about the same key noise
    return tuple(worded(path, error, schema(kind)) for path, error in found.items())


def _expanded(part: Any, definitions: Mapping[str, Any]) -> Any:
    if isinstance(part, list):
        return [_expanded(item, definitions) for item in part]
    if not isinstance(part, dict):
        return part
    if isinstance(part.get("$ref"), str):
        target = definitions[part["$ref"].removeprefix("#/$defs/")]
        part = {**target, **{key: value for key, value in part.items() if key != "$ref"}}
    return {key: _expanded(value, definitions) for key, value in part.items()}


@functools.cache
def _validator(kind: str) -> Any:
    return _Strict(schema(kind), registry=Registry())  # an empty registry: nothing is ever fetched


def _required(_validator: Any, required: list[str], instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, dict):
        for name in required:
            if name not in instance:
                yield ValidationError("is missing", path=[name])


def _additional(validator: Any, allowed: Any, instance: Any, schema: Mapping[str, Any]) -> Iterator[ValidationError]:
    if not isinstance(instance, dict):
        return
    known = schema.get("properties", {})
    ignored = "^x-" in schema.get("patternProperties", {})
    for name, value in instance.items():
        if name in known or (ignored and name.startswith("x-")):
            continue
        if allowed is False:
            yield ValidationError("is unknown", path=[name])
        elif not _plainly_right(value, allowed):
            yield from validator.descend(value, allowed, path=name)


def _properties(validator: Any, known: Mapping[str, Any], instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, dict):
        for name, value in instance.items():
            if name in known and not _plainly_right(value, known[name]):
                yield from validator.descend(value, known[name], path=name, schema_path=name)


def _names(validator: Any, rules: Mapping[str, Any], instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, dict):
        for name in instance:
            if not _plainly_right(name, rules):
                yield from validator.descend(name, rules)


def _plainly_right(value: Any, rules: Mapping[str, Any]) -> bool:
    """Return whether a text is what simple rules ask for; most values are, and jsonschema takes 20 times as long."""
    if not isinstance(value, str) or not _SIMPLE.issuperset(rules) or rules.get("type") != "string":
        return False
    if not rules.get("minLength", 0) <= len(value) <= rules.get("maxLength", 0):
        return False
    if "pattern" in rules:
        return _compiled(rules["pattern"]).match(value) is not None
    return value in rules.get("enum", ()) or value == rules.get("const")


_SIMPLE = frozenset(
    {"type", "minLength", "maxLength", "pattern", "enum", "const", "description", "default", "examples", "x-expects"}
)


def _ignored(_validator: Any, _patterns: Any, _instance: Any, _schema: Any) -> Iterator[ValidationError]:
    return iter(())  # what starts with x- is never looked into


def _pattern(_validator: Any, pattern: str, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not _compiled(pattern).match(instance):
        yield ValidationError("does not fit")


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    assert pattern.startswith("^")
    assert pattern.endswith("$")
    return re.compile(pattern[:-1] + r"\Z")  # Python's `$` would let a trailing line break pass


def _is_integer(_checker: Any, instance: Any) -> bool:
    return isinstance(instance, int) and not isinstance(instance, bool)


_Strict = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    {
        "required": _required,
        "properties": _properties,
        "additionalProperties": _additional,
        "patternProperties": _ignored,
        "propertyNames": _names,
        "pattern": _pattern,
    },
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_integer),
)
