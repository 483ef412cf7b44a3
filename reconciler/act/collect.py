"""Bring results and logs home: bytes from an offset on, in portions, until there is no more."""

from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass

from reconciler.agents.values import decoded, parse
from reconciler.errors import ReconcilerError
from reconciler.model.host import Host
from reconciler.remote.transport import Remote, Unknown

PORTION = 4 << 20  # bytes of logs in one call, shared by its runs
SPEED = 1 << 20  # bytes a second below which a call is given up
TOGETHER = 16  # runs in one call
LARGEST = 1 << 20  # bytes of whatever is sent as a whole
LONGEST_LOG = 64 << 20  # bytes of a log: its host cuts it before

ASKED = "run.json"  # comes before everything else of its run

# The frames of `collect` and the file each belongs to.
FILES = {
    "asked": ASKED,
    "answer": "answer.json",
    "blocked": "blocked.md",
    "phase_log": "supervisor.log",
    "qa": "qa.tsv",
    "qa_log": "qa.log",
}
LOGS = {"stdout": "stdout.log", "stderr": "stderr.log", "events": "events.jsonl"}


@dataclass(frozen=True, slots=True)
class Portion:
    """Bytes of one file of a run; `offset` None replaces the file as a whole; `more`: others follow."""

    run: str
    file: str
    offset: int | None
    data: bytes
    more: bool = False


class CollectFailed(ReconcilerError):
    """The host did not answer; what has arrived so far stands."""


def collect(
    remote: Remote,
    host: Host,
    directories: Mapping[str, str],
    have: Callable[[str, str], int],
    held: Container[str] = (),
    *,
    portion: int = PORTION,
) -> Iterator[Portion]:
    """Portions of everything that runs left; `have(run, file)` is the size already here, asked before each portion.

    `directories`: run → where it lies; `held`: runs of which no more is wanted, it may grow. A few runs travel
    in one call, and again as long as logs go on. Raises CollectFailed.
    """
    runs = sorted(directories)
    for start in range(0, len(runs), TOGETHER):
        some = {run: directories[run] for run in runs[start : start + TOGETHER]}
        yield from _together(remote, host, some, have, held, portion)


def most(runs: int, portion: int = PORTION) -> int:
    """Takes how many runs are asked for at once; returns how many bytes the answer may have."""
    return len(LOGS) * portion + runs * (len(FILES) + 1) * LARGEST


def _together(
    remote: Remote,
    host: Host,
    directories: Mapping[str, str],
    have: Callable[[str, str], int],
    held: Container[str],
    portion: int,
) -> Iterator[Portion]:
    left = set(directories)
    while left:
        offsets = {run: {log: have(run, file) for log, file in LOGS.items()} for run in left}
        limit = max(1, portion // len(left))
        fields: list[tuple[str, bytes | str]] = [("root", host.workspace_root), ("prelude", ""), ("limit", str(limit))]
        for run in sorted(left):
            fields.append(("run", directories[run]))
            fields += [(f"{log}_from", str(offset)) for log, offset in offsets[run].items()]
        deadline, cap = host.deadline + portion / SPEED, most(len(left), portion)
        reply = remote.call(host, "collect", fields, deadline=deadline, repeatable=True, cap=cap)
        if isinstance(reply, Unknown):
            raise CollectFailed(reply.why)
        if reply.code != 0:
            raise CollectFailed(reply.sentence("error") or f"refused with code {reply.code}")
        frames = dict(reply.frames)
        for run in sorted(left):
            parts = list(_portions(run, frames, offsets[run], limit))
            yield from parts
            going_on = [part for part in parts if part.more]
            if not going_on or run in held:
                left.discard(run)
            elif all(have(run, part.file) == part.offset for part in going_on):
                portion *= 2  # what may be a long secret has to be seen as a whole


def secrets_of(asked: bytes) -> tuple[str, ...]:
    """Takes run.json; returns the names of the secrets that the run was given, none when it cannot be read."""
    said = parse(decoded(asked))
    names = said.get("secrets") if isinstance(said, dict) else None
    return tuple(name for name in names if isinstance(name, str)) if isinstance(names, list) else ()


def _portions(run: str, frames: Mapping[str, bytes], offsets: Mapping[str, int], limit: int) -> Iterator[Portion]:
    """Raises CollectFailed for more than was asked for: who sends that could fill every disk."""
    for frame, file in FILES.items():
        if data := frames.get(f"{frame}/{run}"):
            bounded(run, file, len(data), LARGEST)
            yield Portion(run, file, None, data)
    for log, file in LOGS.items():
        if data := frames.get(f"{log}/{run}"):
            bounded(run, file, len(data), limit)
            bounded(run, file, offsets[log] + len(data), LONGEST_LOG)
            yield Portion(run, file, offsets[log], data, more=len(data) >= limit)


def bounded(run: str, file: str, size: int, most: int) -> None:
    """Takes the size of what a host sent of a file; raises CollectFailed when it is more than there can be."""
    if size > most:
        raise CollectFailed(f"sent {size} bytes of {file} of {run}, which has {most} at most: see what is on that host")
