"""Every broken file in `bad/` gives exactly the problems written above it: line:column path message | hint."""

from pathlib import Path

import pytest

from reconciler.load.documents import parse_file
from reconciler.model.problem import Problem

CASES = sorted((Path(__file__).parent / "bad").glob("*.case"))


def shown(problem: Problem) -> str:
    hint = f" | {problem.hint}" if problem.hint else ""
    return f"{problem.line}:{problem.column} {problem.path or '-'} {problem.message}{hint}"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_a_broken_file(case: Path) -> None:
    expected, content = case.read_bytes().split(b"\n===\n", 1)
    parsed = parse_file("f.yaml", "0" * 40, content)
    assert [shown(problem) for problem in parsed.problems] == expected.decode().splitlines()
    lines = content.decode().splitlines()
    for problem in parsed.problems:
        assert 1 <= problem.line <= len(lines)
        assert "s3cret" not in repr(problem)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_windows_line_ends_and_a_byte_order_mark_move_no_problem(case: Path) -> None:
    _, content = case.read_bytes().split(b"\n===\n", 1)
    plain = parse_file("f.yaml", "0" * 40, content)
    dressed = parse_file("f.yaml", "0" * 40, b"\xef\xbb\xbf" + content.replace(b"\n", b"\r\n"))
    assert dressed.problems == plain.problems


def test_there_are_enough_of_them() -> None:
    assert len(CASES) > 170


CODE = 'is not allowed in a file | write it as "\\u…" in quotes, or remove it'

RAW = {
    "a depth bomb of brackets": (b"[" * 30_000, "1:65 - more than 64 levels inside each other"),
    "a depth bomb of braces": (b"{a: " * 60_000, "1:257 - more than 64 levels inside each other"),
    "a depth bomb of dashes": (b"- " * 120_000, "1:129 - more than 64 levels inside each other"),
    "a depth bomb of question marks": (b"? " * 100_000, "1:129 - more than 64 levels inside each other"),
    "too many values": (b"- a\n" * 60_000, "50000:3 - more than 50000 values in one file | split it"),
    "a large file": (
        b"#" * 300_000,
        "1:1 - the file has 300000 bytes, more than 262144 | split it, or keep data elsewhere",
    ),
    "UTF-16": ("a: b".encode("utf-16"), "1:1 - the file is not UTF-8 | save it as UTF-8"),
    "Latin-1": ("a: b\nc: dé".encode("latin-1"), "2:5 - the file is not UTF-8 | save it as UTF-8"),
    "a NUL byte": (
        b"a: b\0c",
        f"1:5 - the character U+0000 {CODE}",
    ),
    "an escape": (
        b"a: \x1b[31m",
        f"1:4 - the character U+001B {CODE}",
    ),
    "a line separator": (
        "a: b\u2028c".encode(),
        f"1:5 - the character U+2028 {CODE}",
    ),
    "a lone carriage return": (
        b"a: b\rc: d",
        f"1:5 - the character U+000D {CODE}",
    ),
    "an empty file": (b"", "1:1 - the file declares nothing | remove the file, or name it in .reconcilerignore"),
    "empty documents": (
        b"---\n---\n",
        "1:1 - the file declares nothing | remove the file, or name it in .reconcilerignore",
    ),
}


@pytest.mark.parametrize("content, expected", RAW.values(), ids=RAW)
def test_a_file_that_is_no_document(content: bytes, expected: str) -> None:
    parsed = parse_file("f.yaml", "0" * 40, content)
    assert [shown(problem) for problem in parsed.problems] == [expected]
    assert not parsed.known
    assert all(len(problem.excerpt) <= 161 for problem in parsed.problems)


def test_an_alias_bomb_is_refused_without_being_expanded() -> None:
    bomb = b"a: &a [x, x]\n" + b"".join(b"%c: &%c [*%c, *%c]\n" % (i + 1, i + 1, i, i) for i in range(97, 120))
    assert len(parse_file("f.yaml", "0" * 40, bomb).problems) == 21


def test_what_stands_before_a_syntax_error_is_still_declared() -> None:
    good = b"apiVersion: reconciler/v1\nkind: Task\nmetadata: {name: a}\nspec: {run: make}\n---\n"
    parsed = parse_file("f.yaml", "0" * 40, good + b"a: b: c\n")
    assert [document.name for document in parsed.documents] == ["a"]
    assert not parsed.known
