"""The OpenAI Responses protocol, as far as codex uses it."""

import itertools
import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

from tests.standins.script import Script

Fault = tuple[int, dict[str, str], dict[str, Any]]
_number = itertools.count(1)


def said(body: Mapping[str, Any]) -> str:
    """What the user said, instructions apart."""
    messages = [item for item in body.get("input", []) if item.get("role") == "user"]
    return "\n".join(part.get("text", "") for message in messages for part in message["content"])


def worked(body: Mapping[str, Any]) -> bool:
    """The tool call is done."""
    return any(str(item.get("type", "")).endswith("_call_output") for item in body.get("input", []))


def fault(script: Script) -> Fault | None:
    """The HTTP answer of a behaviour that is a fault of the API."""
    match script.end:
        case "429" | "429-later":
            wait = script.options.get("after", "86400" if script.end == "429-later" else "1")
            error = {"message": "Rate limit reached for requests", "type": "requests", "code": "rate_limit_exceeded"}
            return 429, {"retry-after": wait}, {"error": error}
        case "quota":
            until = int(time.time()) + int(script.options.get("after", 7200))
            error = {
                "type": "usage_limit_reached",
                "message": "The usage limit has been reached",
                "plan_type": "plus",
                "resets_at": until,
            }
            return 429, {}, {"error": error}
        case "401":
            error = {"message": "Incorrect API key provided: k***.", "type": "invalid_request_error"}
            return 401, {}, {"error": {**error, "code": "invalid_api_key"}}
    return None


def tool_call(command: str) -> Iterator[dict[str, Any]]:
    """The model wants a shell command to be run, with whatever tool the request offers for it."""
    arguments = json.dumps({"cmd": command, "login": False, "yield_time_ms": 30_000})
    item = {"type": "function_call", "name": "exec_command", "arguments": arguments}
    yield from _response({**item, "id": f"fc_{next(_number)}", "call_id": f"call_{next(_number)}"})


def final(body: Mapping[str, Any], answer: object) -> Iterator[dict[str, Any]]:
    """The last message."""
    text = answer if isinstance(answer, str) else json.dumps(answer)
    content = [{"type": "output_text", "text": text, "annotations": []}]
    yield from _response({"type": "message", "role": "assistant", "id": f"msg_{next(_number)}", "content": content})


def _response(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    response = {"id": f"resp_{next(_number)}", "object": "response"}
    usage = {
        "input_tokens": 100,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 20,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 120,
    }
    yield {"type": "response.created", "response": {**response, "status": "in_progress"}}
    yield {"type": "response.output_item.added", "output_index": 0, "item": item}
    yield {"type": "response.output_item.done", "output_index": 0, "item": item}
    yield {
        "type": "response.completed",
        "response": {**response, "status": "completed", "output": [item], "usage": usage},
    }
