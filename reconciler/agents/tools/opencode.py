"""opencode: https://opencode.ai, as of 1.18."""

from reconciler.agents.adapter import Adapter, Command, Order, Output, Reading
from reconciler.agents.answer import find
from reconciler.agents.limits import Limit, headed, of_status
from reconciler.agents.saying import called, ended, failed, lines
from reconciler.agents.values import Event, decoded, events, number_at, object_at, text_at, total
from reconciler.agents.words import PROMPT, WORKTREE, option, words

ENVIRONMENT = {"OPENCODE_DISABLE_AUTOUPDATE": "1"}


def command(order: Order) -> Command:
    """`opencode run`, with the prompt on standard input; models are `provider/model`."""
    return Command(
        words(
            *("opencode", "run", "--format", "json", "--auto", "--dir", WORKTREE),
            *option("--model", order.variant or order.model),
            *order.args,
        ),
        stdin=PROMPT,
        events=True,
        environment=ENVIRONMENT,
    )


def read(output: Output) -> Reading:
    """It came to its end when its last step did, for the reason `stop`, and no error was told after it."""
    said: list[str] = []
    error: Event = {}
    session, reason = "", ""
    cost: float | None = None
    tokens: int | None = None
    for event in events(output.events or output.stdout):
        session = text_at(event, "sessionID") or session
        part = object_at(event, "part")
        match event.get("type"):
            case "step_start":
                said, error, reason = [], {}, ""
            case "text":
                said.append(text_at(part, "text"))
            case "step_finish":
                reason = text_at(part, "reason")
                cost = _sum(cost, number_at(part, "cost"))
                used = _used(part)
                tokens = used if tokens is None else tokens + (used or 0)
            case "error":
                error = object_at(event, "error")
    text = "".join(said)
    if reason == "stop" and not error:
        answer = find(text) or find(decoded(output.answer))
        return Reading(True, answer=answer, text=text, cost_usd=cost, tokens=tokens, session_id=session)
    data = object_at(error, "data")
    limit = headed(Limit(_failure(error)), object_at(data, "responseHeaders"))
    return Reading(
        failure=limit.reason,
        message=text_at(data, "message") or text_at(error, "name"),
        text=text,
        cost_usd=cost,
        tokens=tokens,
        session_id=session,
        retry_at=limit.at,
        retry_after=limit.after,
    )


def _failure(error: Event) -> str:
    return of_status(
        401 if error.get("name") == "ProviderAuthError" else number_at(object_at(error, "data"), "statusCode")
    )


def _sum(one: float | None, other: float | None) -> float | None:
    return one if other is None else other + (one or 0.0)


def _used(part: Event) -> int | None:
    tokens = object_at(part, "tokens")
    whole = total(tokens, "total")
    return whole if whole is not None else total(tokens, "input", "output", "reasoning")


def shown(event: Event) -> str:
    """One event as a line."""
    part = object_at(event, "part")
    match event.get("type"):
        case "text":
            return text_at(part, "text")
        case "tool_use":
            state = object_at(part, "state")
            told = called(text_at(part, "tool"), state.get("input"))
            return f"{told} · failed: {text_at(state, 'error')}" if state.get("status") == "error" else told
        case "step_finish" if part.get("reason") != "tool-calls":
            return f"{ended(number_at(part, 'cost'), _used(part))} in its last step"
        case "error":
            error = object_at(event, "error")
            return failed(text_at(object_at(error, "data"), "message") or text_at(error, "name"))
    return ""


ADAPTER = Adapter(
    name="opencode",
    program="opencode",
    command=command,
    read=read,
    line=lines(shown),
    help=("run", "--help"),
    flags=("--format", "--auto", "--dir", "--model"),
)
