#!/usr/bin/env python3
"""A worker that tells its secrets in every form wherever it can: `telling.py`, or as `codex`, whose events it speaks.

It says that it has told by ROOM/said-TASK, and goes on when ROOM/go is there. RECONCILER_* is what workers are given.
"""

import base64
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote, quote_plus

NAMES = ("TOKEN", "RENAMED", "PHRASE")


def forms(value: str) -> list[str]:
    """As workers come to print it."""
    raw = value.encode()
    return [
        value,
        base64.b64encode(raw).decode(),
        base64.urlsafe_b64encode(b"x" + raw).decode(),
        base64.b64encode(b"user:" + raw).decode(),
        raw.hex(),
        quote(value, safe=""),
        quote_plus(value),
        json.dumps(value),
        json.dumps(json.dumps(value)),
        repr(value),
    ]


def main() -> int:
    room, task = Path(os.environ["ROOM"]), os.environ["RECONCILER_TASK"]
    values = [os.environ[name] for name in NAMES]
    told = [form for value in values for form in forms(value)]
    agent = Path(sys.argv[0]).name == "codex"
    if agent and "--version" in sys.argv:
        print("codex-cli 0.169.0")
        return 0
    if agent:
        sys.stdin.read()
        say(type="thread.started", thread_id=values[0])
        say(type="turn.started")
    for text in told:
        if agent:
            say(type="item.completed", item={"id": "1", "type": "agent_message", "text": text})
            say(type="item.completed", item={"id": "2", "type": "command_execution", "command": text, "exit_code": 0})
        else:
            print(text, flush=True)
        print(text, file=sys.stderr, flush=True)
    Path(f"named-{quote(values[0], safe='')}").write_text("\n".join(told))
    if agent:
        commit(values)
    if task == "asks":
        Path("BLOCKED.md").write_text(f"Which of these?\n{chr(10).join(told)}\n")
    answer = {
        "status": "succeeded",
        "summary": f"it is {values[0]} or {forms(values[1])[1]}",
        "notes": "\n".join(told),
        "branchName": f"work/{quote(values[0], safe='')}",
        "worktreePath": values[2],
        "pullRequestUrl": f"https://github.com/acme/app/pull/7?token={quote(values[0], safe='')}",
    }
    (room / f"said-{task}").touch()
    while not (room / "go").exists():
        time.sleep(0.05)
    place = sys.argv[sys.argv.index("--output-last-message") + 1] if agent else os.environ["RECONCILER_RESULT_FILE"]
    Path(place).write_text(json.dumps(answer))
    if agent:
        say(type="item.completed", item={"id": "3", "type": "agent_message", "text": json.dumps(answer)})
        say(type="turn.completed", usage={"input_tokens": 1, "output_tokens": 1})
    return 0


def say(**event: object) -> None:
    """One line of codex' events."""
    print(json.dumps(event), flush=True)


def commit(values: list[str]) -> None:
    """Its own work on its own host, where it may say what it wants."""
    who = ("-c", "user.name=Agent", "-c", "user.email=agent@example.org")
    subprocess.run(["git", "add", "--all"], check=True)
    subprocess.run(["git", *who, "commit", "--quiet", "--file=-"], input=f"feat: {values[0]}".encode(), check=True)


if __name__ == "__main__":
    sys.exit(main())
