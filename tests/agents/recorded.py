"""What the real programs did: see recordings/README.md."""

import json
from pathlib import Path
from typing import Any

from reconciler.agents.adapter import Output

FOLDER = Path(__file__).parent / "recordings"
NAMES = sorted(str(file.parent.relative_to(FOLDER)) for file in FOLDER.glob("*/*/run.json"))


def output(name: str) -> Output:
    """What was left of a recorded run."""
    folder = FOLDER / name

    def content(file: str) -> bytes:
        return (folder / file).read_bytes() if (folder / file).exists() else b""

    run: dict[str, Any] = json.loads(content("run.json"))
    return Output(
        exit_code=run["exit_code"],
        stdout=content("stdout"),
        stderr=content("stderr"),
        events=content("events.jsonl"),
        answer=content("answer.json") or None,
        ended_at=run["ended_at"],
    )


def expected(name: str) -> dict[str, Any]:
    """What is to be read from it; what is not said has its default."""
    found: dict[str, Any] = json.loads((FOLDER / name / "expected.json").read_text())
    return found
