"""A program of the user's own: it finds the prompt in a file, and may leave its answer in another."""

from reconciler.agents.adapter import Adapter, Command, Order, Output, Reading
from reconciler.agents.answer import find
from reconciler.agents.saying import nothing
from reconciler.agents.values import decoded
from reconciler.agents.words import words


def command(order: Order) -> Command:
    """The words as they are."""
    return Command(words(*order.command, *order.args))


def read(output: Output) -> Reading:
    """The exit code tells, unless it wrote a result that nobody can read."""
    written = decoded(output.answer).strip()
    answer = find(written)
    if written and answer is None:
        return Reading(text=written, message="its result file holds no JSON object")
    return Reading(output.exit_code == 0, answer=answer, text="" if answer else _end(output.stdout))


def _end(data: bytes) -> str:
    lines = [line for line in decoded(data[-4000:]).splitlines() if line.strip()]
    return lines[-1] if lines else ""


ADAPTER = Adapter(name="command", program="", command=command, read=read, line=nothing, help=(), answers=False)
