"""What `.reconcilerignore` leaves out; one that is wrong now stands as it was, so that nothing begins that it hid.

Pathspec is imported only when there is such a file.
"""

import re
import warnings
from collections.abc import Sequence
from typing import NamedTuple

from reconciler.load.documents import MOST_PROBLEMS, Parser
from reconciler.load.excerpt import excerpt
from reconciler.load.files import IGNORE, LeftOut, nothing, wrong
from reconciler.load.git_objects import Entry
from reconciler.load.history import History, Read, once
from reconciler.load.text import Unread, text
from reconciler.model.problem import Problem

MOST = 1000  # lines; every file is compared with each
STARS = 3  # in one name
FOLDERS = 2  # `**` in one pattern


class Ignored(NamedTuple):
    """What is left out, and what is wrong with how that is said."""

    left_out: LeftOut = nothing
    problems: tuple[Problem, ...] = ()


def ignored(entries: Sequence[Entry], prefix: str, read: Read, history: History, parser: Parser) -> Ignored:
    """Take the files of a commit, the fleet's folder, and how to read files and their past; return what is left out."""
    path = f"{prefix}{IGNORE}"
    entry = next((entry for entry in entries if entry.path == path), None)
    if entry is None:
        return Ignored()
    said = wrong(entry)
    if said:
        now = Ignored(nothing, (Problem(path, 1, 1, "", said[0], "write the patterns into a file of that name"),))
    else:
        now = understood(path, read([entry.blob])[entry.blob])
    if not now.problems:
        return now

    def walk() -> Ignored | None:
        for _commit, blobs in history([path]):
            for blob in blobs.values():
                before = understood(path, read([blob])[blob])
                if not before.problems:
                    return before
        return None

    last: Ignored | None = once(parser, ("ignore", path, entry.blob), walk)
    return now._replace(left_out=last.left_out) if last else now


def understood(path: str, data: bytes) -> Ignored:
    """Take the path and bytes of a `.reconcilerignore`; return its patterns but for those that mean nothing."""
    from pathspec import GitIgnoreSpec

    try:
        lines = text(data).splitlines()
    except Unread as why:
        return Ignored(nothing, (Problem(path, *why.mark, "", why.message, why.hint),))
    if len(lines) > MOST:
        return Ignored(nothing, (Problem(path, MOST + 1, 1, "", f"more than {MOST} lines", "name folders, not files"),))
    wrong_ones = {number: said for number, line in enumerate(lines, 1) if (said := _trouble(line))}
    good = [line for number, line in enumerate(lines, 1) if number not in wrong_ones]
    hint = "write it as in .gitignore, or remove the line"
    problems = (
        Problem(path, number, 1, "", said, hint, excerpt=excerpt(lines, number))
        for number, said in list(wrong_ones.items())[:MOST_PROBLEMS]
    )
    return Ignored(GitIgnoreSpec.from_lines(good).match_file if any(map(str.strip, good)) else nothing, tuple(problems))


def _trouble(line: str) -> str:
    """Why a line is no pattern; empty when it is one. Stars are counted: to look for many takes for ever."""
    from pathspec import GitIgnoreSpec

    if not line.strip() or line.startswith("#"):
        return ""
    names = line.split("/")
    if any((name.strip("*") and name.count("*") > STARS) or (len(name) > 2 and not name.strip("*")) for name in names):
        return f"a pattern has at most {STARS} `*` in the name of a file or folder"
    if names.count("**") > FOLDERS:
        return f"a pattern has at most {FOLDERS} `**`"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            (pattern,) = GitIgnoreSpec.from_lines([line]).patterns
        except (ValueError, re.error, FutureWarning):
            return "this pattern is not understood"
    return "" if pattern.include is not None else "this pattern is not understood"
