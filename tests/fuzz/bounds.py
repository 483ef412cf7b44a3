"""What one input may cost. Processor time and memory, so that a busy machine changes nothing."""

import ctypes
import resource
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SECONDS = 5.0  # of the processor
MEBIBYTES = 200


class TooMuch(AssertionError):
    """An input took more time or memory than any input may."""


@contextmanager
def bounded(seconds: float = SECONDS, mebibytes: int = MEBIBYTES) -> Iterator[None]:
    """Raises TooMuch when the body takes longer or leaves the process larger than allowed; ends endless loops."""

    def late(number: int, frame: FrameType | None) -> None:
        raise TooMuch(f"more than {seconds:g} s of the processor")

    before, began = _most(), time.process_time()
    old = signal.signal(signal.SIGVTALRM, late)
    signal.setitimer(signal.ITIMER_VIRTUAL, 2 * seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, old)
    if (took := time.process_time() - began) > seconds:
        raise TooMuch(f"{took:.1f} s of the processor, more than {seconds:g}")
    if (grown := _most() - before) > mebibytes:
        raise TooMuch(f"{grown} MiB of memory, more than {mebibytes}")


def trim() -> None:
    """Give freed memory back, so that what one input takes is not what another left."""
    ctypes.CDLL(None).malloc_trim(0)


def _most() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
