"""Wake on a commit: local refs by watchfiles, a remote branch by polling `ls-remote`. Only a hint.

Events get lost (overflow, a recreated folder), so the loop also compares commit ids at every round.
"""

import random
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from threading import Event, Thread

from watchfiles import Change, watch

POLL = 10.0  # seconds between two questions to a remote, ± a fifth
RESTART = 1.0  # seconds until a watcher that died is started again


class CommitWatch:
    """Calls `wake` when the head that `head` reads is another one than before. Stops with `stop`."""

    def __init__(self, head: Callable[[], str], paths: Sequence[Path], wake: Callable[[], None]) -> None:
        """`paths`: folders and files whose change may mean a commit; empty for a remote, which is polled."""
        self._head = head
        self._paths = tuple(paths)
        self._wake = wake
        self._stop = Event()
        self._last = ""
        self._thread = Thread(target=self._run, daemon=True, name="commits")

    def start(self) -> None:
        """Begin; the present head is the first known one."""
        self._last = self._read() or ""
        self._thread.start()

    def stop(self) -> None:
        """End within a moment."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                for _ in self._hints():
                    head = self._read()
                    if head and head != self._last:
                        self._last = head
                        self._wake()
            except Exception:  # a watched folder vanished, an undecodable name: start over
                self._stop.wait(RESTART)

    def _hints(self) -> Iterable[object]:
        present = [path for path in self._paths if path.exists()]
        if not present:
            while not self._stop.wait(POLL * random.uniform(0.8, 1.2)):  # noqa: S311 (spreads load, no secret)
                yield None
            return
        yield from watch(
            *present,
            watch_filter=_is_ref,
            debounce=100,
            step=20,
            stop_event=self._stop,
            rust_timeout=int(POLL * 1000),
            yield_on_timeout=True,
            raise_interrupt=False,
        )

    def _read(self) -> str | None:
        try:
            return self._head()
        except Exception:  # unreadable for the moment; the loop says so when it reads it itself
            return None


def _is_ref(_: Change, path: str) -> bool:
    """Index and lock files change at every `git status`; they are no commit."""
    return not path.endswith((".lock", "index")) and "/objects/" not in path
