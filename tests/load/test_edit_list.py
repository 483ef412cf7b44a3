"""An entry is added at the end of a list; every other byte stays."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.load import yaml
from reconciler.load.edit_text import CannotEdit, append_item

FRONT = "kind: Task  # a note\nspec:\n  run: a\n"
ONE = {"request": "Also: the changelog."}
MANY = {"request": "One.\n\n  Two: x\n"}
PATH = ("spec", "followUps")

CASES = {
    "no list yet": (FRONT, ONE, FRONT + '  followUps:\n    - request: "Also: the changelog."\n'),
    "several lines": (FRONT, MANY, FRONT + "  followUps:\n    - request: |\n        One.\n\n          Two: x\n"),
    "an empty one": (FRONT + "  followUps: []\n", {"request": "a"}, FRONT + "  followUps:\n    - request: a\n"),
    "nothing": (FRONT + "  followUps:\n", {"request": "a"}, FRONT + "  followUps:\n    - request: a\n"),
    "behind others, with comments": (
        FRONT + "  followUps:\n    # first\n    - request: a  # why\n    # end\n\n  title: t\n",
        MANY,
        FRONT + "  followUps:\n    # first\n    - request: a  # why\n    - request: |\n        One.\n\n"
        "          Two: x\n    # end\n\n  title: t\n",
    ),
    "as far left as the others": (
        FRONT + "  followUps:\n  - request: |\n      a\n\n  title: t\n",
        {"request": "b"},
        FRONT + "  followUps:\n  - request: |\n      a\n  - request: b\n\n  title: t\n",
    ),
    "without a line break at the end": (
        FRONT + "  followUps:\n  -\n    request: a",
        {"request": "b"},
        FRONT + "  followUps:\n  -\n    request: a\n  - request: b\n",
    ),
    "between brackets": (
        FRONT + "  followUps: [{request: a}]  # c\n",
        ONE,
        FRONT + '  followUps: [{request: a}, {request: "Also: the changelog."}]  # c\n',
    ),
    "several lines leave the brackets": (
        FRONT + "  followUps: [{request: a}]  # c\n",
        MANY,
        FRONT + "  followUps:  # c\n    - request: a\n    - request: |\n        One.\n\n          Two: x\n",
    ),
    "all of it between braces": (
        "{spec: {run: a, followUps: [{request: a}]}}\n",
        MANY,
        '{spec: {run: a, followUps: [{request: a}, {request: "One.\\n\\n  Two: x\\n"}]}}\n',
    ),
    "windows line ends": (
        (FRONT + "  followUps:\n  - request: a\n").replace("\n", "\r\n"),
        {"request": "b"},
        (FRONT + "  followUps:\n  - request: a\n  - request: b\n").replace("\n", "\r\n"),
    ),
}


@pytest.mark.parametrize("before, entry, after", CASES.values(), ids=CASES)
def test_an_entry_goes_to_the_end(before: str, entry: dict[str, Any], after: str) -> None:
    assert append_item(before, 0, PATH, entry) == after


def test_the_other_documents_of_the_file_stay() -> None:
    text = f"{FRONT}---\n{FRONT}  followUps:\n  - request: a\n---\n{FRONT}"
    assert append_item(text, 1, PATH, ONE) == text.replace(
        "  - request: a\n", '  - request: a\n  - request: "Also: the changelog."\n'
    )


@pytest.mark.parametrize("text", [FRONT + "  followUps: more\n", FRONT + "  followUps: {request: a}\n", "spec: x\n"])
def test_what_is_no_list_is_left_alone(text: str) -> None:
    with pytest.raises(CannotEdit):
        append_item(text, 0, PATH, ONE)


@given(st.lists(st.text(max_size=40).filter(str.strip), min_size=1, max_size=4), st.booleans())
@settings(max_examples=200)
def test_whatever_is_asked_for_is_read_back(requests: list[str], flow: bool) -> None:
    text = FRONT + ("  followUps: [{request: first}]\n" if flow else "")
    for request in requests:
        text = append_item(text, 0, PATH, {"request": request})
    reading = yaml.read(text.encode())
    found = [entry["request"] for entry in reading.contents[0].value["spec"]["followUps"]]
    assert found == ["first"] * flow + requests
