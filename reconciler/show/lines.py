"""One event, one line: for people who watch, and as JSON for what reads along."""

from reconciler.model.rows import Event, EventType
from reconciler.show.document import Value, line
from reconciler.show.escape import safe
from reconciler.show.paper import PLAIN, Paper
from reconciler.show.times import clock, moment

_STYLES = {
    EventType.LAUNCHED: "note",
    EventType.STARTED: "note",
    EventType.ENDED: "good",
    EventType.SEEN: "good",
    EventType.FAILED: "bad",
    EventType.REFUSED: "bad",
    EventType.LOST: "bad",
    EventType.INVALID: "bad",
    EventType.HELD: "bad",
    EventType.BLOCKED: "warn",
    EventType.UNSEEN: "warn",
    EventType.CANCELED: "warn",
    EventType.RETRIED: "warn",
    EventType.LEASE: "warn",
}


def event_line(event: Event, paper: Paper = PLAIN, *, dated: bool = False) -> str:
    """`23:54:01 launched build-1a2b3c4d-1 on box1: new task`; with `dated` the day and zone too."""
    about = event.run or event.task
    on = f"{'on ' if about else ''}{event.host}" if event.host else ""
    subject = " ".join(part for part in (about, on) if part)
    said = "; ".join(dict.fromkeys(part for part in (event.why, event.message) if part))
    time = str(moment(event.time)) if dated else clock(event.time)
    words = f" {safe(subject)}" if subject else ""
    return paper.paint(time, "dim") + " " + _word(event, paper) + words + (f": {safe(said)}" if said else "")


def event_json(event: Event) -> str:
    """The event as one line of JSON."""
    return line(event_item(event))


def trouble_line(text: str, kind: str, now: float, paper: Paper = PLAIN) -> str:
    """`23:54:01 warning: …`, for what is no event."""
    return f"{paper.paint(clock(now), 'dim')} {paper.paint(kind, 'bad')}: {safe(text)}"


def trouble_json(text: str, kind: str, now: float) -> str:
    """The same as one line of JSON, with the keys of events."""
    return line({**event_item(Event(now, EventType.INVALID, message=text)), "type": kind})


def event_item(event: Event) -> dict[str, Value]:
    """The keys of `events -o json`, every one there."""
    return {
        "time": moment(event.time),
        "type": str(event.type),
        "task": event.task or None,
        "run": event.run or None,
        "host": event.host or None,
        "why": event.why or None,
        "message": event.message or None,
    }


def _word(event: Event, paper: Paper) -> str:
    return paper.paint(str(event.type), _STYLES.get(event.type, ""))
