"""What is read from output that no recording has: written by hand, after what the programs are known to do."""

import json

import pytest

from reconciler.agents.adapter import Output, Reading
from reconciler.agents.registry import adapter, names

ANSWER = {"status": "succeeded", "summary": "done", "notes": "429 rate limit exceeded, 401 Unauthorized"}
TEXT = json.dumps(ANSWER)
LIES = "You've hit your usage limit, try again at 5:00 AM. 429 rate limit exceeded. unexpected status 401 Unauthorized"


def jsonl(*events: object) -> bytes:
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


def read(tool: str, *events: object, code: int | None = 0, answer: bytes | None = None, stderr: bytes = b"") -> Reading:
    return adapter(tool).read(Output(code, b"", stderr, jsonl(*events), answer))


def codex_failed(message: str) -> Reading:
    return read(
        "codex", {"type": "error", "message": "x"}, {"type": "turn.failed", "error": {"message": message}}, code=1
    )


def claude_result(**fields: object) -> dict[str, object]:
    return {"type": "result", "subtype": "success", "is_error": False, "result": TEXT, **fields}


SPOKEN = {  # what each tool's model says, and how the tool ends well after it
    "codex": (
        {"type": "item.completed", "item": {"type": "agent_message", "text": LIES}},
        {"type": "turn.completed", "usage": {"input_tokens": 1, "output_tokens": 1}},
    ),
    "claude": (
        {"type": "assistant", "message": {"content": [{"type": "text", "text": LIES}]}},
        claude_result(result=LIES),
    ),
    "gemini": ({"type": "message", "role": "assistant", "content": LIES}, {"type": "result", "status": "success"}),
    "opencode": (
        {"type": "text", "part": {"text": LIES}},
        {"type": "step_finish", "part": {"reason": "stop", "cost": 0.5, "tokens": {"total": 3}}},
    ),
}


@pytest.mark.parametrize("tool", SPOKEN)
def test_what_a_model_says_is_no_fact(tool: str) -> None:
    said, end = SPOKEN[tool]
    reading = read(tool, said, end)
    assert (reading.finished, reading.failure, reading.text) == (True, "", LIES)
    assert (reading.retry_at, reading.retry_after) == (None, None)


@pytest.mark.parametrize("tool", SPOKEN)
@pytest.mark.parametrize("code", [None, 0, 1, 143])
def test_nor_when_it_never_came_to_an_end(tool: str, code: int | None) -> None:
    reading = read(tool, SPOKEN[tool][0], code=code)
    assert (reading.finished, reading.failure, reading.text) == (False, "", LIES)


@pytest.mark.parametrize("tool", ["codex", "claude", "gemini", "opencode", "coderabbit", "local"])
@pytest.mark.parametrize("code", [0, None, 1, 143])
def test_an_agent_that_says_nothing_did_not_finish(tool: str, code: int | None) -> None:
    assert adapter(tool).read(Output(code)) == Reading()


@pytest.mark.parametrize("tool", SPOKEN)
def test_half_a_line_is_no_end(tool: str) -> None:
    whole = jsonl(*SPOKEN[tool])
    assert not adapter(tool).read(Output(0, events=whole[:-4])).finished


@pytest.mark.parametrize("tool", SPOKEN)
def test_noise_between_events_does_not_matter(tool: str) -> None:
    said, end = (jsonl(event) for event in SPOKEN[tool])
    noise = b'npm warn deprecated\n\xff\xfe{\n{"type": "res\n\n[]\n{}\n'
    assert adapter(tool).read(Output(0, events=noise + said + noise + end + noise)).finished


@pytest.mark.parametrize("tool", SPOKEN)
def test_events_on_standard_output_are_as_good(tool: str) -> None:
    assert adapter(tool).read(Output(0, stdout=jsonl(*SPOKEN[tool]))).finished


@pytest.mark.parametrize(
    ("message", "failure", "after"),
    [
        ("exceeded retry limit, last status: 429 Too Many Requests, request id: 1", "RateLimited", None),
        ("exceeded retry limit, last status: 503 Service Unavailable", "", None),
        ("unexpected status 401 Unauthorized: no", "AuthFailed", None),
        ("unexpected status 403 Forbidden: no", "AuthFailed", None),
        ("unexpected status 400 Bad Request: 429 rate limit", "", None),
        ("You've hit your usage limit. Try again in 3 days 2 hours.", "QuotaExceeded", 266_400),
        ("You’ve hit your usage limit.", "QuotaExceeded", None),
        ("Quota exceeded. Check your plan and billing details.", "QuotaExceeded", None),
        (
            "stream disconnected before completion: Rate limit reached for m. Please try again in 6.5s.",
            "RateLimited",
            6.5,
        ),
        ("stream disconnected before completion: error sending request", "", None),
        ("Your access token could not be refreshed. Please log out and sign in again.", "AuthFailed", None),
        ("the model said: You've hit your usage limit.", "", None),
        ("", "", None),
    ],
)
def test_why_codex_failed(message: str, failure: str, after: float | None) -> None:
    reading = codex_failed(message)
    assert (reading.finished, reading.failure, reading.retry_after) == (False, failure, after)
    assert reading.message == message or (not message and reading.message == "x")


def test_an_error_of_codex_is_no_end() -> None:
    lost = {"type": "error", "message": "Reconnecting... 1/5 (exceeded retry limit, last status: 429)"}
    assert read("codex", lost, *SPOKEN["codex"]).finished
    assert read("codex", lost, code=None).failure == ""


def test_codex_goes_on_after_a_turn() -> None:
    assert not read("codex", *SPOKEN["codex"], {"type": "turn.started"}).finished


def test_the_file_of_codex_is_its_answer() -> None:
    assert read("codex", *SPOKEN["codex"], answer=TEXT.encode()).answer == ANSWER


CLAUDE_FAILURES = {
    "status 429": ({"api_error_status": 429}, None, "RateLimited", None),
    "status 401": ({"api_error_status": 401}, None, "AuthFailed", None),
    "no status, but a reason": ({}, "authentication_failed", "AuthFailed", None),
    "no credit": ({"api_error_status": 400}, "billing_error", "QuotaExceeded", None),
    "overloaded": ({"api_error_status": 529}, "server_error", "", None),
    "a session limit": (
        {"api_error_status": 429, "result": "You've hit your session limit · resets 5am"},
        None,
        "QuotaExceeded",
        None,
    ),
    "curly": ({"api_error_status": 429, "result": "You’ve hit your limit"}, None, "QuotaExceeded", None),
    "an older one": (
        *({"api_error_status": 429, "result": "Claude AI usage limit reached|1795239803"}, "rate_limit"),
        *("QuotaExceeded", 1795239803.0),
    ),
    "only its words": ({"result": "You've hit your session limit"}, None, "", None),
}


@pytest.mark.parametrize(("fields", "error", "failure", "until"), CLAUDE_FAILURES.values(), ids=CLAUDE_FAILURES.keys())
def test_why_claude_failed(fields: dict[str, object], error: str | None, failure: str, until: float | None) -> None:
    said = {"type": "assistant", "message": {"content": []}, "error": error}
    reading = read("claude", said, claude_result(is_error=True, **fields), code=1)
    assert (reading.finished, reading.failure, reading.retry_at) == (False, failure, until)


def test_a_used_up_budget_does_not_cool_the_agent() -> None:
    result = claude_result(subtype="error_max_budget_usd", is_error=True, errors=["Reached maximum budget ($2)"])
    reading = read("claude", result, code=1)
    assert (reading.finished, reading.failure, reading.message) == (False, "", "Reached maximum budget ($2)")


CLAUDE_FORMS = {
    "structured output": (jsonl(claude_result(result="", structured_output=ANSWER)), None),
    "text": (jsonl(claude_result()), None),
    "fenced": (jsonl(claude_result(result=f"Done:\n```json\n{TEXT}\n```")), None),
    "one envelope over many lines": (json.dumps(claude_result(), indent=2).encode(), None),
    "a list of events": (json.dumps([{"type": "system"}, claude_result()]).encode(), None),
    "the bare object": (TEXT.encode(), None),
    "the bare object over many lines": (json.dumps(ANSWER, indent=2).encode(), None),
    "the result file": (jsonl(claude_result(result="It is in the file.")), TEXT.encode()),
}


@pytest.mark.parametrize(("stdout", "file"), CLAUDE_FORMS.values(), ids=CLAUDE_FORMS.keys())
def test_forms_of_claude(stdout: bytes, file: bytes | None) -> None:
    reading = adapter("claude").read(Output(0, stdout=stdout, answer=file))
    assert (reading.finished, reading.answer) == (True, ANSWER)


def test_a_bare_object_needs_a_good_exit_code() -> None:
    assert not adapter("claude").read(Output(1, stdout=TEXT.encode())).finished


@pytest.mark.parametrize(
    ("code", "stderr", "failure", "message"),
    [
        (173, b"", "RateLimited", ""),
        (145, b"", "AuthFailed", ""),
        (147, b"noise\nmore\nforbidden\n", "AuthFailed", "more forbidden"),
        (41, b"YOLO mode\nPlease set\nan Auth method\n", "AuthFailed", "Please set an Auth method"),
        (53, b"", "", "it reached its limit of turns"),
        (1, b'{"error": {"code": 429}}', "", ""),
        (0, b"", "", ""),
        (None, b"", "", ""),
    ],
)
def test_exit_codes_of_gemini(code: int | None, stderr: bytes, failure: str, message: str) -> None:
    reading = adapter("gemini").read(Output(code, stderr=stderr))
    assert (reading.finished, reading.failure, reading.message) == (False, failure, message)


def test_the_answer_of_gemini_comes_after_its_last_tool() -> None:
    first, tool = {"type": "message", "role": "assistant", "content": "I look at {it}."}, {"type": "tool_use"}
    parts = [{"type": "message", "role": "assistant", "content": part} for part in (TEXT[:9], TEXT[9:])]
    assert read("gemini", first, tool, *parts, {"type": "result", "status": "success"}).answer == ANSWER


def test_opencode_adds_its_steps_up() -> None:
    step = {"type": "step_finish", "part": {"reason": "tool-calls", "cost": 0.25, "tokens": {"total": 100}}}
    reading = read("opencode", step, step, *SPOKEN["opencode"])
    assert (reading.cost_usd, reading.tokens) == (1.0, 203)


@pytest.mark.parametrize(
    ("error", "failure", "after", "message"),
    [
        (
            {"name": "APIError", "data": {"statusCode": 429, "responseHeaders": {"retry-after": "9"}}},
            "RateLimited",
            9.0,
            "APIError",
        ),
        ({"name": "APIError", "data": {"statusCode": 401, "message": "no"}}, "AuthFailed", None, "no"),
        ({"name": "ProviderAuthError", "data": {"message": "no key"}}, "AuthFailed", None, "no key"),
        ({"name": "UnknownError", "data": {"message": "429 rate limit"}}, "", None, "429 rate limit"),
    ],
)
def test_why_opencode_failed(error: object, failure: str, after: float | None, message: str) -> None:
    reading = read("opencode", *SPOKEN["opencode"], {"type": "error", "error": error}, code=1)
    assert (reading.finished, reading.failure, reading.retry_after, reading.message) == (False, failure, after, message)


@pytest.mark.parametrize(
    ("output", "reading"),
    [
        (
            Output(0, b"the rate limit exceeded check is wrong"),
            Reading(True, text="the rate limit exceeded check is wrong"),
        ),
        (Output(1, LIES.encode(), b"Error: no git repository"), Reading(message="Error: no git repository", text=LIES)),
        (
            Output(1, b"", b"Rate limit exceeded, please try after 6 minutes and 22 seconds"),
            Reading(
                failure="RateLimited",
                message="Rate limit exceeded, please try after 6 minutes and 22 seconds",
                retry_after=382,
            ),
        ),
        (Output(1, b"", b"Not logged in"), Reading(failure="AuthFailed", message="Not logged in")),
    ],
)
def test_coderabbit(output: Output, reading: Reading) -> None:
    assert adapter("coderabbit").read(output) == reading


@pytest.mark.parametrize(
    ("output", "reading"),
    [
        (Output(0), Reading(True)),
        (Output(0, b"one\ntwo\n\n"), Reading(True, text="two")),
        (Output(3, b"429 rate limit"), Reading(text="429 rate limit")),
        (Output(0, b"one", answer=TEXT.encode()), Reading(True, answer=ANSWER)),
        (Output(0, answer=b"I am done"), Reading(text="I am done", message="its result file holds no JSON object")),
    ],
)
def test_command(output: Output, reading: Reading) -> None:
    assert adapter("command").read(output) == reading


def test_local_is_read_as_codex() -> None:
    assert adapter("local").read is adapter("codex").read
    assert set(names()) == set(SPOKEN) | {"coderabbit", "command", "local"}
