"""Figure 8: what it costs to read a commit, the first time and when one file of it changed."""

import gc
import json
import time
from collections.abc import Iterator

from ruamel.yaml import YAML

from benchmarks.figure import Figure, Goal, Scale
from benchmarks.turns import timed
from benchmarks.written import path, repository_of, task
from reconciler.cli.main import COLLECT_AFTER
from reconciler.engine.desired import Wanted
from reconciler.load.git import open_repository
from reconciler.model.desired import Desired
from reconciler.record.ledger import Ledger
from tests.load.repositories import Work

LARGEST = 10_000  # files, as many as a fleet may have; of that size are the goals
PEER = "ruamel round trip"


def measure(scale: Scale) -> Iterator[Figure]:
    """1x, 3x and 10x; the largest beside what a parser alone takes that keeps comments."""
    before = gc.get_threshold()
    gc.set_threshold(COLLECT_AFTER)  # as the command does
    try:
        largest = scale.pick(LARGEST, LARGEST // 10)
        for files in (largest // 10, 3 * largest // 10, largest):
            yield from read(files, scale, alone=files < largest)
    finally:
        gc.set_threshold(*before)


def read(files: int, scale: Scale, *, alone: bool) -> Iterator[Figure]:
    """Takes a number of files; gives the figures of a fleet of that size. `alone`: beside nothing."""
    with repository_of(files) as work, Ledger.open(work.path.parent / "ledger.db") as ledger:
        wanted = opened(work)
        first = [timed(lambda: opened(work).read(ledger))() for _ in range(scale.pick(5, 2))]
        known, documents = wanted.read(ledger)
        ledger.remember_documents({document.slot: json.dumps(document.to_json()) for document in documents})
        others = {} if alone else {PEER: (round_trip(work, files),)}
        goals = (Goal(6.0),) if files == LARGEST else ()
        yield Figure(8, f"first read of {files:,} files", "s", tuple(first), others, goals, key=f"read-{files}")
        again = edits(work, wanted, ledger, known, scale.pick(20, 10))
        goals = (Goal(0.3),) if files == LARGEST else ()
        yield Figure(8, f"one of {files:,} files changed", "s", again, others, goals, key=f"reread-{files}")


def opened(work: Work) -> Wanted:
    """The repository as a controller that has just started has it."""
    return Wanted(open_repository(str(work.path), work.path.parent / "state"), "main")


def edits(work: Work, wanted: Wanted, ledger: Ledger, known: Desired, times: int) -> tuple[float, ...]:
    """Commits an edit of one file each, and returns how long it takes to read it."""
    samples = []
    for number in range(1, times + 1):
        work.commit({path(number): task(number) + "  rerun: again\n"})
        began = time.perf_counter()
        known, documents = wanted.read(ledger, known)
        samples.append(time.perf_counter() - began)
        assert len(known.tasks) == len(documents) - 11, known.problems  # beside the tasks: a Fleet and its hosts
    return tuple(samples)


def round_trip(work: Work, files: int) -> float:
    """Seconds for the same texts in a parser that does nothing else."""
    texts = [(work.path / path(number)).read_text() for number in range(files)]
    began = time.perf_counter()
    for text in texts:
        list(YAML().load_all(text))
    return time.perf_counter() - began
