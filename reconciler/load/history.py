"""The newest good version of what is bad now, found in the history of its files."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from reconciler.load.documents import Document, ParsedFile, Parser, Slot, parse_file
from reconciler.load.gather import key

History = Callable[[Sequence[str]], Iterator[tuple[str, Mapping[str, str]]]]
Read = Callable[[Sequence[str]], Mapping[str, bytes]]


def last_good(
    slot: Slot, paths: Sequence[str], blobs: Sequence[str], history: History, read: Read, parser: Parser
) -> Document | None:
    """Return the newest version of a slot that its files declared exactly once and well; None when there is none."""

    def walk() -> Document | None:
        for files in _versions(paths, history, read):
            found = [document for file in files for document in file.documents if key(document.slot) == slot]
            if len(found) == 1:
                return found[0]
        return None

    found: Document | None = _once(parser, (slot, tuple(paths), tuple(blobs)), walk)
    return found


def last_readable(path: str, blob: str, history: History, read: Read, parser: Parser) -> tuple[Document, ...]:
    """Return the documents of the newest version of a file that could be read; nothing when there is none."""

    def walk() -> tuple[Document, ...]:
        for files in _versions([path], history, read):
            if files and files[0].known:
                return files[0].documents
        return ()

    found: tuple[Document, ...] = _once(parser, (path, blob), walk)
    return found


def _versions(paths: Sequence[str], history: History, read: Read) -> Iterator[list[ParsedFile]]:
    for _commit, blobs in history(paths):
        contents = read(list(blobs.values()))
        yield [parse_file(path, blob, contents[blob]) for path, blob in sorted(blobs.items())]


def _once(parser: Parser, asked: Any, walk: Callable[[], Any]) -> Any:
    """History does not change below a blob: what was found for it, or was not, is found again."""
    if asked not in parser.stood:
        parser.stood[asked] = walk()
    return parser.stood[asked]
