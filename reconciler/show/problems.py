"""Problems of the fleet repository: for people with the line itself, for scripts, for GitHub's annotations."""

from collections.abc import Sequence

from reconciler.model.problem import Problem, Severity
from reconciler.show.document import Value
from reconciler.show.escape import safe
from reconciler.show.paper import PLAIN, Paper, cells

WINDOW = 100  # characters of a source line that are shown


def valid(problems: Sequence[Problem]) -> bool:
    """Whether there is no error among them; warnings are allowed."""
    return all(problem.severity is not Severity.ERROR for problem in problems)


def body(problems: Sequence[Problem]) -> dict[str, Value]:
    """The keys of `validate -o json`."""
    return {"valid": valid(problems), "problems": [item(problem) for problem in problems]}


def item(problem: Problem) -> dict[str, Value]:
    """One problem, every key there."""
    return {
        "severity": str(problem.severity),
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "path": problem.path or None,
        "message": problem.message,
        "hint": problem.hint or None,
    }


def listing(problems: Sequence[Problem], paper: Paper = PLAIN) -> str:
    """All problems as text: place, path, message, the line itself with a caret, the hint."""
    return "".join(one(problem, paper) for problem in problems)


def one(problem: Problem, paper: Paper = PLAIN) -> str:
    """One problem as text, each line ended by a newline."""
    place = paper.paint(f"{safe(problem.file)}:{problem.line}:{problem.column}:", "bold")
    path = f" {safe(problem.path)}:" if problem.path else ""
    warning = paper.paint(" warning:", "warn") if problem.severity is Severity.WARNING else ""
    style = "warn" if warning else "bad"
    lines = [f"{place}{path}{warning} {paper.paint(safe(problem.message), '' if warning else style)}"]
    number = str(problem.line)
    blank = " " * len(number)
    if problem.excerpt.strip():
        shown, caret = _window(problem.excerpt, problem.column)
        lines.append(paper.paint(f"  {number} | ", "dim") + shown)
        lines.append(paper.paint(f"  {blank} | ", "dim") + " " * caret + paper.paint("^", style))
    if problem.hint:
        lines.append(paper.paint(f"  {blank} = ", "dim") + paper.paint(safe(problem.hint), "note"))
    return "\n".join(lines) + "\n"


def summary(problems: Sequence[Problem]) -> str:
    """One sentence: how many, in how many files."""
    errors = sum(problem.severity is Severity.ERROR for problem in problems)
    warnings = len(problems) - errors
    files = len({problem.file for problem in problems})
    counts = [
        f"{count} {word}{'s' * (count != 1)}" for count, word in ((errors, "error"), (warnings, "warning")) if count
    ]
    if not counts:
        return "valid: no problems"
    return f"{'invalid' if errors else 'valid'}: {', '.join(counts)} in {files} file{'s' * (files != 1)}"


def github(problems: Sequence[Problem]) -> str:
    """Workflow commands: GitHub shows them at the lines of a pull request."""
    return "".join(_command(problem) + "\n" for problem in problems)


def _command(problem: Problem) -> str:
    message = f"{problem.path}: {problem.message}" if problem.path else problem.message
    if problem.hint:
        message += f"\n{problem.hint}"
    file = _data(problem.file).replace(":", "%3A").replace(",", "%2C")
    return f"::{problem.severity} file={file},line={problem.line},col={problem.column}::{_data(message)}"


def _data(value: str) -> str:
    """A message as GitHub reads it back; other control characters are spelled out."""
    value = value.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return safe(value)


def _window(excerpt: str, column: int) -> tuple[str, int]:
    """The part of a source line around `column`, and the cell under which the caret stands."""
    excerpt = excerpt.rstrip("\r\n")
    at = min(max(column - 1, 0), len(excerpt))
    start = 0 if at < WINDOW else at - WINDOW // 2
    left = "…" if start else ""
    right = "…" if len(excerpt) > start + WINDOW else ""
    shown = left + safe(excerpt[start : start + WINDOW]) + right
    return shown, cells(left + safe(excerpt[start:at]))
