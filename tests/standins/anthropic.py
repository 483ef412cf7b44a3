"""The Anthropic Messages protocol, as far as claude uses it."""

import itertools
import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

from tests.standins.script import Script

Fault = tuple[int, dict[str, str], dict[str, Any]]
_number = itertools.count(1)


def said(body: Mapping[str, Any]) -> str:
    """What the user said."""
    texts = []
    for message in body.get("messages", []):
        content = message["content"]
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        texts += [part["text"] for part in parts if message["role"] == "user" and part["type"] == "text"]
    return "\n".join(texts)


def worked(body: Mapping[str, Any]) -> bool:
    """The tool call is done."""
    return any(
        part.get("type") == "tool_result"
        for message in body.get("messages", [])
        if isinstance(message["content"], list)
        for part in message["content"]
    )


def fault(script: Script) -> Fault | None:
    """The HTTP answer of a behaviour that is a fault of the API."""
    match script.end:
        case "429" | "429-later":
            wait = script.options.get("after", "86400" if script.end == "429-later" else "1")
            return 429, {"retry-after": wait}, _error("rate_limit_error", "This request would exceed your rate limit.")
        case "quota":
            until = int(time.time()) + int(script.options.get("after", 7200))
            headers = {
                "retry-after": "7200",
                "anthropic-ratelimit-unified-status": "rejected",
                "anthropic-ratelimit-unified-reset": str(until),
                "anthropic-ratelimit-unified-representative-claim": "five_hour",
            }
            return 429, headers, _error("rate_limit_error", "This request would exceed your account's rate limit.")
        case "401":
            return 401, {}, _error("authentication_error", "invalid x-api-key")
    return None


def _error(kind: str, message: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}}


def tool_call(command: str) -> Iterator[dict[str, Any]]:
    """The model wants a shell command to be run."""
    yield from _message({}, "Bash", {"command": command, "description": "Work"})


def final(body: Mapping[str, Any], answer: object) -> Iterator[dict[str, Any]]:
    """The last message: through the tool for structured output where the request has one, as text elsewhere."""
    structured = any(tool.get("name") == "StructuredOutput" for tool in body.get("tools", []))
    if structured and not isinstance(answer, str) and not _told(body):
        yield from _message(body, "StructuredOutput", answer)
    else:
        yield from _message(body, "", answer if isinstance(answer, str) else json.dumps(answer))


def _told(body: Mapping[str, Any]) -> bool:
    calls = [
        part.get("name")
        for message in body.get("messages", [])
        if isinstance(message["content"], list)
        for part in message["content"]
        if part.get("type") == "tool_use"
    ]
    return "StructuredOutput" in calls


def _message(body: Mapping[str, Any], tool: str, content: object) -> Iterator[dict[str, Any]]:
    usage = {"input_tokens": 100, "output_tokens": 20, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0}
    message = {"id": f"msg_{next(_number)}", "type": "message", "role": "assistant", "model": body.get("model")}
    yield {
        "type": "message_start",
        "message": {**message, "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage},
    }
    if tool:
        block: dict[str, Any] = {"type": "tool_use", "id": f"toolu_{next(_number)}", "name": tool, "input": {}}
        delta = {"type": "input_json_delta", "partial_json": json.dumps(content)}
    else:
        block = {"type": "text", "text": ""}
        delta = {"type": "text_delta", "text": content}
    yield {"type": "content_block_start", "index": 0, "content_block": block}
    yield {"type": "content_block_delta", "index": 0, "delta": delta}
    yield {"type": "content_block_stop", "index": 0}
    stop = {"stop_reason": "tool_use" if tool else "end_turn", "stop_sequence": None}
    yield {"type": "message_delta", "delta": stop, "usage": {"output_tokens": 20}}
    yield {"type": "message_stop"}
