"""What is written on: how wide it is, whether it takes colour; and text laid out in columns."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from unicodedata import category, combining, east_asian_width

GAP = "   "
_CODES = {"good": "32", "bad": "31", "warn": "33", "note": "36", "dim": "2", "bold": "1"}


@dataclass(frozen=True, slots=True)
class Paper:
    """`width` None: as wide as the text, for pipes and files."""

    width: int | None = None
    color: bool = False

    def paint(self, text: str, style: str) -> str:
        """`text` in one of the styles `good bad warn note dim bold`; as it is when there is no colour or no style."""
        return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if self.color and text and style else text


PLAIN = Paper()


class Cell(NamedTuple):
    """One field of a table; its text is already safe."""

    text: str
    style: str = ""


def columns(rows: Iterable[Sequence[Cell]], paper: Paper = PLAIN, indent: str = "") -> list[str]:
    """Take rows of equal length; return a line for each, columns aligned, the last one cut to the paper's width."""
    table = [list(row) for row in rows]
    widths = [max(cells(row[index].text) for row in table) for index in range(len(table[0]) - 1)] if table else []
    left = len(indent) + sum(widths) + len(GAP) * len(widths)
    lines = []
    for row in table:
        *before, last = row
        padded = [
            paper.paint(cell.text, cell.style) + " " * (width - cells(cell.text))
            for cell, width in zip(before, widths, strict=True)
        ]
        # A column of under 20 cells says nothing: rather let the terminal wrap the line.
        room = None if paper.width is None or paper.width - left < 20 else paper.width - left
        padded.append(paper.paint(cut(last.text, room), last.style))
        lines.append((indent + GAP.join(padded)).rstrip(" "))
    return lines


def cut(text: str, room: int | None) -> str:
    """`text` in at most `room` cells, with `…` at the end when something was left out."""
    if room is None or cells(text) <= room:
        return text
    kept = text[: room - 1]
    while cells(kept) > room - 1:
        kept = kept[:-1]
    return kept + "…"


def cells(text: str) -> int:
    """How many cells of a terminal `text` takes: two for a wide character, none for what joins the one before."""
    if text.isascii():
        return len(text)
    return sum(_width(char) for char in text)


def _width(char: str) -> int:
    if combining(char) or category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if east_asian_width(char) in "WF" else 1
