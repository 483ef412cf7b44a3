"""One commit of the fleet repository becomes what is desired, or problems: the whole of loading in one place."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from reconciler.load.complaint import Complaint
from reconciler.load.documents import Document, ParsedFile, Parser, Slot, capped, excerpted, locate
from reconciler.load.files import Selection, printable, prompt_files, select
from reconciler.load.gather import FLEET, gather, key
from reconciler.load.git import Repository
from reconciler.load.git_command import RepositoryError
from reconciler.load.git_objects import Entry
from reconciler.load.history import History, Read, last_fit, last_good, last_readable
from reconciler.load.ignore import ignored
from reconciler.load.remembered import Remembered
from reconciler.load.resolve import resolve
from reconciler.load.signers import signers
from reconciler.load.templates import templates
from reconciler.model.desired import Desired
from reconciler.model.problem import Problem
from reconciler.model.trust import Signer


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a commit says. `desired` is None when no Fleet stands, not even an earlier one.

    `documents` are the ones that stand, for the ledger to remember: it replaces what it knows by them, or only adds
    them while `desired.complete` is False."""

    desired: Desired | None
    documents: tuple[Document, ...]
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class _Version:
    """A commit, or the work tree as it is now: its files and how to read them and their past."""

    revision: str
    prefix: str
    entries: Sequence[Entry]
    read: Read
    history: History
    at: Callable[[str], Sequence[Entry]]  # the files of an earlier commit


def load(
    repository: Repository, commit: str, parser: Parser, remembered: Mapping[Slot, Document | str] | None = None
) -> Loaded:
    """Take a commit id and the good documents that the ledger remembers (or their texts); return what the commit says.

    Raises RepositoryError when the repository itself cannot be read."""
    version = _Version(
        commit,
        repository.prefix,
        repository.files(commit),
        repository.read,
        lambda paths: repository.history(paths, commit),
        repository.files,
    )
    return _load(version, parser, remembered or {})


def load_worktree(
    repository: Repository, parser: Parser, remembered: Mapping[Slot, Document | str] | None = None
) -> Loaded:
    """As `load`, for the files of the work tree as they are now; `revision` is the commit below them, if any."""
    entries, contents = repository.worktree_files()
    try:
        commit = repository.resolve()
    except RepositoryError:
        commit = ""  # nothing was committed yet

    def read(blobs: Sequence[str]) -> Mapping[str, bytes]:
        older = [blob for blob in blobs if blob not in contents]
        return {**contents, **repository.read(older)}

    version = _Version(
        commit,
        repository.prefix,
        entries,
        read,
        lambda paths: repository.history(paths, commit) if commit else iter(()),
        repository.files,
    )
    return _load(version, parser, remembered or {})


def signers_at(repository: Repository, commit: str, parser: Parser) -> tuple[Signer, ...] | None:
    """Take a commit id and return whom the Fleet in it allows to make the next; None when no Fleet is read in it."""
    entries = repository.files(commit)
    ignoring = ignored(
        entries, repository.prefix, repository.read, lambda paths: repository.history(paths, commit), parser
    )
    selection = select(entries, repository.prefix, ignoring.left_out)
    files = parser.parse([(entry.path, entry.blob) for entry in selection.files], repository.read)
    found = gather(files).good.get(FLEET)
    return signers(found.spec) if found else None


def _load(version: _Version, parser: Parser, ledger: Mapping[Slot, Document | str]) -> Loaded:
    remembered = Remembered(ledger)
    ignoring = ignored(version.entries, version.prefix, version.read, version.history, parser)
    selection = select(version.entries, version.prefix, ignoring.left_out)
    files = parser.parse([(entry.path, entry.blob) for entry in selection.files], version.read)
    unreadable = (*selection.unreadable, *(file.path for file in files if not file.known))
    complete = not unreadable
    gathered = gather(files)
    blobs = {entry.path: entry.blob for entry in version.entries}
    stands: dict[Slot, Document] = {}
    for slot in gathered.bad:
        paths = gathered.paths[slot]
        ids = [blobs[path] for path in paths]
        last = remembered.get(slot) or last_good(slot, paths, ids, version.history, version.read, parser)
        if last:
            stands[slot] = last
    reasons = dict(gathered.bad)
    for path in unreadable:
        for document in _declared_by(path, blobs.get(path, ""), version, parser, remembered):
            slot = key(document.slot)
            if slot not in gathered.good and slot not in reasons:
                stands[slot], reasons[slot] = document, f"{path} cannot be read"
    prompts = prompt_files(version.entries, version.prefix, ignoring.left_out)
    own = templates(prompts, version.prefix, version.read, version.history, parser)
    resolved = resolve(gathered.good, reasons, stands, remembered, complete, parser, own)
    unfit = {slot: gathered.good[slot] for slot in sorted(resolved.unfit - remembered.keys())}
    earlier = last_fit(unfit, version.history, lambda commit: _fit(version, commit), parser)
    if earlier:
        remembered = remembered | earlier
        resolved = resolve(gathered.good, reasons, stands, remembered, complete, parser, own)
    own.finish()
    problems = _problems(version, selection, files, [*gathered.complaints, *resolved.complaints])
    problems = tuple(sorted((*problems, *own.problems, *ignoring.problems)))
    if FLEET not in gathered.good and FLEET not in gathered.bad:
        problems = (*problems, _no_fleet(version.prefix))
        if resolved.fleet is None and FLEET in remembered:
            kept = {**stands, FLEET: remembered[FLEET]}
            resolved = resolve(gathered.good, reasons, kept, remembered, complete, parser, own)
    if resolved.fleet is None:
        return Loaded(None, resolved.documents, problems)
    desired = Desired(
        version.revision,
        resolved.fleet,
        resolved.hosts,
        resolved.tasks,
        resolved.projects,
        resolved.agents,
        own.texts,
        frozen=resolved.frozen,
        invalid=resolved.invalid,
        complete=complete,
        problems=problems,
        unreadable=tuple(sorted(unreadable)),
    )
    return Loaded(desired, resolved.documents, problems)


def _fit(version: _Version, commit: str) -> Mapping[Slot, Document]:
    """The documents of an earlier commit with which nothing was wrong there, neither alone nor beside the others."""
    entries, parser = version.at(commit), Parser()
    ignoring = ignored(entries, version.prefix, version.read, version.history, parser)
    selection = select(entries, version.prefix, ignoring.left_out)
    files = parser.parse([(entry.path, entry.blob) for entry in selection.files], version.read)
    gathered, complete = gather(files), not selection.unreadable and all(file.known for file in files)
    prompts = prompt_files(entries, version.prefix, ignoring.left_out)
    own = templates(prompts, version.prefix, version.read, version.history, parser)
    resolved = resolve(gathered.good, gathered.bad, {}, {}, complete, parser, own)
    return {slot: document for slot, document in gathered.good.items() if slot not in resolved.unfit}


def _declared_by(
    path: str, blob: str, version: _Version, parser: Parser, remembered: Mapping[Slot, Document]
) -> Sequence[Document]:
    known = [document for document in remembered.values() if document.source.file == path]
    if printable(path) != path:
        return known  # its name was never right
    return known or last_readable(path, blob, version.history, version.read, parser)


def _problems(
    version: _Version,
    selection: Selection,
    files: Sequence[ParsedFile],
    complaints: Sequence[tuple[Document, Complaint]],
) -> tuple[Problem, ...]:
    by_file = {file.path: file.problems for file in files if file.problems}
    at: dict[tuple[str, str], list[tuple[int, Complaint]]] = {}
    for document, complaint in complaints:
        at.setdefault((document.source.file, document.blob), []).append((document.index, complaint))
    contents = version.read(sorted({blob for _, blob in at})) if at else {}
    for (path, blob), found in at.items():
        data = contents[blob]
        by_file[path] = excerpted([*by_file.get(path, ()), *locate(path, data, found)], data)
    problems = list(selection.problems)
    for found_here in by_file.values():
        problems += capped(found_here)
    return tuple(sorted(problems))


def _no_fleet(prefix: str) -> Problem:
    hint = "write one with `reconciler init`, or name the fleet's folder with -C"
    return Problem(prefix.rstrip("/") or ".", 1, 1, "", "there is no Fleet document", hint)
