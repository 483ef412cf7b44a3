"""Events as lines."""

import json

import pytest

from reconciler.model.rows import Event, EventType
from reconciler.show.lines import event_json, event_line
from reconciler.show.paper import Paper

AT = 1_795_218_841.5


@pytest.mark.parametrize(
    ("event", "shown"),
    [
        (
            Event(AT, EventType.LAUNCHED, "build", "build-1a2b3c4d-1", "box1", "new task"),
            "23:54:01 launched build-1a2b3c4d-1 on box1: new task",
        ),
        (Event(AT, EventType.UNSEEN, host="box1", why="no route"), "23:54:01 unseen box1: no route"),
        (Event(AT, EventType.REVISION, message="at 1a2b"), "23:54:01 revision: at 1a2b"),
        (Event(AT, EventType.HELD), "23:54:01 held"),
        (Event(AT, EventType.ENDED, "a", why="x", message="x"), "23:54:01 ended a: x"),
        (Event(AT, EventType.FAILED, "a", why="x\x1b[2J", message="y\nz"), "23:54:01 failed a: x\\x1b[2J; y\\nz"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_events_for_people(event: Event, shown: str) -> None:
    assert event_line(event) == shown


def test_a_dated_line_and_a_coloured_one() -> None:
    event = Event(AT, EventType.LOST, "a")
    assert event_line(event, dated=True) == "2026-11-20T23:54:01Z lost a"
    assert event_line(event, Paper(color=True)) == "\x1b[2m23:54:01\x1b[0m \x1b[31mlost\x1b[0m a"


def test_events_for_programs_have_every_key() -> None:
    assert json.loads(event_json(Event(AT, EventType.SEEN, host="box1"))) == {
        "time": "2026-11-20T23:54:01Z",
        "type": "seen",
        "task": None,
        "run": None,
        "host": "box1",
        "why": None,
        "message": None,
    }
