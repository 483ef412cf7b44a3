"""Files and sockets of this machine: a request to the daemon, a saved plan, secrets.yaml. Said to be wrong, in a sentence."""

import json
import tempfile
from pathlib import Path

from reconciler.cli import saved_plan
from reconciler.errors import ReconcilerError
from reconciler.model.change import Action, Change, Plan
from reconciler.wake.requests import asked_for
from tests.fuzz.sections import read, written

REQUEST = {"allowPrune": False, "wait": True, "timeout": 30.5, "selector": {"team": "web"}}
PLAN = Plan(changes=(Change(Action.LAUNCH, "build", "build-1a2b3c4d-1", "box1", why="new task"),))
ROWS = [dict(zip(saved_plan.KEYS, row, strict=True)) for row in saved_plan.rows(PLAN)]
SEEDS = [
    written(
        {
            "request": json.dumps(REQUEST),
            "plan": json.dumps({"formatVersion": "1", "revision": "c" * 40, "changes": ROWS}),
        }
    ),
    written({"request": json.dumps({**REQUEST, "timeout": None, "selector": {}}), "plan": json.dumps({"changes": []})}),
]
WORDS = (
    b'"selector": 5',
    b'"timeout": "x"',
    b"1e999",
    b"NaN",
    b'"changes": 3',
    b'"revision": 7',
    b'"revision": null',
    b"[[1]]",
)


def check(data: bytes) -> None:
    """What holds for anything in these places."""
    parts = read(data)
    request = asked_for(parts.get("request", b"").partition(b"\n")[0])
    if request is not None:
        assert isinstance(request["wait"], bool)
        assert request["timeout"] is None or 0 <= request["timeout"] < 1e12
        assert all(isinstance(word, str) for pair in request["selector"].items() for word in pair)
    refused = ""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "plan.json"
        file.write_bytes(parts.get("plan", b""))
        try:
            saved_plan.check(file, "c" * 40, PLAN)
        except ReconcilerError as error:
            refused = str(error)
    assert len(refused) < 2000
