"""The source line under a problem, with what may be secret left out. Pure, and it works on broken YAML too."""

import re
from collections.abc import Set

LONGEST = 160
SECRET_KEY = re.compile(r"""(?:^|[\s{,\[?])["']?(env|secrets)["']?\s*(?::(?=\s|$|[{\["'])|$)""")
LOGIN = re.compile(r"://[^\s/@:]*+:[^\s/@]*+@")  # a password in a URL; without going back, for a line may be long
ENTRY = re.compile(r"""(\s*(?:-\s+)*("[\w.-]*"|'[\w.-]*'|\w[\w.-]*)\s*:)(?:\s+(.*)|$)""")


def excerpt(lines: list[str], line: int) -> str:
    """Take the lines of a file and a line number from 1; return that line, values under env and secrets as `…`."""
    return excerpts(lines, {line}).get(line, "")


def excerpts(lines: list[str], wanted: Set[int]) -> dict[int, str]:
    """Take the lines of a file and line numbers from 1; return those of them that there are, as `excerpt` does."""
    there = {line for line in wanted if 1 <= line <= len(lines)}
    told = masked(lines[: max(there, default=0)])  # once for all of them: a file has many lines and many mistakes
    return {line: _shortened(told[line - 1]) for line in there}


def _shortened(line: str) -> str:
    text = LOGIN.sub("://…@", line)
    text = re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff]", "", text).replace("\t", " ").rstrip()
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def masked(lines: list[str]) -> list[str]:
    """Take lines and return them with everything below a key `env` or `secrets` replaced; rather too much than less."""
    shown: list[str] = []
    border: int | None = None  # the indentation of the open `env` or `secrets` key
    key = ""  # which of the two
    entry = 0  # the indentation of the variables in it; deeper lines continue a value
    flow = False  # it is in braces: indentation says nothing any more
    for text in lines:
        indent = len(text) - len(text.lstrip(" "))
        bare = text.strip()
        if border is not None and bare and _closes(text, bare, indent, border, flow):
            border = None
        if border is not None:
            entry = entry or indent
            names = ("name", "from") if key == "secrets" else ()
            shown.append(_hidden(text, indent, flow or (not names and indent > entry), names))
            continue
        found = SECRET_KEY.search(text)
        if not found or bare.startswith("#"):
            shown.append(text)
            continue
        rest = text[found.end() :].strip()
        border, key, entry = _indent_of_key(text, found.start(1)), found[1], 0
        flow = not re.match(r"""[\s"'?-]*$""", text[: found.start(1)]) or rest.startswith(("{", "["))
        shown.append(text[: found.end()] + (" …" if rest else ""))
    return shown


def _closes(text: str, bare: str, indent: int, border: int, flow: bool) -> bool:
    if text.startswith(("---", "...")):
        return True
    if flow:
        return indent <= border and re.match(r"[A-Za-z]\w*:(\s|$)", bare) is not None
    return indent < border or (indent == border and not bare.startswith(("-", ":")))


def _indent_of_key(text: str, start: int) -> int:
    before = text[:start].rstrip("\"'")
    return before.index("?") if before.strip() == "?" else len(before)


def _hidden(text: str, indent: int, wholly: bool, names: tuple[str, ...]) -> str:
    if not text.strip():
        return text
    found = ENTRY.match(text)
    if wholly or not found or (names and found[2].strip("\"'") not in names):
        return f"{' ' * indent}…"
    return f"{found[1]} …" if found[3] else found[1]
