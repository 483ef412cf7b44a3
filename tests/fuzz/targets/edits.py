"""Cutting YAML text: after an edit it says what was meant, and every byte that was not meant is where it was."""

import json
import re

from reconciler.load import edit_text, yaml
from reconciler.load.edit_render import document
from reconciler.load.edit_text import CannotEdit
from tests.fuzz.sections import read, written
from tests.fuzz.targets.yaml import GOOD, SPOILT

COMMENTED = """\
# About this file.
apiVersion: reconciler/v1   # ours
kind: Task
metadata:
  name: build
spec:
  # what runs
  run: make    # all of it

  suspend: false
  followUps:
  - request: one
  # between
  - request: |
      several
      lines

  env: {A: "1", B: '2'} # flow
# the end
"""
ORDERS = (
    ["set", 0, ["spec", "suspend"], True],
    ["set", 0, ["spec", "retries", "limit"], 3],
    ["set", 1, ["spec", "run"], "a\nb\n"],
    ["append", 0, ["spec", "followUps"], {"request": "now\nthis: too"}],
    ["append", 0, ["spec", "dependsOn"], "x"],
    ["unset", 0, ["spec", "suspend"], None],
    ["unset", 0, ["spec", "env", "A"], None],
    ["remove", 0, [], None],
    ["add", 0, [], {"kind": "Task", "metadata": {"name": "x"}, "spec": {"run": "a: b # c"}}],
)
TEXTS = (SPOILT, COMMENTED, COMMENTED.replace("\n", "\r\n"), GOOD["fleet.yaml"], f"---\n{COMMENTED}...\n---\n{SPOILT}")
SEEDS = [written({"order": json.dumps(order), "text": text}) for order in ORDERS for text in TEXTS]
WORDS = (
    b"# note\n",
    b"\r\n",
    b"  - ",
    b"|+\n",
    b">-\n  a\n",
    b"{a: 1}",
    b"[]",
    b": ",
    b'"spec"',
    b"---\n",
    b"...\n",
    b"? ",
    b"\t",
)


def check(data: bytes) -> None:
    """What holds for any text and any order."""
    parts = read(data)
    order = _order(parts.get("order", b""))
    try:
        text = parts.get("text", b"").decode()
    except UnicodeDecodeError:
        return
    contents = yaml.read(text.encode()).contents
    if order is None or order[1] >= len(contents):
        return
    try:
        after = _edited(text, *order)
    except CannotEdit:
        return
    assert not yaml.read(after.encode()).faults or order[0] == "add"
    _kept(text, after, order[0])
    if order[0] != "add" and order[0] != "append" and order[0] != "remove":
        assert _edited(after, *order) == after, "done twice it is another text"


def _order(data: bytes) -> tuple[str, int, tuple[str, ...], object] | None:
    try:
        kind, index, path, value = json.loads(data)
        json.dumps(value, allow_nan=False).encode()
    except (ValueError, TypeError, RecursionError):
        return None
    if kind not in ("set", "append", "unset", "remove", "add") or type(index) is not int or index < 0:
        return None
    if (
        not isinstance(path, list)
        or not all(isinstance(key, str) for key in path)
        or not (path or kind in ("remove", "add"))
    ):
        return None
    return kind, index, tuple(path), value


def _edited(text: str, kind: str, index: int, path: tuple[str, ...], value: object) -> str:
    match kind:
        case "set":
            return edit_text.set_value(text, index, path, value)
        case "append":
            return edit_text.append_item(text, index, path, value)
        case "unset":
            return edit_text.delete_key(text, index, path)
        case "remove":
            return edit_text.delete_document(text, index)
    return edit_text.append_document(text, document(value) if isinstance(value, dict) else "kind: x\n")


def _kept(before: str, after: str, kind: str) -> None:
    """One place changed: what is before and behind it is as it was. A new entry takes nothing away."""
    start = next(
        (at for at, (old, new) in enumerate(zip(before, after, strict=False)) if old != new),
        min(len(before), len(after)),
    )
    rest = zip(reversed(before[start:]), reversed(after[start:]), strict=False)
    stop = next((at for at, (old, new) in enumerate(rest) if old != new), min(len(before), len(after)) - start)
    gone = before[start : len(before) - stop]
    if kind == "add":
        assert after.startswith(before) or not before.strip()
    if kind in ("set", "append"):
        assert not re.search(r"^\s*(apiVersion|kind|metadata):", gone, re.MULTILINE) or '"' in gone or "{" in gone
