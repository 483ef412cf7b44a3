"""An edit changes the lines it means, and leaves every other byte as it was."""

import difflib
import textwrap
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.load import yaml
from reconciler.load.edit_render import document, inline
from reconciler.load.edit_text import CannotEdit, append_document, delete_document, delete_key, set_value
from reconciler.load.text import FORBIDDEN

TASK = """\
# Why this task is here.
apiVersion: reconciler/v1
kind: Task   # three spaces
metadata: {name: build, labels: {team: web}}
spec:
  run: |
    make all

    make "install"


  # about retries
  retries: # twice is enough
    limit: 2
    # the end of retries
  state: 'open'   # not yet closed
  dependsOn:
  - fetch
  env: {A: "1", B: x}
  suspend:
  # the end

---
kind: Other
spec:
  only: 1
"""

SET = {
    "a scalar, its comment stays": (0, "spec.state", "closed", "-  state: 'open' |+  state: closed "),
    "a number": (0, "spec.retries.limit", 3, "-    limit: 2|+    limit: 3"),
    "a new key goes to the end of its mapping": (0, "spec.retries.backoff", "1m", "+    backoff: 1m"),
    "a new key after a block": (1, "spec.cordon", True, "+  cordon: true"),
    "into braces": (1, "spec", {"a": 1}, "-spec:|-  only: 1|+spec: {a: 1}"),
    "further into braces": (0, "metadata.labels.tier", "a", "-metadata: |+metadata: {name: build, labels: {team: web,"),
    "a key without a value": (0, "spec.suspend", True, "-  suspend:|+  suspend: true"),
    "a mapping for a key without a value": (0, "spec.suspend.cancel", True, "-  suspend:|+  suspend: {cancel: true}"),
    "a block by one line": (0, "spec.retries", "no", '-  retries: # twice|-    limit: 2|+  retries: "no"  # twice'),
    "a script by another one": (
        0, "spec.run", "one\n\n two\n", '-    make all|-    make "install"|+    one|+     two'),
    "one line by a script": (0, "spec.state", "a\nb\n", "-  state: 'open' |+  state: |  # not|+    a|+    b"),
    "a mapping in short": (0, "spec.drain", {"deadline": "2h"}, "+  drain: {deadline: 2h}"),
    "parents that are missing": (1, "metadata.labels.a", "b", "+metadata:|+  labels:|+    a: b"),
}  # fmt: skip


def changes(before: str, after: str) -> list[str]:
    """The lines that are gone and the lines that are new."""
    lines = difflib.unified_diff(before.splitlines(keepends=True), after.splitlines(keepends=True), n=0)
    return [line for line in list(lines)[2:] if not line.startswith("@@")]


def begins(lines: list[str], expected: str) -> bool:
    """Whether the lines, in this order, start like the expected ones (a `|` that begins a script is no separator)."""
    wanted = expected.replace(": |  #", ": \0  #").split("|")
    starts = [text.replace("\0", "|") for text in wanted]
    return len(lines) == len(starts) and all(line.startswith(text) for line, text in zip(lines, starts, strict=True))


@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize(("index", "path", "value", "expected"), SET.values(), ids=SET)
def test_set(index: int, path: str, value: Any, expected: str, newline: str) -> None:
    before = TASK.replace("\n", newline)
    after = set_value(before, index, tuple(path.split(".")), value)
    lines = changes(before, after)
    if path != "spec.run":
        assert begins(lines, expected), lines
    assert all(line.endswith(newline) for line in lines)
    keys = path.split(".")
    found = yaml.read(after.encode()).contents[index].value
    for key in keys:
        found = found[key]
    assert found == value


def test_set_what_is_so_already_changes_nothing() -> None:
    assert set_value(TASK, 0, ("spec", "state"), "open") == TASK


DELETE = {
    "a line and its comment": (0, "spec.state", ["-  state: 'open'   # not yet closed"]),
    "a block": (0, "spec.run", ["-  run: |", "-    make all", "-", '-    make "install"']),
    "a list": (0, "spec.dependsOn", ["-  dependsOn:", "-  - fetch"]),
    "a key without a value": (0, "spec.suspend", ["-  suspend:"]),
    "the only key of a block": (1, "spec.only", ["-spec:", "-  only: 1", "+spec: {}"]),
    "the first in braces": (0, "spec.env.A", ['-  env: {A: "1", B: x}', "+  env: {B: x}"]),
    "the last in braces": (0, "spec.env.B", ['-  env: {A: "1", B: x}', '+  env: {A: "1"}']),
    "what is not there": (0, "spec.env.C.D", []),
}


@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize(("index", "path", "expected"), DELETE.values(), ids=DELETE)
def test_delete(index: int, path: str, expected: list[str], newline: str) -> None:
    before = TASK.replace("\n", newline)
    after = delete_key(before, index, tuple(path.split(".")))
    assert [line.rstrip("\r\n") for line in changes(before, after)] == expected


def test_delete_one_document_of_two() -> None:
    first, second = TASK.split("---\n")
    assert delete_document(TASK, 1) == first
    assert delete_document(TASK, 0) == f"---\n{second}"
    assert delete_document(first, 0) == ""


def test_append_a_document() -> None:
    assert append_document("a: 1", "b: 2\n") == "a: 1\n---\nb: 2\n"
    assert append_document("a: 1\r\n", "b: 2\n") == "a: 1\r\n---\r\nb: 2\r\n"
    assert append_document("", "b: 2\n") == "b: 2\n"


ODD = {
    "JSON": ('{\n "spec": {\n  "run": "true"\n }\n}', '{\n "spec": {\n  "run": "true", k: v\n }\n}'),
    "no line break at the end": ("spec:\n  a: 1", "spec:\n  a: 1\n  k: v\n"),
    "empty braces": ("spec: {}\n", "spec: {k: v}\n"),
    "after a kept end of a script": ("spec:\n  run: |+\n    a\n\n", "spec:\n  run: |+\n    a\n\n  k: v\n"),
    "behind an explicit start": ("---\nspec:\n    a: 1\n...\n", "---\nspec:\n    a: 1\n    k: v\n...\n"),
    "a list at the level of its key": ("spec:\n  l:\n  - a: 1\nx: 1\n", "spec:\n  l:\n  - a: 1\n  k: v\nx: 1\n"),
    "folded text": ("spec:\n  t: >-\n    a\n    b\n\nx: 1\n", "spec:\n  t: >-\n    a\n    b\n  k: v\n\nx: 1\n"),
    "many lines in quotes": ('spec:\n  t: "a\n    b"  # c\n', 'spec:\n  t: "a\n    b"  # c\n  k: v\n'),
    "not in English": ("# ünï 🎉\nspec:\n  t: 日本 🎉\n", "# ünï 🎉\nspec:\n  t: 日本 🎉\n  k: v\n"),
}  # fmt: skip


@pytest.mark.parametrize(("before", "after"), ODD.values(), ids=ODD)
def test_unusual_ways_to_write(before: str, after: str) -> None:
    assert set_value(before, 0, ("spec", "k"), "v") == after


@pytest.mark.parametrize(
    "text",
    ["a: 1\na: 2\n", "a: &x 1\nb: *x\n", "a: [\n", "%YAML 1.1\n---\na: 1\n"],
    ids=["twice", "alias", "open", "old"],
)
def test_what_the_loader_refuses_is_not_edited(text: str) -> None:
    with pytest.raises(CannotEdit):
        set_value(text, 0, ("b",), 1)


@pytest.mark.parametrize("text", ["- 1\n", "spec: text\n", "spec: [1]\n"])
def test_nothing_is_written_over_to_make_room(text: str) -> None:
    with pytest.raises(CannotEdit, match="mapping"):
        set_value(text, 0, ("spec", "a"), 1)


words = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Cn", "Co")), max_size=20).filter(
    lambda text: not FORBIDDEN.search(text)
)
TRAPS = ["no", "~", "1e3", "0x1F", "null", "2026-11-20", "", "=", "@", ",", "{", "]", "a\\", "'", '"', "*a", "&a", "!a"]
TRAPS += ["a: b", "a #b", "- a", "\n", "a\n", " a\nb", "a\n\n", "a\n \nb\n", "\t", "0:0", "?", "-"]
scalars = words | st.integers(-10_000, 10_000) | st.booleans() | st.sampled_from(TRAPS)
values = st.recursive(
    scalars,
    lambda inner: st.lists(scalars, max_size=3) | st.dictionaries(words.filter(bool), inner, min_size=1, max_size=3),
    max_leaves=8,
)
documents = st.dictionaries(words.filter(bool), values, min_size=1, max_size=4)


@settings(max_examples=60)
@given(documents)
def test_what_is_written_is_read_back(value: dict[str, Any]) -> None:
    for text in (document(value), f"{inline(value)}\n"):
        reading = yaml.read(text.encode())
        assert not reading.faults
        assert [content.value for content in reading.contents] == [value]


@settings(max_examples=60)
@given(documents, values, st.booleans())
def test_setting_a_new_key_and_deleting_it_leaves_no_trace(value: dict[str, Any], new: Any, flow: bool) -> None:
    body = {"spec": value}
    before = f"# first\n{inline(body)}\n# last\n" if flow else f"# first\n{document(body)}# last\n"
    edited = set_value(before, 0, ("spec", "the new key"), new)
    assert delete_key(edited, 0, ("spec", "the new key")) == before


@settings(max_examples=60)
@given(documents, st.data())
def test_every_key_can_be_set_and_deleted(value: dict[str, Any], data: st.DataObject) -> None:
    before = document({"spec": value, "after": 1})
    key = data.draw(st.sampled_from(sorted(value)))
    set_value(before, 0, ("spec", key), data.draw(values))
    delete_key(before, 0, ("spec", key))


def test_indentation_of_the_file_is_kept() -> None:
    before = textwrap.dedent("""\
        spec:
            retries:
                    limit: 2
        """)
    assert changes(before, set_value(before, 0, ("spec", "retries", "backoff"), "1s")) == [
        "+" + " " * 12 + "backoff: 1s\n"
    ]
