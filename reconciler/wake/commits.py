"""Wake on a commit: local refs by watchfiles, a remote branch by polling `ls-remote`. Only a hint.

Events get lost (overflow, a folder moved away and back), so the commit ids are compared at every turn too.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Event, Thread

from reconciler.errors import ReconcilerError

POLL = 10.0  # seconds between two questions to a remote, ± a fifth; and between two looks at local refs
RESTART = 2.0  # seconds until a watcher that died, or had nothing to watch, is started again


class CommitWatch:
    """Calls `wake` when the head that `head` reads is another one than before, or cannot be read any more, or again.

    What `wake` is given says why it cannot be read; empty when it can. Called from a thread of its own.
    """

    def __init__(
        self, head: Callable[[], str], paths: Sequence[Path], wake: Callable[[str], None], known: str = ""
    ) -> None:
        """`paths`: folders and files whose change may mean a commit; empty for a remote, which is polled.

        `known`: the head that nobody has to be told of.
        """
        self._head = head
        self._paths = tuple(paths)
        self._wake = wake
        self._last, self._trouble = known, ""
        self._stop, self._now = Event(), Event()
        self._thread = Thread(target=self._run, daemon=True, name="commits")

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def look(self) -> None:
        """Ask a remote now rather than when its turn comes."""
        self._now.set()

    def stop(self) -> None:
        """End within a moment."""
        self._stop.set()
        self._now.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._compare()
            try:
                for _ in self._hints():
                    self._compare()
            except (OSError, RuntimeError, ValueError):  # no watch left to be had, a folder vanished: start over
                self._stop.wait(RESTART)

    def _compare(self) -> None:
        try:
            head, trouble = self._head(), ""
        except ReconcilerError as problem:
            head, trouble = self._last, str(problem)
        if (head, trouble) != (self._last, self._trouble) and not self._stop.is_set():
            self._last, self._trouble = head, trouble
            self._wake(trouble)

    def _hints(self) -> Iterator[None]:
        if not self._paths:
            while not self._stop.is_set():
                self._now.wait(POLL * random.uniform(0.8, 1.2))  # noqa: S311 (spreads load, no secret)
                self._now.clear()
                yield
            return
        from watchfiles import watch  # and asyncio with it, which a single cycle has no use for

        before = _identities(self._paths)
        present = [path for path in self._paths if path.exists()]
        if not present:
            self._stop.wait(RESTART)
            return
        turns = watch(
            *present,
            watch_filter=_is_ref,
            debounce=100,
            step=20,
            stop_event=self._stop,
            rust_timeout=int(POLL * 1000),
            yield_on_timeout=True,
            raise_interrupt=False,
        )
        for _ in turns:
            yield
            if _identities(self._paths) != before:
                return  # what was watched is another file by now


def _identities(paths: Sequence[Path]) -> list[tuple[int, int] | None]:
    found: list[tuple[int, int] | None] = []
    for path in paths:
        try:
            about = path.stat()
        except OSError:
            found.append(None)
        else:
            found.append((about.st_dev, about.st_ino))
    return found


def _is_ref(_: object, path: str) -> bool:
    """A lock file that comes and goes is no commit."""
    return not path.endswith(".lock")
