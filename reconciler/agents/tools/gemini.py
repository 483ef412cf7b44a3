"""Google's gemini: https://github.com/google-gemini/gemini-cli, as of 0.61."""

import re

from reconciler.agents.adapter import Adapter, Command, Order, Output, Reading
from reconciler.agents.answer import find
from reconciler.agents.limits import AUTH_FAILED, QUOTA_EXCEEDED, RATE_LIMITED, Limit, of_status, told
from reconciler.agents.saying import called, ended, failed, flat, lines
from reconciler.agents.values import Event, decoded, events, number_at, object_at, parse, text_at, total
from reconciler.agents.words import PROMPT, option, words

# Else it starts itself once more, and that child survives everything.
ENVIRONMENT = {"GEMINI_CLI_NO_RELAUNCH": "true"}

_CODES = {41: AUTH_FAILED} | {status % 256: reason for status in (401, 402, 403, 429) if (reason := of_status(status))}
_MESSAGES = {53: "it reached its limit of turns", 130: "it was cancelled"}
_USED_UP = re.compile(r"(?:\[API Error: )?You have exhausted your |.{0,200}\bexceeded your current quota\b", re.DOTALL)
_BAD_KEY = re.compile(r'"reason": ?"API_KEY_INVALID"')


def command(order: Order) -> Command:
    """`gemini`, with the prompt on standard input."""
    model = order.variant or order.model
    if model and not model.startswith(("gemini", "auto")) and order.variant:
        model = f"gemini-2.5-{model}"
    return Command(
        words(
            "gemini", "--yolo", "--skip-trust", "--output-format", "stream-json", *option("--model", model), *order.args
        ),
        stdin=PROMPT,
        events=True,
        environment=ENVIRONMENT,
    )


def read(output: Output) -> Reading:
    """Takes its events, or the object that it prints with `json`: on standard error when it failed."""
    said: list[str] = []
    end: Event = {}
    session, trouble = "", ""
    for event in _events(output):
        session = text_at(event, "session_id") or session
        match event.get("type"):
            case "message" if event.get("role") == "assistant":
                said.append(text_at(event, "content"))
            case "tool_use":
                said.clear()  # what it says after its last tool is the answer
            case "error":
                trouble = text_at(event, "message")
            case "result":
                end = event
            case None if "response" in event or "error" in event:
                end = {**event, "status": "error" if event.get("error") else "success"}
                said = [text_at(event, "response")]
    text = "".join(said)
    tokens = _tokens(object_at(end, "stats"))
    if end.get("status") == "success":
        answer = find(text) or find(decoded(output.answer))
        return Reading(True, answer=answer, text=text, tokens=tokens, session_id=session)
    message = text_at(object_at(end, "error"), "message") or trouble
    limit = told(Limit(_failure(output, end, message)), message, output.ended_at)
    return Reading(
        failure=limit.reason,
        message=_plain(message) or _MESSAGES.get(output.exit_code or 0, "") or _last_words(output, limit.reason),
        text=text,
        tokens=tokens,
        session_id=session,
        retry_at=limit.at,
        retry_after=limit.after,
    )


def _events(output: Output) -> list[Event]:
    """JSON lines; or one JSON text over many lines, which begins at one of its own."""
    found = list(events(output.events or output.stdout))
    if found:
        return found
    for data in (output.events or output.stdout, output.stderr):
        text = decoded(data)
        start = 0 if text.startswith("{\n") else text.rfind("\n{\n") + 1
        whole = parse(text[start:]) if text.startswith("{\n", start) else None
        if isinstance(whole, dict):
            return [whole]
    return []


def _failure(output: Output, end: Event, message: str) -> str:
    """Its exit code is the status of the API modulo 256."""
    code = number_at(object_at(end, "error"), "code")
    reason = of_status(code) or _CODES.get(output.exit_code or 0, "")
    if not reason and _BAD_KEY.search(message[:4000].replace("\\", "")):
        return AUTH_FAILED
    return QUOTA_EXCEEDED if reason == RATE_LIMITED and _USED_UP.match(message) else reason


def _plain(message: str) -> str:
    """Takes a message; returns the API's own words in it, without the JSON around them and the advice after them."""
    match = re.match(r"\[API Error: (.{1,4000}?)\](?:\n|\Z)", message, re.DOTALL)
    inner = match[1] if match else message
    parsed = parse(inner) if inner.startswith("{") else None
    return text_at(object_at(parsed, "error"), "message") or inner if isinstance(parsed, dict) else inner


def _last_words(output: Output, reason: str) -> str:
    """A login that is not configured is told on standard error alone."""
    written = [line for line in decoded(output.stderr[-4000:]).splitlines() if line.strip()] if reason else []
    return flat(" ".join(written[-2:]))


def _tokens(stats: Event) -> int | None:
    direct = total(stats, "total_tokens")
    if direct is not None:
        return direct
    models = [
        total(object_at(model, "tokens"), "total")
        for model in object_at(stats, "models").values()
        if isinstance(model, dict)
    ]
    known = [tokens for tokens in models if tokens is not None]
    return sum(known) if known else None


def shown(event: Event) -> str:
    """One event as a line."""
    match event.get("type"):
        case "message" if event.get("role") == "assistant":
            return text_at(event, "content")
        case "tool_use":
            return called(text_at(event, "tool_name"), event.get("parameters"))
        case "tool_result" if event.get("status") == "error":
            return f"failed: {flat(text_at(event, 'output') or text_at(object_at(event, 'error'), 'message'), 160)}"
        case "error":
            return f"error: {text_at(event, 'message')}"
        case "result":
            if event.get("status") == "success":
                return ended(None, _tokens(object_at(event, "stats")))
            return failed(_plain(text_at(object_at(event, "error"), "message")))
    return ""


ADAPTER = Adapter(
    name="gemini",
    program="gemini",
    command=command,
    read=read,
    line=lines(shown),
    flags=("--yolo", "--skip-trust", "--output-format", "stream-json", "--model"),
)
