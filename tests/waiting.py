"""Waiting for what other processes do."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(fact: Callable[[], T], timeout: float = 20, every: float = 0.02) -> T:
    """What `fact()` gives as soon as it is something true, asked again every so many seconds; fails after `timeout`."""
    end = time.monotonic() + timeout
    while not (value := fact()):
        assert time.monotonic() < end, f"{fact} did not become true within {timeout} s"
        time.sleep(every)
    return value
