"""Edits of YAML text that leave every byte alone that they do not mean.

ruamel says where each key and value begins and ends; the edit is a cut at these places, never a dump of the whole
file. What came out is read again, and has to be exactly what was asked for.
"""

import copy
import io
import re
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from reconciler.errors import ReconcilerError
from reconciler.load import yaml
from reconciler.load.edit_render import entry, inline, item, scalar

MARKER = re.compile(r"^---(?=[ \t\r\n]|\Z)", re.MULTILINE)
BLANK_END = re.compile(r"(?:\r?\n[ \t]*)+\Z")

KeyPath = tuple[str, ...]


class CannotEdit(ReconcilerError):
    """The file is written in a way that an edit would not leave as it is."""


def set_value(text: str, index: int, path: KeyPath, value: Any) -> str:
    """Take a file, which of its documents, a path of keys and a plain value; return the file with that value set.

    Keys that are missing are added at the end of their mapping. Raises CannotEdit."""
    expected = _values(text)
    here = _mapping(expected[index], path)
    for key in path[:-1]:
        if here.get(key) is None:
            here[key] = {}
        here = _mapping(here[key], path)
    if path[-1] in here and here[path[-1]] == value:
        return text
    here[path[-1]] = value
    return _checked(_set(text, _nodes(text)[index], path, value), expected, path)


def append_item(text: str, index: int, path: KeyPath, value: Any) -> str:
    """Take a file, which of its documents, the path of a list and a plain value; return the file with the value at
    the end of that list, which is made when it is not there. Raises CannotEdit."""
    expected = _values(text)
    here = _mapping(expected[index], path)
    for key in path[:-1]:
        here = _mapping(here.get(key) or {}, path)
    old = here.get(path[-1])
    if not old:
        return set_value(text, index, path, [value])
    if not isinstance(old, list):
        raise CannotEdit(f"`{'.'.join(path)}` has to be a list before something can be added to it")
    here[path[-1]] = [*old, value]
    parent = node = _nodes(text)[index]
    for key in path:
        pair = _pair(node, key)
        assert pair is not None
        parent, node = node, pair[1]
    end = _end(text, node.value[-1])
    if not _flow(node):
        newline, place = _newline(text), _line_end(text, end)
        before = "" if text[:place].endswith("\n") else newline
        added = before + _indented(item(value), node.start_mark.column, newline) + newline
        return _checked(text[:place] + added + text[place:], expected, path)
    if "\n" in item(value) and not _flow(parent):
        return set_value(text, index, path, [*old, value])  # brackets are no place for a text of several lines
    return _checked(f"{text[:end]}, {inline(value)}{text[end:]}", expected, path)


def delete_key(text: str, index: int, path: KeyPath) -> str:
    """Take a file, which of its documents and a path of keys; return the file without that key and its lines.

    A key that is not there is no error. Raises CannotEdit."""
    expected = _values(text)
    here: Any = _mapping(expected[index], path)
    for key in path[:-1]:
        here = here.get(key)
        if not isinstance(here, dict):
            return text
    if path[-1] not in here:
        return text
    del here[path[-1]]
    return _checked(_delete(text, _nodes(text)[index], path), expected, path)


def delete_document(text: str, index: int) -> str:
    """Take a file and which of its documents; return the file without it (nothing when it was the only one)."""
    expected = _values(text)
    del expected[index]
    if not expected:
        return ""
    begin = _nodes(text)[index].start_mark.index
    markers = [found.start() for found in MARKER.finditer(text)]
    start = max((place for place in markers if place <= begin), default=0)
    end = min((place for place in markers if place > begin), default=len(text))
    return _checked(text[:start] + text[end:], expected, ())


def append_document(text: str, document: str) -> str:
    """Take a file and a document as text; return the file with the document at its end."""
    if not text.strip():
        return document
    newline = _newline(text)
    return text + ("" if text.endswith("\n") else newline) + f"---{newline}" + document.replace("\n", newline)


def _values(text: str) -> list[Any]:
    reading = yaml.read(text.encode())
    if reading.faults:
        fault = reading.faults[0]
        raise CannotEdit(f"line {fault.mark.line}: {fault.message}: repair that first")
    return [copy.deepcopy(content.value) for content in reading.contents]


def _mapping(value: Any, path: KeyPath) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise CannotEdit(f"`{'.'.join(path)}` has no place there: what is above it has to be a mapping")
    return value


def _checked(text: str, expected: list[Any], path: KeyPath) -> str:
    reading = yaml.read(text.encode())
    if reading.faults or [content.value for content in reading.contents] != expected:
        what = f"`{'.'.join(path)}`" if path else "this document"
        raise CannotEdit(f"{what} is written in an unusual way: edit the file by hand, and commit it")
    return text


def _nodes(text: str) -> list[Node]:
    """The root nodes of the documents that are not empty, as `yaml.read` counts them."""
    constructor, _ = YAML(typ="safe", pure=True).get_constructor_parser(io.StringIO(text))
    found: list[Node] = []
    try:
        while constructor.composer.check_node():
            node = constructor.composer.get_node()
            if isinstance(node, MappingNode | SequenceNode) or node.style or node.value not in yaml.CONSTANTS:
                found.append(node)
    except YAMLError as error:  # the parser that knows places is stricter here and there than the fast one
        mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
        where = f"line {mark.line + 1} of this file" if mark else "this file"
        raise CannotEdit(f"{where} is written in an unusual way: edit the file by hand, and commit it") from None
    return found


def _set(text: str, node: Node, path: KeyPath, value: Any) -> str:
    for depth, key in enumerate(path):
        pair = _pair(node, key)
        rest = path[depth + 1 :]
        if pair is None:
            return _insert(text, node, key, _nested(rest, value), wide=depth == 0)
        if not rest:
            return _replace(text, *pair, value, flow=_flow(node))
        if not isinstance(pair[1], MappingNode):
            return _replace(text, *pair, _nested(rest, value), flow=_flow(node), wide=depth == 0)
        node = pair[1]
    return text


def _nested(path: KeyPath, value: Any) -> Any:
    for key in reversed(path):
        value = {key: value}
    return value


def _pair(node: Node, key: str) -> tuple[Node, Node] | None:
    return next(((name, value) for name, value in node.value if name.value == key), None)


def _insert(text: str, node: Node, key: str, value: Any, wide: bool) -> str:
    if not node.value:
        return text[: node.start_mark.index] + "{" + entry(key, value, flow=True) + "}" + text[node.end_mark.index :]
    end = _end(text, node)
    if _flow(node):
        end = _end(text, *reversed(node.value[-1]))
        return text[:end] + ", " + entry(key, value, flow=True) + text[end:]
    newline = _newline(text)
    place = _line_end(text, end)
    before = "" if text[:place].endswith("\n") else newline
    added = _indented(entry(key, value, wide=wide), node.value[0][0].start_mark.column, newline)
    return text[:place] + before + added + newline + text[place:]


def _replace(text: str, key: Node, old: Node, value: Any, *, flow: bool, wide: bool = False) -> str:
    colon, end = _colon(text, key), _end(text, old, key)
    start = min(old.start_mark.index, end)  # nothing after the colon: ruamel marks the next token
    new = (
        inline(value) if flow else entry(key.value, value, wide=wide).removeprefix(f"{scalar(key.value)}:").lstrip(" ")
    )
    if "\n" not in text[colon:end] and "\n" not in new:
        return text[:colon] + (text[colon:start] or " ") + new + text[end:]
    line_end = _line_end(text, end)
    notes = [text[colon:start].partition("\n")[0].strip(), text[end:line_end].strip()]
    if notes[1].startswith("#"):  # the comment behind the old value goes to the line of its key
        end += len(text[end:line_end].rstrip("\r\n"))
    head, _, rest = new.partition("\n")
    note = "".join(f"  {part}" for part in notes if part.startswith("#"))
    lines = f" {head}" * bool(head) + note + (f"\n{rest}" if rest else "")
    return text[:colon] + _indented(lines, key.start_mark.column, _newline(text), first=False) + text[end:]


def _delete(text: str, root: Node, path: KeyPath) -> str:
    above: tuple[Node, Node] | None = None
    node = root
    for key in path[:-1]:
        above = _pair(node, key)
        assert above is not None
        node = above[1]
    at = next(place for place, (name, _) in enumerate(node.value) if name.value == path[-1])
    name, value = node.value[at]
    start, end = name.start_mark.index, _end(text, value, name)
    if len(node.value) == 1:
        if above is None or _flow(node):
            return text[: node.start_mark.index] + "{}" + text[_end(text, node) :]
        return _replace(text, *above, {}, flow=False)
    begin = text.rfind("\n", 0, start) + 1
    if _flow(node) or text[begin:start].strip():  # it shares its line with others, or with `---`
        if at == 0:
            return text[:start] + text[node.value[1][0].start_mark.index :]
        return text[: _end(text, *reversed(node.value[at - 1]))] + text[end:]
    return text[:begin] + text[_line_end(text, end) :]


def _flow(node: Node) -> bool:
    return bool(getattr(node, "flow_style", False))


def _colon(text: str, key: Node) -> int:
    found = text.find(":", key.end_mark.index)
    if found < 0:
        raise CannotEdit(f"`{key.value}` is written in an unusual way: edit the file by hand, and commit it")
    return found + 1


def _end(text: str, node: Node, key: Node | None = None) -> int:
    """Where the last character of a value is over; ruamel ends a block, and nothing, where the next token starts."""
    if isinstance(node, MappingNode) and not _flow(node):
        return _end(text, *reversed(node.value[-1]))
    if isinstance(node, SequenceNode) and not _flow(node):
        return _end(text, node.value[-1])
    start, end = int(node.start_mark.index), int(node.end_mark.index)
    if start == end and key is not None:
        return _colon(text, key)
    if getattr(node, "style", None) in ("|", ">"):
        header = text[start:end].partition("\n")[0]
        if "+" not in header.partition("#")[0]:
            blank = BLANK_END.search(text, start, end)
            return blank.start() if blank else end
    return end


def _line_end(text: str, place: int) -> int:
    if text[:place].endswith("\n"):
        return place
    found = text.find("\n", place)
    return len(text) if found < 0 else found + 1


def _indented(lines: str, column: int, newline: str, *, first: bool = True) -> str:
    head, *rest = lines.split("\n")
    shown = [f"{' ' * column}{line}" if line else "" for line in rest]
    return newline.join([f"{' ' * column}{head}" if first else head, *shown])


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"
