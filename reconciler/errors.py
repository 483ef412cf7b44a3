"""What is told to the user in one sentence. Anything else that is raised is a bug."""

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of the command line; where several apply, cli/ picks the first of `PRECEDENCE`."""

    OK = 0
    ERROR = 1  # also `invalid`: some documents are wrong
    CHANGES = 2
    PARTIAL = 3
    HELD = 4
    TASK_FAILED = 5
    TIMEOUT = 6
    LEASE = 7
    USAGE = 64
    BUG = 70
    INTERRUPTED = 130


class ReconcilerError(Exception):
    """The root of all expected errors: one sentence with what to do next, and an exit code."""

    exit = Exit.ERROR
    name = "error"


class UsageError(ReconcilerError):
    """The command line cannot be obeyed as typed."""

    exit = Exit.USAGE
    name = "usage"


class LeaseLost(ReconcilerError):
    """Another controller holds the fleet."""

    exit = Exit.LEASE
    name = "lease"


class PartialFailure(ReconcilerError):
    """A host could not be asked, or did not do what was asked of it."""

    exit = Exit.PARTIAL
    name = "partial"


class HeldBack(ReconcilerError):
    """A safety stop: nothing was done, and a person has to say so first."""

    exit = Exit.HELD
    name = "held"


class TimedOut(ReconcilerError):
    """What was waited for did not happen in time."""

    exit = Exit.TIMEOUT
    name = "timeout"


class TaskFailed(ReconcilerError):
    """What was waited for cannot happen any more."""

    exit = Exit.TASK_FAILED
    name = "task-failed"
