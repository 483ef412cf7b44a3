"""OpenAI's codex: https://github.com/openai/codex, as of 0.169."""

import json
import re

from reconciler.agents.adapter import Adapter, Command, Order, Output, Reading
from reconciler.agents.answer import find
from reconciler.agents.limits import AUTH_FAILED, QUOTA_EXCEEDED, RATE_LIMITED, Limit, of_status, told
from reconciler.agents.saying import called, ended, failed, flat, lines
from reconciler.agents.values import Event, decoded, events, object_at, objects_at, text_at, total
from reconciler.agents.words import PROMPT, RESULT, SCHEMA, WORKTREE, option, words

REVIEW = (
    "This is a review, and nothing else: look at the last two commits of the branch (`git log -2 -p`), change no file,"
    " push nothing, open no pull request. Report what you found in the summary and the notes of your answer."
)

# The reset time of a used-up quota is told in the local time of the host, without its zone.
ENVIRONMENT = {"TZ": "UTC"}

_STATUS = re.compile(r"(?:exceeded retry limit, last status: |unexpected status )(\d{3})\b")
_SENTENCES = (  # of codex itself, from its beginning on: what a model says does not get there
    (re.compile(r"You[’']ve hit your usage limit"), QUOTA_EXCEEDED),
    (re.compile(r"Quota exceeded\. Check your plan"), QUOTA_EXCEEDED),
    (re.compile(r"To use Codex with your ChatGPT plan, upgrade"), QUOTA_EXCEEDED),
    (re.compile(r"(?:stream disconnected before completion: )?Rate limit reached for "), RATE_LIMITED),
    (re.compile(r"Your (?:access token|authentication session) could not be refreshed"), AUTH_FAILED),
)


def command(order: Order) -> Command:
    """`codex exec`, with the prompt on standard input and the answer in the result file."""
    review = order.variant == "review"
    return started(order, order.model if review else order.variant or order.model, review=review)


def started(order: Order, model: str, *provider: str, review: bool = False) -> Command:
    """Takes an order, a model and the flags of its provider; returns codex' command line."""
    search = ("--search",) if "--search" in order.args else ()  # a flag of codex, not of `codex exec`
    reading = ("--sandbox", "read-only", "-c", f"developer_instructions={json.dumps(REVIEW)}")
    rights = reading if review else ("--dangerously-bypass-approvals-and-sandbox",)
    return Command(
        words(
            *("codex", *search, "exec", *rights, "--cd", WORKTREE, "--json"),
            *("--output-schema", SCHEMA, "--output-last-message", RESULT),
            *provider,
            *option("--model", model),
            *(word for word in order.args if word != "--search"),
            "-",
        ),
        stdin=PROMPT,
        events=True,
        environment=ENVIRONMENT,
    )


def read(output: Output) -> Reading:
    """Only `turn.completed` and `turn.failed` are ends: `error` is told of every lost connection, too."""
    session, said, last = "", "", ""
    end: Event = {}
    for event in events(output.events or output.stdout):
        match event.get("type"):
            case "thread.started":
                session = text_at(event, "thread_id")
            case "turn.started":
                end = {}
            case "turn.completed" | "turn.failed":
                end = event
            case "error":
                last = text_at(event, "message")
            case "item.completed":
                item = object_at(event, "item")
                said = text_at(item, "text") if item.get("type") == "agent_message" else said
    tokens = total(object_at(end, "usage"), "input_tokens", "output_tokens")
    if end.get("type") == "turn.completed":
        written = decoded(output.answer)
        answer = find(written) or find(said)
        return Reading(True, answer=answer, text=said or written, tokens=tokens, session_id=session)
    message = text_at(object_at(end, "error"), "message")
    limit = told(Limit(_failure(message)), message, output.ended_at)
    return Reading(
        failure=limit.reason,
        message=message or last,
        text=said,
        session_id=session,
        retry_at=limit.at,
        retry_after=limit.after,
    )


def _failure(message: str) -> str:
    if match := _STATUS.match(message):
        return of_status(int(match[1]))
    return next((reason for sentence, reason in _SENTENCES if sentence.match(message)), "")


def shown(event: Event) -> str:
    """One event as a line."""
    item = object_at(event, "item")
    match event.get("type"):
        case "item.started":
            return _started(item)
        case "item.completed":
            return _completed(item)
        case "turn.completed":
            return ended(None, total(object_at(event, "usage"), "input_tokens", "output_tokens"))
        case "turn.failed":
            return failed(text_at(object_at(event, "error"), "message"))
        case "error":
            return f"error: {text_at(event, 'message')}"
    return ""


def _started(item: Event) -> str:
    match item.get("type"):
        case "command_execution":
            return called("shell", item)
        case "mcp_tool_call":
            return called(f"{text_at(item, 'server')}.{text_at(item, 'tool')}", item.get("arguments"))
    return ""


def _completed(item: Event) -> str:
    match item.get("type"):
        case "agent_message":
            return text_at(item, "text")
        case "command_execution" if item.get("exit_code"):
            return f"exit code {flat(str(item['exit_code']), 20)}"
        case "file_change":
            return f"edit {', '.join(text_at(change, 'path') for change in objects_at(item, 'changes'))}"
        case "web_search":
            return f"search {text_at(item, 'query')}"
        case "error":
            return f"warning: {text_at(item, 'message')}"
    return ""


ADAPTER = Adapter(
    name="codex",
    program="codex",
    command=command,
    read=read,
    line=lines(shown),
    help=("exec", "--help"),
    flags=(
        "--dangerously-bypass-approvals-and-sandbox",
        "--cd",
        "--json",
        "--output-schema",
        "--output-last-message",
        "--model",
        "--sandbox",
    ),
)
