"""What every tool's module offers: a command line from an order, a reading from its output. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple


class WordKind(StrEnum):
    """What one word of a command line is; paths are known on the host alone."""

    TEXT = "text"
    FILE = "file"  # the path of this file in the run directory
    WORKTREE = "worktree"  # the path of the worktree; its text is empty


class Word(NamedTuple):
    """One word of a command line."""

    kind: WordKind
    text: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """What the Agent document and the task say about how the tool is started."""

    model: str = ""  # the Agent's `model`
    variant: str = ""  # of `name:variant`
    args: tuple[str, ...] = ()
    command: tuple[str, ...] = ()  # of the tool `command`
    budget_usd: float | None = None  # what this run may spend
    schema: str = ""  # JSON text of the result schema; it lies in the run directory as result-schema.json, too
    base: str = ""  # the branch, tag or commit that the work is compared with; empty: the remote's HEAD


@dataclass(frozen=True, slots=True)
class Command:
    """How the worker is started. Its environment comes below everything that documents say."""

    words: tuple[Word, ...]
    stdin: str = ""  # the file in the run directory that it reads (`prompt.md`); empty: /dev/null
    events: bool = False  # its standard output is one JSON object a line: kept as events.jsonl
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Output:
    """What an ended worker left. Long streams are cut in the middle: their begin and their end are here."""

    exit_code: int | None = None  # None: it did not end by itself
    stdout: bytes = b""
    stderr: bytes = b""
    events: bytes = b""
    answer: bytes | None = None  # what was in $RECONCILER_RESULT_FILE
    ended_at: float | None = None  # seconds since the epoch: makes a date of "try again at 5:18 AM"


@dataclass(frozen=True, slots=True)
class Reading:
    """What the output says. `failure` is a reason of the contract (RateLimited, QuotaExceeded, AuthFailed …) or empty.

    `finished`: there is evidence that the tool came to its end well (its terminal event; for tools without one, exit
    code 0). `answer` is the object it gave, not yet checked against the schema; `text` is what it said instead.
    """

    finished: bool = False
    failure: str = ""
    message: str = ""  # of the failure, for people
    answer: Mapping[str, object] | None = None
    text: str = ""
    cost_usd: float | None = None
    tokens: int | None = None
    session_id: str = ""
    retry_at: float | None = None  # seconds since the epoch: when a limited tool may go on
    retry_after: float | None = None  # the same as seconds after the end of the run


@dataclass(frozen=True, slots=True)
class Adapter:
    """One tool. `help` are the words that print its flags; `flags` have to be among them."""

    name: str
    program: str  # what has to be on the PATH; empty: the first word of the Agent's command
    command: Callable[[Order], Command]
    read: Callable[[Output], Reading]
    line: Callable[[str], str]  # one line of events.jsonl → readable text; empty: nothing to show
    help: tuple[str, ...] = ("--help",)
    flags: tuple[str, ...] = ()
    answers: bool = True  # success needs an answer that fits the result schema; False: evidence is enough
