"""The newest good version of what is bad now, found in the history of its files."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any

from reconciler.load.documents import Document, ParsedFile, Parser, Slot, parse_file
from reconciler.load.gather import key

History = Callable[[Sequence[str]], Iterator[tuple[str, Mapping[str, str]]]]
MOST_COMMITS = 20  # loaded whole, for what does not fit the others any more
MOST_REMEMBERED = 10_000  # answers; a daemon lives long
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

    found: Document | None = once(parser, (slot, tuple(paths), tuple(blobs)), walk)
    return found


def last_readable(path: str, blob: str, history: History, read: Read, parser: Parser) -> tuple[Document, ...]:
    """Return what a file, whose present blob cannot be read, declared when it last could, each at its last good
    version; nothing when there is none."""

    def walk() -> tuple[Document, ...]:
        found: dict[Slot, Document] = {}
        wanted: set[Slot] | None = None  # what the newest readable version declares, until it is found
        for files in _versions([path], history, read):
            if not files or not files[0].known or files[0].blob == blob:
                continue
            declared = {document.slot: document for document in files[0].documents}
            if wanted is None:
                wanted = {*declared, *(bad.slot for bad in files[0].bad)}
            for slot in wanted & set(declared):
                found[slot] = declared[slot]
            wanted -= set(declared)
            if not wanted:
                break
        return tuple(found.values())

    found: tuple[Document, ...] = once(parser, (path, blob), walk)
    return found


def last_fit(
    unfit: Mapping[Slot, Document],
    history: History,
    fit: Callable[[str], Mapping[Slot, Document]],
    parser: Parser,
) -> dict[Slot, Document]:
    """Take documents that do not fit the others now, and how to tell which did at a commit; return those that did at
    a commit that changed their file, the newest such version of each."""
    found: dict[Slot, Document] = {}
    commits = {
        path: [commit for commit, _ in islice(history([path]), MOST_COMMITS)]
        for path in sorted({document.source.file for document in unfit.values()})[:MOST_COMMITS]
    }
    looked: set[str] = set()
    for slot, document in unfit.items():
        for commit in commits.get(document.source.file, ()):
            if len(looked | {commit}) > MOST_COMMITS:
                break
            looked.add(commit)
            stood: Mapping[Slot, Document] = once(parser, ("fit", commit), partial(fit, commit))
            if slot in stood:
                found[slot] = stood[slot]
                break
    return found


def _versions(paths: Sequence[str], history: History, read: Read) -> Iterator[list[ParsedFile]]:
    for _commit, blobs in history(paths):
        contents = read(list(blobs.values()))
        yield [parse_file(path, blob, contents[blob]) for path, blob in sorted(blobs.items())]


def once(parser: Parser, asked: Any, walk: Callable[[], Any]) -> Any:
    """Take a parser, a question about history and how to answer it; return the answer, found once.

    History does not change below a blob: what was found for it, or was not, is found again."""
    if len(parser.stood) > MOST_REMEMBERED:
        parser.stood.clear()
    if asked not in parser.stood:
        parser.stood[asked] = walk()
    return parser.stood[asked]
