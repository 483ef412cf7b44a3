"""An answer is found in whatever an agent wraps it, and checked against the schema."""

import json

import pytest

from reconciler.agents.answer import find, fits

OBJECT = {"status": "succeeded", "summary": "done {really}"}
TEXT = json.dumps(OBJECT)
OTHER = '{"status": "failed"}'
SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "additionalProperties": False,
    "required": ["status", "summary"],
    "properties": {
        "status": {"enum": ["succeeded", "failed", "blocked"]},
        "summary": {"type": "string"},
        "notes": {"type": ["string", "null"]},
    },
}


def envelope(**fields: object) -> str:
    return json.dumps({"type": "result", "subtype": "success", "is_error": False, **fields})


FOUND = {
    "the object": TEXT,
    "with space around it": f"\n\n  {TEXT}\n",
    "over several lines": json.dumps(OBJECT, indent=2),
    "fenced": f"I am done.\n```json\n{json.dumps(OBJECT, indent=2)}\n```\nBye.",
    "after prose with braces": f"I wrote `fn main() {{ }}` and {{x}} and {{\n\n{TEXT}",
    "the last one": f"{OTHER}\n{TEXT}",
    "an empty one is none": f"{TEXT}\n{{}}",
    "after a half-written one": f'{{"status": "fai\n{TEXT}',
    "claude's structured output": envelope(structured_output=OBJECT, result=OTHER),
    "claude's result": envelope(result=TEXT),
    "claude's result, fenced": envelope(result=f"Done:\n```json\n{TEXT}\n```"),
    "claude's envelope after noise": f"npm warn\n{envelope(result=TEXT)}",
}


@pytest.mark.parametrize("text", FOUND.values(), ids=FOUND.keys())
def test_found(text: str) -> None:
    assert find(text) == OBJECT


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "I am done.",
        "{",
        TEXT[:-1],
        f"[{TEXT}]",
        json.dumps(TEXT),
        "null",
        "12",
        "{}}",
        envelope(result="no"),
        "\0",
    ],
)
def test_none_is_made_up(text: str) -> None:
    assert find(text) in (None, {})


def test_what_cannot_be_stored_is_replaced() -> None:
    answer = find('{"summary": "half \\ud83d of it", "notes": ["\\udc00"]}')
    assert answer == {"summary": "half ? of it", "notes": ["?"]}
    json.dumps(answer, ensure_ascii=False).encode()


@pytest.mark.parametrize("answer", [OBJECT, {**OBJECT, "notes": None}, {**OBJECT, "notes": "x"}])
def test_it_fits(answer: dict[str, object]) -> None:
    assert fits(answer, SCHEMA) == ""


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"status": "succeeded"}, "its answer does not fit: 'summary' is a required property"),
        (
            {**OBJECT, "status": "ok"},
            "its answer does not fit: status: 'ok' is not one of ['succeeded', 'failed', 'blocked']",
        ),
        ({**OBJECT, "summary": 5}, "its answer does not fit: summary: 5 is not of type 'string'"),
        (
            {**OBJECT, "more": 1},
            "its answer does not fit: Additional properties are not allowed ('more' was unexpected)",
        ),
    ],
)
def test_why_it_does_not_fit(answer: dict[str, object], why: str) -> None:
    assert fits(answer, SCHEMA) == why


def test_why_is_short() -> None:
    assert len(fits({**OBJECT, "status": "x" * 100_000}, SCHEMA)) < 300
