"""The JSON and YAML that scripts read: one envelope around every answer."""

import json
import re
from collections.abc import Mapping
from typing import NamedTuple

from reconciler.errors import Exit
from reconciler.show.escape import safe_json

Value = object  # what json.dumps takes: None, bool, int, float, str, lists and mappings of these
_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./+@-]*(?: [A-Za-z0-9_./+@()-]+)*\Z")
# Words that some reader of YAML takes for something else than a string.
_RESERVED = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf"})


class Ending(NamedTuple):
    """How a command ends: the exit code and its name (two names share code 1)."""

    code: int
    name: str


OK = Ending(Exit.OK, "ok")
INVALID = Ending(Exit.ERROR, "invalid")
_NAMES = {
    Exit.OK: "ok",
    Exit.ERROR: "error",
    Exit.CHANGES: "changes",
    Exit.PARTIAL: "partial",
    Exit.HELD: "held",
    Exit.TASK_FAILED: "task-failed",
    Exit.TIMEOUT: "timeout",
    Exit.LEASE: "lease",
    Exit.USAGE: "usage",
    Exit.BUG: "bug",
    Exit.INTERRUPTED: "interrupted",
}


def ending(code: Exit) -> Ending:
    """The ending with that code; code 1 is `error` here, its other name is `INVALID`."""
    return Ending(int(code), _NAMES[code])


def envelope(body: Mapping[str, Value], end: Ending = OK, revision: str | None = None) -> dict[str, Value]:
    """Take what a command has to say, how it ends, and the commit it speaks of; return the whole document."""
    return {
        "formatVersion": "1",
        "exit": {"code": int(end.code), "name": end.name},
        "revision": revision or None,
        **body,
    }


def text(document: Mapping[str, Value], output: str) -> str:
    """Take a document and `json` or `yaml`; return its text, with a newline at the end."""
    if output == "yaml":
        return "\n".join(_block(document, "")) + "\n"
    return safe_json(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)) + "\n"


def line(document: Mapping[str, Value]) -> str:
    """Take a document; return it as JSON on one line, without a newline."""
    return safe_json(json.dumps(document, ensure_ascii=False, allow_nan=False))


def _block(value: Value, indent: str) -> list[str]:
    """Lines of a mapping or a list in block style."""
    lines = []
    entries: list[tuple[str, Value]]
    if isinstance(value, Mapping):
        entries = [(f"{_scalar(str(key))}:", entry) for key, entry in value.items()]
    else:
        entries = [("-", entry) for entry in value] if isinstance(value, (list, tuple)) else []
    for lead, entry in entries:
        if not isinstance(entry, (Mapping, list, tuple)) or not entry:
            lines.append(f"{indent}{lead} {_scalar(entry)}")
        elif lead == "-":
            first, *rest = _block(entry, indent + "  ")
            lines += [f"{indent}- {first.lstrip(' ')}", *rest]
        else:
            lines += [f"{indent}{lead}", *_block(entry, indent + "  ")]
    return lines


def _scalar(value: Value) -> str:
    """A value on one line: plain where no reader of YAML can take it for something else, else as JSON."""
    if isinstance(value, str) and _PLAIN.match(value) and value.lower() not in _RESERVED:
        return str(value)
    return safe_json(json.dumps(value, ensure_ascii=False, allow_nan=False))
