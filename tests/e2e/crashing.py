"""The program, killed at one boundary of its effects: `python -m tests.e2e.crashing FOLDER AT WORDS…`.

A boundary is the moment before, and the moment after, each transaction of the ledger, each call to a host and each write
of a collected file. They are counted in FOLDER over all processes that are started with it; at number AT this one gets
SIGKILL. Nothing of the product knows of it: what it calls is wrapped here.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

from reconciler.cli.main import main
from reconciler.record.archive import Archive
from reconciler.record.database import Database
from reconciler.remote.transport import Remote


class Boundaries:
    """`passed` has one line for every boundary: its name."""

    def __init__(self, folder: Path, at: int) -> None:
        self._file = folder / "passed"
        self._at = at
        self._lock = Lock()
        self._count = len(self._file.read_text().splitlines()) if self._file.exists() else 0

    def reach(self, name: str) -> None:
        """Note it, and end here when it is the one."""
        with self._lock:
            self._count += 1
            with self._file.open("a") as file:
                file.write(name + "\n")
            if self._count == self._at:
                os.kill(os.getpid(), signal.SIGKILL)
                signal.pause()

    def around(self, function: Callable[..., Any], name: Callable[..., str]) -> Callable[..., Any]:
        """The function with a boundary on either side."""

        def bounded(*words: Any, **options: Any) -> Any:
            called = name(*words, **options)
            self.reach(f"before {called}")
            result = function(*words, **options)
            self.reach(f"after {called}")
            return result

        return bounded


def install(boundaries: Boundaries) -> None:
    """Put boundaries around everything that has an effect."""
    writing = Database.writing

    @contextmanager
    def bounded(self: Database, *, durable: bool = False) -> Iterator[Any]:
        boundaries.reach("before a transaction")
        with writing(self, durable=durable) as connection:
            yield connection
        boundaries.reach("after a transaction")

    Database.writing = bounded  # type: ignore[method-assign, assignment]
    Remote.call = boundaries.around(Remote.call, lambda self, host, verb, *_, **__: verb)  # type: ignore[method-assign]
    Archive.write = boundaries.around(Archive.write, lambda self, run, file, *_, **__: f"writing {file}")  # type: ignore[method-assign]


if __name__ == "__main__":
    folder, at, *words = sys.argv[1:]
    install(Boundaries(Path(folder), int(at)))
    sys.argv = ["reconciler", *words]
    main()
