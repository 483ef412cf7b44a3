"""CodeRabbit's command line: https://docs.coderabbit.ai/cli. It reviews, and answers nothing."""

import re
from dataclasses import replace

from reconciler.agents.adapter import Adapter, Command, Order, Output, Reading
from reconciler.agents.limits import AUTH_FAILED, RATE_LIMITED, Limit, told
from reconciler.agents.saying import nothing
from reconciler.agents.values import decoded
from reconciler.agents.words import option, words

_LIMITED = re.compile(r"\brate limit exceeded\b", re.IGNORECASE)
_LOGIN = re.compile(r"\b(?:not logged in|authentication (?:required|failed)|unauthorized)\b", re.IGNORECASE)


def command(order: Order) -> Command:
    """`coderabbit review`; the variant is what is reviewed: all, committed, uncommitted."""
    base, kind = option("--base", order.base), option("--type", order.variant)
    return Command(words("coderabbit", "review", "--plain", *base, *kind, *order.args))


def read(output: Output) -> Reading:
    """Its review is its standard output: of other things, only exit code and standard error tell."""
    review = decoded(output.stdout).strip()
    if output.exit_code == 0:
        return Reading(bool(review), text=review)
    complaint = decoded(output.stderr[-8000:]).strip()
    last = complaint.splitlines()[-1] if complaint else ""
    failed = Reading(message=last, text=review)
    if output.exit_code is None:
        return failed
    if _LIMITED.search(complaint):
        limit = told(Limit(RATE_LIMITED), complaint, output.ended_at)
        return replace(failed, failure=limit.reason, retry_at=limit.at, retry_after=limit.after)
    return replace(failed, failure=AUTH_FAILED) if _LOGIN.search(complaint) else failed


ADAPTER = Adapter(
    name="coderabbit",
    program="coderabbit",
    command=command,
    read=read,
    line=nothing,
    help=("review", "--help"),
    flags=("--plain", "--base", "--type"),
    answers=False,
)
