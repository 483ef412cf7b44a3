"""The templates and the result schema that come with reconciler: what there is, and its text."""

import functools
import importlib.resources
from collections.abc import Mapping

SUFFIX = ".md.j2"
NAMES = ("coding", "conventions", "security")
PARTS = ("_frame",)  # what templates extend: `{% extends "_frame.md.j2" %}`


def template(name: str, own: Mapping[str, str]) -> str:
    """Take a template's name and the fleet's own ones; return its text. Raise KeyError when there is none."""
    if name in own:
        return own[name]
    if name not in NAMES:
        raise KeyError(name)
    return _text(f"{name}{SUFFIX}")


def part(file: str) -> str | None:
    """Take a file name as templates write it and return what they may extend or include; None when it is no such."""
    return _text(file) if file.removesuffix(SUFFIX) in (*PARTS, *NAMES) and file.endswith(SUFFIX) else None


def result_schema() -> str:
    """Return the JSON Schema that the answer of a task's worker has to fit."""
    return _text("task-result.schema.json")


@functools.cache
def _text(file: str) -> str:
    return (importlib.resources.files("reconciler") / "prompts" / file).read_text(encoding="utf-8")
