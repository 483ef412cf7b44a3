"""`reconciler explain` and `reconciler schema`: the schemas, read aloud."""

import json
from collections.abc import Mapping
from textwrap import indent, wrap
from typing import Any

import click

from reconciler.errors import UsageError

KINDS = ("fleet", "host", "project", "agent", "task")
WIDTH = 96

Schema = Mapping[str, Any]


@click.command()
@click.argument("what", metavar="KIND[.FIELD]", shell_complete=lambda ctx, parameter, typed: _complete(typed))
def explain(what: str) -> None:
    """Explain a kind or one of its fields: type, default, an example, and what is below it.

    \b
    reconciler explain task
    reconciler explain task.retries.limit
    """
    click.echo(text(what), nl=False)


@click.command()
@click.argument("kind", metavar="KIND", shell_complete=lambda ctx, parameter, typed: _complete(typed))
def schema(kind: str) -> None:
    """Print the JSON Schema of a kind, for editors and other tools."""
    from reconciler.load.schema import schema_text

    click.echo(schema_text(_kind(kind)), nl=False)


def text(what: str) -> str:
    """Take `task`, `task.retries` or `task.spec.retries` and return its explanation. Raises UsageError."""
    name, *path = what.strip(".").split(".")
    kind = _kind(name)
    node: Schema = _schema(kind)
    if path and path[0] not in node["properties"]:
        path.insert(0, "spec")  # as people say it: `task.retries`
    walked: list[str] = []
    for step in path:
        below = _fields(node)
        if step not in below:
            raise UsageError(_unknown(step, below, [kind.lower(), *walked]))
        node = below[step]
        walked.append(step)
    return _page(kind, walked, node)


def _page(kind: str, path: list[str], node: Schema) -> str:
    shown = ".".join(path)
    lines = [f"KIND:     {kind}", f"VERSION:  {_schema(kind)['properties']['apiVersion']['const']}"]
    if path:
        lines.append(f"FIELD:    {shown} <{_type(node)}>")
    lines += ["", *wrap(str(node.get("description", "")), WIDTH), ""]
    facts = {"values": _values(node), "default": _default(node), "expects": node.get("x-expects", "")}
    lines += [f"{word}: {fact}" for word, fact in facts.items() if fact]
    if path and node.get("examples"):
        lines += ["example:", indent(_example(path[-1], node["examples"][0]), "  ").rstrip()]
    below = _fields(node)
    if below:
        lines += ["", "fields:"]
        required = node.get("required", [])
        for name, field in below.items():
            mark = "  (required)" if name in required else ""
            default = f"  [{_default(field)}]" if _default(field) else ""
            lines.append(f"  {name} <{_type(field)}>{default}{mark}")
            lines += [f"      {line}" for line in wrap(str(field.get("description", "")), WIDTH - 6)]
    return "\n".join(lines).replace("\n\n\n", "\n\n").rstrip() + "\n"


def _kind(name: str) -> str:
    from reconciler.load.complaint import closest

    plain = name.lower()
    for kind in KINDS:
        if plain in (kind, f"{kind}s"):
            return kind.title()
    meant = closest(plain, KINDS)
    raise UsageError(f"there is no kind {name!r}: {f'did you mean {meant}?' if meant else f'there is {_all(KINDS)}'}")


def _schema(kind: str) -> Schema:
    from reconciler.load.schema import schema as expanded

    return expanded(kind)


def _fields(node: Schema) -> Mapping[str, Schema]:
    """The keys below a field; of a list, those of its items, of a map those of its values."""
    if "properties" in node:
        found: Mapping[str, Schema] = node["properties"]
        return found
    for inner in (node.get("items"), node.get("additionalProperties"), *node.get("anyOf", ()), *node.get("oneOf", ())):
        if isinstance(inner, Mapping):
            below = _fields(inner)
            if below:
                return below
    return {}


def _unknown(step: str, below: Mapping[str, Schema], path: list[str]) -> str:
    from reconciler.load.complaint import closest

    place = ".".join(path)
    if not below:
        return f"{place} has no fields below it"
    meant = closest(step, below)
    return f"{place} has no field {step!r}: {f'did you mean {meant}?' if meant else f'there is {_all(below)}'}"


def _all(names: Any) -> str:
    return ", ".join(names)


def _type(node: Schema) -> str:
    kind = node.get("type")
    if isinstance(kind, list):
        return " or ".join(str(one) for one in kind)
    if kind == "array":
        return f"list of {_type(node.get('items', {}))}"
    if kind == "object" and "properties" not in node:
        return "map"
    options = [_type(inner) for inner in (*node.get("anyOf", ()), *node.get("oneOf", ()))]
    return str(kind or " or ".join(dict.fromkeys(options)) or "any value")


def _values(node: Schema) -> str:
    return ", ".join(_short(value) for value in node.get("enum", ()))


def _default(node: Schema) -> str:
    return _short(node["default"]) if node.get("default") is not None else ""


def _short(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _example(key: str, value: Any) -> str:
    from reconciler.load.edit_render import document

    return document({key: value})


def _complete(typed: str) -> list[str]:
    kind, dot, rest = typed.partition(".")
    if not dot:
        return [name for name in KINDS if name.startswith(kind)]
    if kind not in KINDS:
        return []
    *above, last = rest.split(".")
    node: Schema = _schema(kind.title())["properties"]["spec"]
    for step in above:
        node = _fields(node).get(step, {})
    front = ".".join([kind, *above])
    return [f"{front}.{name}" for name in _fields(node) if name.startswith(last)]
