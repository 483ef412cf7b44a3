"""Which files of a commit are documents, and which must not be there. Pure."""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from reconciler.load.git_objects import Entry
from reconciler.load.text import LARGEST
from reconciler.model.problem import Problem, Severity

MOST = 10_000
SUFFIXES = (".yaml", ".yml")
PROMPTS = "prompts/"
PROMPT_SUFFIXES = (".md.j2", ".md")  # the first one wins
IGNORE = ".reconcilerignore"
UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]"
)  # or turning text around
MODES = {"120000": "a symlink", "160000": "a submodule"}


LeftOut = Callable[[str], bool]  # of a path below the fleet's folder


def nothing(_path: str) -> bool:
    """What is left out where nothing says what."""
    return False


class Selection(NamedTuple):
    """The files to read, the problems of the others, and the paths that hold nobody knows what."""

    files: tuple[Entry, ...]
    problems: tuple[Problem, ...]
    unreadable: tuple[str, ...]


def select(entries: Sequence[Entry], prefix: str, left_out: LeftOut = nothing) -> Selection:
    """Take the files of a commit, the fleet's folder, and what is left out of it; return what to read."""
    files: list[Entry] = []
    problems: list[Problem] = []
    unreadable: list[str] = []
    for entry in entries:
        path = entry.path
        if not path.startswith(prefix):
            continue
        inside = path[len(prefix) :]
        if inside.startswith(".") or "/." in inside:
            if inside.endswith(f"/{IGNORE}"):
                problems.append(
                    _warning(path, "only the one in the fleet's own folder is read", f"move its lines to {IGNORE}")
                )
            continue
        if left_out(inside):
            continue
        if not _concerns(entry):
            if path.lower().endswith(SUFFIXES) and entry.mode.startswith("100"):
                problems.append(
                    _warning(printable(path), "the file is not read", "let its name end in .yaml, in small letters")
                )
            continue
        refused = wrong(entry) or (len(files) >= MOST and (f"more than {MOST} files", "split the fleet"))
        if not refused:
            files.append(entry)
            continue
        unreadable.append(path)
        if len(files) < MOST or not problems or problems[-1].message != refused[0]:
            problems.append(Problem(printable(path), 1, 1, "", *refused))
    return Selection(tuple(files), (*problems, *_alike(files)), tuple(unreadable))


def prompt_files(entries: Sequence[Entry], prefix: str, left_out: LeftOut = nothing) -> tuple[Entry, ...]:
    """Take what `select` takes and return the files that prompt templates are in, right or wrong."""
    folder = f"{prefix}{PROMPTS}"
    found = [e for e in entries if e.path.startswith(folder) and is_prompt(e.path[len(prefix) :])]
    return tuple(e for e in found if not left_out(e.path[len(prefix) :]))


def is_prompt(inside: str) -> bool:
    """Take a path below the fleet's folder and return whether it is where prompt templates are."""
    folder, _, file = inside.rpartition("/")
    return f"{folder}/" == PROMPTS and file.endswith(PROMPT_SUFFIXES) and not file.startswith(".")


def printable(path: str) -> str:
    """Return a path as it can be shown: bytes that are not UTF-8 and control characters are written out."""
    escaped = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return UNSEEN.sub(
        lambda found: f"\\u{ord(found[0]):04x}" if found[0] > "\xff" else f"\\x{ord(found[0]):02x}", escaped
    )


def _alike(files: Sequence[Entry]) -> Iterator[Problem]:
    """What is one file where capitals, or how an accent is written, make no difference."""
    first: dict[str, str] = {}
    for file in files:
        plain = file.path if file.path.isascii() else unicodedata.normalize("NFC", file.path)
        other = first.setdefault(plain.casefold(), file.path)
        if other != file.path:
            said = f"on macOS and Windows this is the same file as {printable(other)}"
            yield _warning(file.path, said, "rename one of them")


def _warning(path: str, message: str, hint: str) -> Problem:
    return Problem(path, 1, 1, "", message, hint, Severity.WARNING)


def _concerns(entry: Entry) -> bool:
    if entry.path.endswith(SUFFIXES) or entry.mode == "160000":
        return True
    return entry.mode == "120000" and "." not in entry.path.rpartition("/")[2]  # it may lead to a folder


def wrong(entry: Entry) -> tuple[str, str] | None:
    """Take a file and return why it is not read, and what to do; None when it is."""
    hint = f"remove it, or name it in {IGNORE}"
    if entry.mode in MODES:
        return f"{MODES[entry.mode]} is not followed", hint
    if entry.mode not in ("100644", "100755"):
        return f"the file mode {entry.mode} is refused", "commit it with mode 100644"
    if printable(entry.path) != entry.path:
        return "the file's name is not printable UTF-8", "rename it"
    if entry.size > LARGEST:
        return f"the file has {entry.size} bytes, more than {LARGEST}", "split it, or keep data elsewhere"
    return None
