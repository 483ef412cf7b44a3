"""What an agent left behind → what is told of it. Nothing it writes raises, grows, or reaches a terminal as it is."""

import json
from dataclasses import astuple

from reconciler.act.collect import secrets_of
from reconciler.agents.adapter import Output
from reconciler.agents.registry import adapter, names
from reconciler.model.run import Result, State
from reconciler.prompts.builtin import result_schema
from reconciler.record.asked import asked_of
from reconciler.record.outcome import Told, interpret
from reconciler.record.redactor import Redactor
from reconciler.record.verdict import Evidence, judge
from reconciler.show.times import moment
from tests.agents.recorded import FOLDER, NAMES
from tests.fuzz.harmless import harmless
from tests.fuzz.sections import read, written

ENDED = 1_800_000_000.0
ASKED = json.dumps({"tool": "claude", "agent": "claude", "variant": "", "branch": "reconciler/build", "qa": True})
FILES = {"stdout": "stdout", "stderr": "stderr", "events": "events.jsonl", "answer": "answer.json"}
SCHEMA = json.loads(result_schema())


def _recorded(name: str) -> bytes:
    """A recording of the real program, the largest left out: damage to them is damage to the same lines."""
    folder, parts = FOLDER / name, {"tool": name.partition("/")[0]}
    texts = {key: (folder / file).read_bytes()[-20_000:] for key, file in FILES.items() if (folder / file).exists()}
    code = json.loads((folder / "run.json").read_text())["exit_code"]
    return written({**parts, "code": str(code), **texts, "asked": ASKED, "qa": "build\t0\t2\ntest\t1\t14\n"})


SEEDS = [
    *(_recorded(name) for name in NAMES),
    written({"tool": "command", "code": "0", "stdout": "done", "answer": '{"status": "blocked", "summary": "which?"}'}),
    written(
        {"tool": "coderabbit", "code": "1", "stderr": "rate limit exceeded, try again in 3 minutes and 20 seconds"}
    ),
    written(
        {"tool": "command", "code": "3", "blocked": "# Which one?\n", "phase_log": "PrepareFailed: no\n", "asked": "{"}
    ),
]
WORDS = (
    *(b'"type":', b'"result"', b'"is_error":false', b'"usage":', b'"retry-after":"9e9"', b'"resetsAt":1e14', b"1e999"),
    *(b"Try again at 5:18 AM", b"try again in 99999999 days", b'{"status":"succeeded","summary":"ok"}', b"@@answer\n"),
    *(b'"total_cost_usd":-1', b'"tokens":99999999999999999999', b'"text":', b"```json\n", b'"\\ud83d"', b"@@asked\n"),
)


def check(data: bytes) -> None:
    """What holds for anything that a worker may have written."""
    parts = read(data)
    tool = parts.get("tool", b"").decode(errors="replace")
    tool = tool if tool in names() else "codex"
    code = int(parts["code"][:9]) % 256 if parts.get("code", b"").isdigit() else None
    streams = {key: parts.get(key, b"") for key in ("stdout", "stderr", "events")}
    output = Output(exit_code=code, answer=parts.get("answer"), ended_at=ENDED, **streams)
    reading = adapter(tool).read(output)
    assert reading == adapter(tool).read(output)
    asked = asked_of(parts.get("asked"))
    json.dumps([astuple(asked), secrets_of(parts.get("asked", b""))], ensure_ascii=False).encode()
    evidence = Evidence(
        output, parts.get("blocked"), parts.get("qa"), parts.get("qa_log"), parts.get("phase_log"), "worktree"
    )
    for end in (Result(State.SUCCEEDED, "", 0), Result(State.FAILED, "ExitCode", code), Result(State.CANCELED), None):
        _sane(judge(end, ENDED, asked, adapter(tool), evidence, SCHEMA), end)
        _sane(interpret(end, parts.get("answer"), parts.get("blocked")), end)
    for line in parts.get("events", b"").split(b"\n")[:200]:
        shown = adapter(tool).line(line.decode(errors="replace"))
        assert len(shown) <= 500
        assert "\n" not in shown
    _masked(data)


def _sane(told: Told, end: Result | None) -> None:
    for text in (told.summary, told.notes, told.session_id, *(step.name for step in told.qa)):
        harmless(text)
        assert "\n" not in text
        assert len(text) <= 500
    for text in (told.branch, told.pull_request_url, told.agent, told.variant):
        assert len(text) <= 510
        text.encode()
    for number in (told.cost_usd, told.tokens, told.cool_until):
        assert number is None or 0 <= number < 1e19
    assert told.cool_until is None or str(moment(told.cool_until)) < "2029", "an agent that waits for ever"
    if end is not None and end.state in (State.CANCELED, State.LOST):
        assert told.result is None, "an answer changed an end that no answer changes"
    if told.result is not None and told.result.state is State.SUCCEEDED:
        assert end is not None
        assert end.state in (State.SUCCEEDED, State.FAILED)


def _masked(data: bytes) -> None:
    """Bytes that pass the redactor keep their length, and no form of the secret."""
    redactor = Redactor()
    redactor.add(["s3cr3t/va+lue", "twolines\nof it"])
    scrubbed = redactor.scrub(data + b"s3cr3t/va+lue")
    assert len(scrubbed) == len(data) + 13
    assert b"s3cr3t/va+lue" not in scrubbed
