"""What the loop uses beside hosts, git and ledger: a steady clock, a queue, and something that works beside it.

A simulation puts its own in their place, and so decides what happens when.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Thread

from reconciler.engine.inbox import Inbox


def _in_thread(work: Callable[[], None]) -> None:
    """Daemon threads: an unreachable host must not hold up the end of the program."""
    try:
        Thread(target=work, daemon=True, name="host").start()
    except RuntimeError:  # no thread can be had: no program can be started either, so that this says so at once
        work()


@dataclass(frozen=True, slots=True)
class Means:
    """`monotonic`: seconds that no change of the wall clock moves; `start`: runs its argument beside the caller."""

    monotonic: Callable[[], float] = time.monotonic
    start: Callable[[Callable[[], None]], None] = _in_thread
    inbox: Callable[[], Inbox] = Inbox
