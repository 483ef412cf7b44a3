"""Anthropic's claude: https://code.claude.com, as of 2.1."""

import json
import re
from collections.abc import Iterable
from dataclasses import replace

from reconciler.agents.adapter import Adapter, Command, Order, Output, Reading
from reconciler.agents.answer import find, unwrap
from reconciler.agents.limits import AUTH_FAILED, QUOTA_EXCEEDED, RATE_LIMITED, of_status
from reconciler.agents.saying import called, ended, failed, flat, lines
from reconciler.agents.values import Event, decoded, events, number_at, object_at, objects_at, parse, text_at, total
from reconciler.agents.words import PROMPT, WORKTREE, option, words

ENVIRONMENT = {
    "IS_SANDBOX": "1",  # without it, it refuses to skip permissions as root
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_AUTOUPDATER": "1",
}

# `error` of a message that claude made up itself
_ERRORS = {"authentication_failed": AUTH_FAILED, "billing_error": QUOTA_EXCEEDED, "rate_limit": RATE_LIMITED}
_USED_UP = re.compile(r"You[’']ve hit your |Claude AI usage limit reached")
_USAGE = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
_MODEL_USAGE = ("inputTokens", "outputTokens", "cacheReadInputTokens", "cacheCreationInputTokens")


def command(order: Order) -> Command:
    """`claude -p`, with the prompt on standard input."""
    return Command(
        words(
            *("claude", "--print", "--dangerously-skip-permissions", "--add-dir", WORKTREE),
            *("--output-format", "stream-json", "--verbose"),
            *option("--json-schema", _schema(order.schema)),
            *option("--model", order.variant or order.model),
            *option("--max-budget-usd", "" if order.budget_usd is None else f"{order.budget_usd:.4f}"),
            *order.args,
        ),
        stdin=PROMPT,
        events=True,
        environment=ENVIRONMENT,
    )


def _schema(text: str) -> str:
    """It silently ignores a schema whose `$schema` it does not know, which is so for draft 2020-12."""
    schema = parse(text)
    if not isinstance(schema, dict):
        return text
    return json.dumps({key: value for key, value in schema.items() if key != "$schema"})


def read(output: Output) -> Reading:
    """Takes its events, or what it prints with other output formats; only the last `result` is an end."""
    result: Event = {}
    limits: Event = {}
    session, error, said = "", "", ""
    for event in _events(output.events or output.stdout):
        session = text_at(event, "session_id") or session
        match event.get("type"):
            case "result":
                result = event
            case "assistant":
                error = text_at(event, "error")
                said = _said(event) or said
            case "rate_limit_event":
                limits = object_at(event, "rate_limit_info")
    text = text_at(result, "result") or said
    reading = Reading(
        text=text,
        cost_usd=number_at(result, "total_cost_usd"),
        tokens=_tokens(result),
        session_id=session,
    )
    if not result:
        return _bare(output, reading)
    if result.get("is_error") is False:
        answer = unwrap(result) or find(decoded(output.answer))
        return replace(reading, finished=True, answer=answer)
    return _failed(reading, result, error, limits)


def _events(data: bytes) -> Iterable[Event]:
    """JSON lines; or one JSON text that is an event, or a list of them."""
    found = list(events(data))
    if not found and data.lstrip()[:1] in (b"{", b"["):
        whole = parse(decoded(data))
        found = [item for item in (whole if isinstance(whole, list) else [whole]) if isinstance(item, dict)]
    return found


def _bare(output: Output, reading: Reading) -> Reading:
    """Nothing but an object that is no event: the answer itself (`--output-format text`)."""
    whole = parse(decoded(output.events or output.stdout))
    if output.exit_code != 0 or not isinstance(whole, dict) or "type" in whole:
        return reading
    return replace(reading, finished=True, answer=whole)


def _failed(reading: Reading, result: Event, error: str, limits: Event) -> Reading:
    """`subtype` is `success` even then. A budget that is used up says nothing of the agent: no failure of its own."""
    errors = result.get("errors")
    listed = [item for item in errors if isinstance(item, str)] if isinstance(errors, list) else []
    listed = [item for item in listed if not item.startswith("[ede_diagnostic]")]  # for its makers
    message = "; ".join(listed) or reading.text or text_at(result, "subtype")
    reason = of_status(number_at(result, "api_error_status")) or _ERRORS.get(error, "")
    until = None
    if reason == RATE_LIMITED:
        if limits.get("status") == "rejected":
            reason, until = QUOTA_EXCEEDED, number_at(limits, "resetsAt")
        elif _USED_UP.match(reading.text):
            reason, until = QUOTA_EXCEEDED, _piped(reading.text)
    return replace(reading, failure=reason, message=message, retry_at=until)


def _piped(text: str) -> float | None:
    """`Claude AI usage limit reached|1749924000`, as older ones say it."""
    match = re.match(r"[^|]{1,100}\|(\d{9,11})\b", text)
    return float(match[1]) if match else None


def _tokens(result: Event) -> int | None:
    """All models together; the `usage` beside it leaves out what sub-agents used."""
    models = [
        total(usage, *_MODEL_USAGE) for usage in object_at(result, "modelUsage").values() if isinstance(usage, dict)
    ]
    known = [tokens for tokens in models if tokens is not None]
    return sum(known) if known else total(object_at(result, "usage"), *_USAGE)


def _said(event: Event) -> str:
    parts = objects_at(object_at(event, "message"), "content")
    return "\n".join(text_at(part, "text") for part in parts if part.get("type") == "text")


def shown(event: Event) -> str:
    """One event as a line."""
    match event.get("type"):
        case "assistant":
            parts = objects_at(object_at(event, "message"), "content")
            return " · ".join(told for part in parts if (told := _part(part)))
        case "user":
            parts = objects_at(object_at(event, "message"), "content")
            return " · ".join(f"failed: {flat(_content(part), 160)}" for part in parts if part.get("is_error") is True)
        case "system" if event.get("subtype") == "api_retry":
            return f"error: {text_at(event, 'error') or 'the API does not answer'}, trying again"
        case "result":
            if event.get("is_error") is False:
                return ended(number_at(event, "total_cost_usd"), _tokens(event))
            return failed(_failed(Reading(text=text_at(event, "result")), event, "", {}).message)
    return ""


def _part(part: Event) -> str:
    match part.get("type"):
        case "text":
            return text_at(part, "text")
        case "tool_use":
            return called(text_at(part, "name"), part.get("input"))
    return ""


def _content(part: Event) -> str:
    """What a tool gave back: a text, or a list of texts."""
    return text_at(part, "content") or " ".join(text_at(item, "text") for item in objects_at(part, "content"))


ADAPTER = Adapter(
    name="claude",
    program="claude",
    command=command,
    read=read,
    line=lines(shown),
    flags=(
        "--print",
        "--dangerously-skip-permissions",
        "--add-dir",
        "--output-format",
        "--verbose",
        "--json-schema",
        "--model",
        "--max-budget-usd",
    ),
)
