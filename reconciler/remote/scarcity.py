"""What can be lacking on this machine when a program is to be started, said in one sentence."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from reconciler.errors import ReconcilerError

SPARE = 12  # descriptors that must be free for a start
TOO_MANY = "too many files are open: raise `ulimit -n` and try again"


class CannotStart(ReconcilerError):
    """A program is not installed here, or the system has no room for another process."""


@contextmanager
def scarcity(program: str) -> Iterator[None]:
    """What is lacking here for a start, be it descriptors, processes, threads or disk, becomes a CannotStart."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.EMFILE:
            raise CannotStart(TOO_MANY) from None
        raise CannotStart(f"{program} cannot be started: {error.strerror or error}") from None
    except RuntimeError as error:  # can't start new thread
        raise CannotStart(f"{program} cannot be started: {error}, see `ulimit -u`") from None


def room() -> None:
    """Raises CannotStart when few descriptors are left: `sh` would lose those that it got."""
    spare: list[int] = []
    try:
        for _ in range(SPARE):
            spare.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        raise CannotStart(TOO_MANY) from None
    finally:
        for descriptor in spare:
            os.close(descriptor)
