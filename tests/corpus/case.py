"""Reads a case of the corpus: a fleet that is wrong somewhere, and what its user is told.

    # why this is here
    tasks/a.yaml:6:3 spec.timout unknown key | did you mean timeout?
    incomplete
    === tasks/a.yaml
    apiVersion: …

Above the first `===` stand the problems: `file:line:column path message | hint`, without the file when it is `f.yaml`
and with `-` where there is no path. Then, a line each:

    incomplete     nobody knows all names, so nothing may be pruned
    gone NAME      what no file declares any more: the file says plainly that it is another one now
    new NAME       a task that a file declares well beside what is wrong (`t*`: many)
    without NAME   this file of the good fleet is not there

Each `=== PATH WORDS` begins a file, `f.yaml` without a path; `\\xNN` in a path is a byte. WORDS say what no plain text can:

    before         what this file was when all was well; else it declared what it declares now, without a mistake
    symlink        its content is where it leads
    submodule      a commit of another repository
    mode 100664    an odd mode, as other programs than git write it (alone in its folder)
    as ENCODING    `utf-16`, `latin-1` …
    escaped        `\\t`, `\\r`, `\\x00`, `\\u202e` in the content are what they mean, and `=\\*9` is `=========`
    times N        the content is repeated N times; `NNNNN` in it, and in the path, counts
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

PLACE = "f.yaml"  # of what a case does not place
FOLDER = Path(__file__).parent
HEAD = re.compile(rb"^===(?: (.*))?\n", re.MULTILINE)
COUNTER = b"NNNNN"
ENCODINGS = {"utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "cp1252", "shift-jis"}


@dataclass(frozen=True, slots=True)
class File:
    """A file of a case, as git stores it; `plain`: it is as it stands in the case."""

    path: bytes
    content: bytes
    mode: str = "100644"
    plain: bool = True


@dataclass(frozen=True, slots=True)
class Case:
    """What is committed, what it was before, and what is expected."""

    name: str
    problems: tuple[str, ...]
    files: tuple[File, ...]
    before: tuple[File, ...]
    incomplete: bool = False
    gone: frozenset[str] = field(default=frozenset())
    new: frozenset[str] = field(default=frozenset())
    without: frozenset[bytes] = field(default=frozenset())


def cases() -> list[Case]:
    """Every case, by topic and name."""
    return [read(path) for path in sorted(FOLDER.glob("*/*.case"))]


def read(path: Path) -> Case:
    """Take a file and return its case. Raises AssertionError for words that mean nothing."""
    top, *parts = HEAD.split(path.read_bytes())
    lines = [line for line in top.decode().splitlines() if not line.startswith("#")]
    said = [line.split() for line in lines if re.match(r"(incomplete$|gone \S+$|new \S+$|without \S+$)", line)]
    problems = tuple(line for line in lines if line.split() not in said)
    now: list[File] = []
    before: list[File] = []
    for head, content in zip(parts[::2], parts[1::2], strict=True):
        words = shlex.split((head or b"").decode()) or [PLACE]
        (before if "before" in words else now).extend(_files(words[0], words[1:], content))
    return Case(
        f"{path.parent.name}/{path.stem}",
        problems,
        tuple(now),
        tuple(before),
        ["incomplete"] in said,
        frozenset(words[1] for words in said if words[0] == "gone"),
        frozenset(words[1] for words in said if words[0] == "new"),
        frozenset(words[1].encode() for words in said if words[0] == "without"),
    )


def _files(path: str, words: list[str], content: bytes) -> Iterator[File]:
    name = path.encode().decode("unicode_escape").encode("latin-1") if path.isascii() else path.encode()
    mode, plain, times = "100644", not {"as", "escaped", "times"} & set(words), 1
    rest = iter(words)
    for word in rest:
        match word:
            case "before":
                pass
            case "symlink":
                mode, content = "120000", content.removesuffix(b"\n")
            case "submodule":
                mode = "160000"
            case "mode":
                mode = next(rest)
            case "as":
                encoding = next(rest)
                assert encoding in ENCODINGS, encoding
                content = content.decode().encode(encoding)
            case "escaped":
                content = _unescaped(content.removesuffix(b"\n"))
            case "times":
                times = int(next(rest))
                content = (
                    content.removesuffix(b"\n") if b"\n" not in content[:-1] and COUNTER not in content else content
                )
            case _:
                raise AssertionError(f"{path}: {word} means nothing")
    if COUNTER not in name:
        copies = (
            (content.replace(COUNTER, b"%05d" % n) for n in range(times)) if COUNTER in content else [content * times]
        )
        yield File(name, b"".join(copies), mode, plain)
        return
    for number in range(times):
        counted = b"%05d" % number
        yield File(name.replace(COUNTER, counted), content.replace(COUNTER, counted), mode, plain)


def _unescaped(content: bytes) -> bytes:
    """`\\xNN` is a byte; the other escapes are characters."""
    meant = re.compile(rb"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|([nrt\\]))")
    plain = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"\\": b"\\"}

    def one(found: re.Match[bytes]) -> bytes:
        if found[1]:
            return bytes([int(found[1], 16)])
        return chr(int(found[2], 16)).encode("utf-8", "surrogatepass") if found[2] else plain[found[3]]

    plainer = re.sub(rb"(.)\\\*([0-9]+)", lambda found: found[1] * int(found[2]), content)
    return meant.sub(one, plainer)
