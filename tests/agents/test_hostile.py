"""Whatever bytes a tool leaves: reading them never raises, says nothing that cannot be kept, and takes linear time."""

import json
import math
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from reconciler.agents.adapter import Output, Reading
from reconciler.agents.answer import find
from reconciler.agents.registry import adapter, names
from tests.agents.recorded import NAMES, output

REASONS = {"", "RateLimited", "QuotaExceeded", "AuthFailed"}
MEBIBYTE = 1 << 20

values = some.recursive(
    some.none()
    | some.booleans()
    | some.integers()
    | some.floats()
    | some.text(max_size=8)
    | some.sampled_from(["error", "success"]),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
# Objects whose keys are the ones that are looked at, and whose values are not what they should be.
KEYS = str.split(
    "type error message item usage result is_error api_error_status structured_output session_id thread_id part state"
    " total_cost_usd modelUsage content rate_limit_info resetsAt status stats response code data statusCode responseHeaders"
    " retry-after reason cost tokens total role text name input command changes path exit_code errors models"
)
TYPES = str.split(
    "result assistant user system rate_limit_event thread.started turn.started turn.completed turn.failed error"
    " item.started item.completed message tool_use tool_result text step_start step_finish"
)
odd = some.fixed_dictionaries(
    {"type": some.sampled_from(TYPES)},
    optional={
        key: values | some.dictionaries(some.sampled_from(KEYS), values, max_size=4) for key in KEYS if key != "type"
    },
)


def check(reading: Reading) -> None:
    """What holds for every reading."""
    assert reading.failure in REASONS
    assert not (reading.finished and reading.failure)
    for number in (reading.cost_usd, reading.retry_at, reading.retry_after):
        assert number is None or (math.isfinite(number) and number >= 0)
    assert reading.tokens is None or reading.tokens >= 0
    assert isinstance(reading.session_id, str)
    written = json.dumps([reading.text, reading.message, reading.session_id, reading.answer], ensure_ascii=False)
    assert written.encode()


@pytest.mark.parametrize("tool", names())
@given(data=some.binary(max_size=300), code=some.none() | some.integers(0, 255))
@settings(max_examples=40)
def test_any_bytes(tool: str, data: bytes, code: int | None) -> None:
    check(adapter(tool).read(Output(code, data, data, data, data)))
    check(adapter(tool).read(Output(code, data, data, b"", None)))


@pytest.mark.parametrize("tool", ["codex", "claude", "gemini", "opencode"])
@given(events=some.lists(odd, max_size=5), code=some.none() | some.integers(0, 255))
@settings(max_examples=60)
def test_any_events(tool: str, events: list[dict[str, object]], code: int | None) -> None:
    texts = [json.dumps(event) for event in events]
    check(adapter(tool).read(Output(code, events="\n".join(texts).encode(), ended_at=1.8e9)))
    for text in texts:
        line = adapter(tool).line(text)
        assert len(line) <= 500
        assert "\n" not in line


@given(
    name=some.sampled_from(NAMES), where=some.floats(0, 1), length=some.integers(0, 400), put=some.binary(max_size=20)
)
@settings(max_examples=200)
def test_damaged_recordings(name: str, where: float, length: int, put: bytes) -> None:
    def damaged(data: bytes) -> bytes:
        at = int(where * len(data))
        return data[:at] + put + data[at + length :]

    recorded = output(name)
    read = adapter(name.split("/")[0]).read
    check(read(replace(recorded, events=damaged(recorded.events))))
    check(read(replace(recorded, stderr=damaged(recorded.stderr), stdout=damaged(recorded.stdout))))
    check(read(replace(recorded, answer=damaged(recorded.answer or b""))))


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith("/success")])
def test_cut_anywhere_it_is_no_success(name: str) -> None:
    recorded = output(name)
    read = adapter(name.split("/")[0]).read
    last = recorded.events.rstrip(b"\n").rfind(b"\n") + 1
    for end in (*range(0, last, 97), *range(last, len(recorded.events) - 1)):
        cut = read(replace(recorded, events=recorded.events[:end]))
        assert not cut.finished


SHAPES: dict[str, Callable[[int], bytes]] = {
    "braces": lambda size: b"{" * size,
    "brackets": lambda size: b"[" * size,
    "deep": lambda size: b'{"a":' * (size // 5),
    "deep, over lines": lambda size: b'{\n"a":\n' * (size // 7),
    "half strings": lambda size: b'{"' * (size // 2),
    "long half strings": lambda size: (b'{"' + b"x" * 999) * (size // 1001),
    "spaces": lambda size: b"{ " * (size // 2),
    "one brace and spaces": lambda size: b"{" + b" " * size,
    "lines": lambda size: b"\n" * size,
    "small objects": lambda size: b'{"a":1}\n' * (size // 8),
    "backslashes": lambda size: b'{"a":"' + b"\\" * size,
    "quotes": lambda size: b'"' * size,
    "numbers": lambda size: b'{"a":' + b"9" * size,
    "words": lambda size: b"try again in 1 second and " * (size // 26),
    "quota": lambda size: b"You exceeded your " * (size // 18),
    "not UTF-8": lambda size: b"\xff" * size,
    "ends": lambda size: b'{"type":"result","is_error":false,"result":"{\\"a\\":1}"}\n' * (size // 56),
    "one long answer": lambda size: (
        b'{"type":"result","is_error":false,"result":"' + b'{\\"a\\":[' * (size // 8) + b'"}\n'
    ),
    "one long error": lambda size: (
        b'{"type":"turn.failed","error":{"message":"You\'ve hit your usage limit'
        + b" try again in 1" * (size // 15)
        + b'"}}\n'
    ),
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_time_is_linear(shape: Callable[[int], bytes]) -> None:
    """4 MiB take no more than seconds, on a slow machine with other work; what is quadratic takes hours."""
    data = shape(4 * MEBIBYTE)
    for tool in ("codex", "claude", "gemini", "opencode", "coderabbit", "command"):
        began = time.process_time()
        check(adapter(tool).read(Output(173, data, data, data, data)))
        check(adapter(tool).read(Output(0, data, data, b"", data)))
        adapter(tool).line(data.decode("utf-8", "replace"))
        assert time.process_time() - began < 10
    find(data.decode("utf-8", "replace"))
