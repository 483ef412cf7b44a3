"""The door to YAML: a strict subset, read in one pass over events, so that no input can blow up or crash."""

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.cyaml import CParser  # type: ignore[attr-defined]
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from reconciler.load.text import Mark, Unread, conflict, text

DEEPEST = 64  # containers inside each other
MOST = 50_000  # nodes in a file
BIGGEST = (1 << 53) - 1  # what JSON readers keep exactly

Path = tuple[str | int, ...]

CONSTANTS = {"": None, "~": None, "null": None, "Null": None, "NULL": None} | dict.fromkeys(
    ("true", "True", "TRUE"), True
)
CONSTANTS |= dict.fromkeys(("false", "False", "FALSE"), False)
NUMBER_START = frozenset("+-.0123456789")
INTEGER = re.compile(r"[-+]?[0-9]+\Z|0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
NO_NUMBER = re.compile(r"[-+]?\.(?:inf|Inf|INF)\Z|\.(?:nan|NaN|NAN)\Z")
OPENED = ("end of stream", "stream end", "expected ',' or", "could not find expected ':'")
COLON = "unexpected ':'"  # what the fast parser says of a colon between braces
HINTS = {  # the first that fits
    "cannot start any token": "indent with spaces, and quote a value that starts with a special character",
    "mapping values are not allowed": "quote a value that contains `: `, and check the indentation",
    "expected key": "check the indentation of this line and the one above it",
    "expected '-' indicator": "check the indentation of this line and the one above it",
    "could not find expected ':'": "a key needs `: ` after it",
    "unexpected end of stream": "the quote is not closed",
    "stream end": "a bracket or quote is not closed",
    "expected ',' or": "the bracket is not closed, or a comma is missing",
    "tab character": "indent with spaces",
    "expected <document start>": "a new document begins with `---`",
    "alphabetic or numeric character": "quote a text that starts with * or &",
    "escape": "in double quotes a backslash is written `\\\\`; in single quotes it is one",
    "hexdecimal": "in double quotes a backslash is written `\\\\`; in single quotes it is one",
    "expected node content": "close the bracket, or quote a text that starts with a special character",
    "comment or line break": "the text begins on the next line",
    "incompatible YAML": "remove the line",
    "directive": "quote a text that starts with %, or remove the line",
}


class Fault(NamedTuple):
    """What is wrong with the YAML itself; `path` is as far as it is known."""

    mark: Mark
    path: Path
    message: str
    hint: str = ""
    document: int = 0  # the index that its document has or would have in `Reading.contents`


class Content(NamedTuple):
    """One document of a file: plain values, and where it starts."""

    value: Any
    mark: Mark


class Reading(NamedTuple):
    """A file as it was read. `whole`: False when what follows the last document is not known."""

    contents: tuple[Content, ...]
    faults: tuple[Fault, ...]
    whole: bool


class _Frame:
    """An open mapping or sequence."""

    __slots__ = ("container", "key", "mark")

    def __init__(self, container: dict[str, Any] | list[Any], mark: Mark) -> None:
        self.container = container
        self.key: str | None = None  # of a mapping, whose value comes next
        self.mark = mark


def read(data: bytes) -> Reading:
    """Take the bytes of a file and return its documents (empty ones left out) and faults; never raises."""
    return _build(data, _Builder(places=False))


def locate(data: bytes) -> list[dict[Path, Mark]]:
    """Take the bytes of a file and return, for each document that `read` returns, where each key and item is."""
    builder = _Builder(places=True)
    _build(data, builder)
    return builder.places


def _build(data: bytes, builder: "_Builder") -> Reading:
    try:
        for event in _events(text(data)):
            builder.take(event)
    except Unread as why:
        fault = Fault(why.mark, (), why.message, why.hint, len(builder.contents))
        return Reading(tuple(builder.contents), (*builder.faults, fault), False)
    return Reading(tuple(builder.contents), tuple(builder.faults), True)


def _events(text: str) -> Iterator[Any]:
    parser, count = CParser(text), 0
    try:
        while parser.check_event():
            yield parser.get_event()
            count += 1
    except YAMLError as error:
        if not isinstance(error, MarkedYAMLError) or COLON not in str(error.problem):
            raise _unreadable(error, text) from None
    else:
        return
    finally:
        parser.dispose()
    try:  # it is older than YAML 1.2, where `{url: https://example.org}` is no mistake
        yield from islice(YAML(typ="safe", pure=True).parse(text), count, None)
    except YAMLError as error:
        raise _unreadable(error, text) from None


def _unreadable(error: YAMLError, text: str) -> Unread:
    left = conflict(text)
    if left:
        return left
    said = (error.problem or error.context or "") if isinstance(error, MarkedYAMLError) else ""
    hint = next((hint for words, hint in HINTS.items() if words in said), "")
    marks = [getattr(error, "problem_mark", None), getattr(error, "context_mark", None)]
    if any(words in said for words in OPENED):
        marks.reverse()  # where it was opened says more than where the file ends
    mark = marks[0] or marks[1]
    place = Mark(min(mark.line, text.count("\n")) + 1, mark.column + 1) if mark else Mark(1, 1)
    if "expected key" in said and text.split("\n")[place.line - 1][: place.column - 1].strip():
        hint = "nothing may follow a closed quote or bracket; inside single quotes, ' is written ''"
    return Unread(place, f"this is no YAML: {said or 'it cannot be read'}", hint)


class _Builder:
    """Builds plain values from events, with an explicit stack and limits."""

    def __init__(self, places: bool) -> None:
        self.contents: list[Content] = []
        self.faults: list[Fault] = []
        self.places: list[dict[Path, Mark]] = []
        self._places = places
        self._here: dict[Path, Mark] = {}
        self._frames: list[_Frame] = []
        self._nodes = 0

    def take(self, event: Any) -> None:
        kind = type(event)
        if kind is ScalarEvent:
            self._node(event)
            value = event.value
            if event.implicit[0]:
                value = self._resolve(value, event)
            self._add(value, event)
        elif kind is MappingStartEvent or kind is SequenceStartEvent:
            self._node(event)
            if len(self._frames) >= DEEPEST:
                raise Unread(_mark(event), f"more than {DEEPEST} levels inside each other")
            self._frames.append(_Frame({} if kind is MappingStartEvent else [], _mark(event)))
        elif kind is MappingEndEvent or kind is SequenceEndEvent:
            frame = self._frames.pop()
            self._add(frame.container, event, frame.mark)
        elif kind is AliasEvent:
            self._node(event)
            self._fault(event, "aliases are refused", "write the value out")
            self._add("*", event)
        elif kind is DocumentStartEvent and (event.version or event.tags):
            self._fault(event, "directives such as %YAML and %TAG are refused", "remove the line")

    def _node(self, event: Any) -> None:
        self._nodes += 1
        if self._nodes > MOST:
            raise Unread(_mark(event), f"more than {MOST} values in one file", "split it")
        frame = self._frames[-1] if self._frames else None
        if self._places and frame and isinstance(frame.container, list):
            self._here[self._path()] = _mark(event)
        if event.anchor is not None and type(event) is not AliasEvent:
            self._fault(event, "anchors are refused", "write the value out where it is needed")
        if getattr(event, "tag", None) is not None:
            self._fault(event, "tags are refused", "remove what starts with `!`")

    def _add(self, value: Any, event: Any, start: Mark | None = None) -> None:
        if not self._frames:
            if value is not None:
                self.contents.append(Content(value, start or _mark(event)))
                self._here[()] = start or _mark(event)
                self.places.append(self._here)
            self._here = {}
            return
        frame = self._frames[-1]
        if isinstance(frame.container, list):
            frame.container.append(value)
        elif frame.key is None:
            self._key(frame, frame.container, value, event, start)
        else:
            frame.container.setdefault(frame.key, value)
            frame.key = None

    def _key(self, frame: _Frame, container: dict[str, Any], value: Any, event: Any, start: Mark | None) -> None:
        if not isinstance(value, str):
            shown = event.value if type(event) is ScalarEvent else ""
            hint = f'write "{shown[:80]}": in quotes' if shown else "quote a text that starts with { or ["
            self._fault(event, "keys have to be text", hint, start)
            value = str(event.value) if type(event) is ScalarEvent else ""
        elif value == "<<" and event.implicit[0]:
            self._fault(event, "merge keys are refused", "write the values out")
        frame.key = value
        if value in container:
            self._fault(event, f"the key {value[:80]} is given twice", "keep one of them", start)
        elif self._places:
            self._here[self._path()] = start or _mark(event)

    def _resolve(self, text: str, event: Any) -> Any:
        """Take a plain scalar and return its value by YAML 1.2; dates and `no` are text."""
        if text in CONSTANTS:
            return CONSTANTS[text]
        if text[0] not in NUMBER_START:
            return text
        if INTEGER.match(text):
            base = {"0o": 8, "0x": 16}.get(text[:2], 10)
            digits = text.lstrip("+-0ox")  # Python refuses thousands of zeros, too
            if len(digits) <= 18 and int(digits or "0", base) <= BIGGEST:
                return int(digits or "0", base) * (-1 if text[0] == "-" else 1)
            self._fault(event, "this number is too large", "write it in quotes if it is text")
            return 0
        if NO_NUMBER.match(text) or (FLOAT.match(text) and float(text) in (float("inf"), float("-inf"))):
            self._fault(event, "infinity and not-a-number are refused", "write it in quotes if it is text")
            return 0
        return float(text) if FLOAT.match(text) else text

    def _path(self) -> Path:
        path: list[str | int] = []
        for frame in self._frames:
            if isinstance(frame.container, list):
                path.append(len(frame.container))
            elif frame.key is not None:
                path.append(frame.key)
        return tuple(path)

    def _fault(self, event: Any, message: str, hint: str, start: Mark | None = None) -> None:
        self.faults.append(Fault(start or _mark(event), self._path(), message, hint, len(self.contents)))


def _mark(event: Any) -> Mark:
    return Mark(event.start_mark.line + 1, event.start_mark.column + 1)
