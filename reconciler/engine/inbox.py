"""The loop's one queue: everything that happens comes through it, from threads and signals alike."""

import time
from queue import Empty, SimpleQueue

from reconciler.engine.events import Event

COALESCE = 0.01  # seconds in which answers that come together are decided on together


class Inbox:
    """Takes events from any thread; one thread reads them."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[Event] = SimpleQueue()

    def put(self, event: Event) -> None:
        """Add an event; allowed in a signal handler."""
        self._queue.put(event)

    def take(self, timeout: float) -> list[Event]:
        """Wait at most `timeout` seconds for an event; give it with those that follow at once, or nothing."""
        events: list[Event] = []
        try:
            events.append(self._queue.get(timeout=max(timeout, COALESCE)))
            time.sleep(COALESCE)
            while True:
                events.append(self._queue.get_nowait())
        except Empty:
            return events

    def __bool__(self) -> bool:
        return not self._queue.empty()
