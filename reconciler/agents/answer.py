"""The answer of an agent: found in whatever form it comes, and checked against the result schema. Pure."""

import re
from collections.abc import Mapping
from itertools import islice
from typing import Any

from reconciler.agents.values import parse, scan

Answer = Mapping[str, object]

LONGEST = 256 << 10  # characters at the end of a text that are searched for an object
MOST = 500  # places in it where an object may begin

_BEGIN = re.compile(r'\{(?=\s{0,200}["}])')  # braces of code and prose are left out


def find(text: str) -> Answer | None:
    """Takes what an agent said; returns the last JSON object in it, fenced or not, or None.

    What is a whole JSON text is not searched: a list or a string is no answer, whatever is inside.
    """
    text = text.strip()
    if not text:
        return None
    if text.startswith(("{", "[", '"')) and (whole := parse(text)) is not None:
        return unwrap(whole) if isinstance(whole, dict) else None
    text = text[-LONGEST:]
    starts = [match.start() for match in _BEGIN.finditer(text)]
    found: Answer | None = None
    end = 0
    for start in islice(starts, max(0, len(starts) - MOST), None):
        if start < end:
            continue
        value, end = scan(text, start)
        if isinstance(value, dict) and value:
            found = value
    return unwrap(found) if found is not None else None


def unwrap(value: Answer) -> Answer | None:
    """Takes an object; returns the answer in claude's envelope if it is one, else the object itself."""
    if value.get("type") != "result" or "is_error" not in value:
        return value
    structured = value.get("structured_output")
    if isinstance(structured, dict):
        return structured
    said = value.get("result")
    return find(said) if isinstance(said, str) else None


def fits(answer: Answer, schema: Mapping[str, Any]) -> str:
    """Takes an answer and a JSON Schema; returns why it does not fit, and where, or an empty text."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    try:
        problem = best_match(Draft202012Validator(schema).iter_errors(answer))
    except RecursionError:
        return "its answer is nested too deeply"
    if problem is None:
        return ""
    place = ".".join(str(step) for step in problem.absolute_path)
    message = problem.message if len(problem.message) <= 200 else problem.message[:199] + "…"
    return f"its answer does not fit: {place}: {message}" if place else f"its answer does not fit: {message}"
