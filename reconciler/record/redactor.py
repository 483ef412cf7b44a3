"""Takes secret values out of everything that is stored or shown."""

import base64
import html
import re
from collections.abc import Iterable, Iterator
from threading import Lock
from typing import NamedTuple, overload
from urllib.parse import quote_plus

from reconciler.record.views import View, unbroken, unescaped, unquoted

MOST_VALUES = 1000  # that are looked for
LEAST = 6  # characters below which a form is left alone: it would be found everywhere
LINE = 8  # the same for one line of a value of several lines
EDGE = 3  # the same for what a cut has left of a form: there it may go once too often
MASK = "***"
ENDED = b"\n[reconciler: "  # begins what a supervisor says below a log that was cut
# What a byte can take at most where it is written with escapes (`\\u0041`), and what a value can be cut into.
WIDEST = 8
COLUMNS = (64, 76)  # how wide base64 programs write

# These stand in every answer and in agents' events, so they tell nothing; masked, nothing could be read any more.
WORDS = frozenset(
    {
        *("succeeded", "failed", "blocked", "status", "summary", "pullRequestUrl", "branchName", "worktreePath"),
        *("codex", "claude", "gemini", "opencode", "coderabbit", "command", "local", "secrets", "branch", "project"),
        *("result", "results", "success", "message", "messages", "content", "assistant", "system", "subtype"),
        *("session", "session_id", "thread_id", "is_error", "completed", "started", "structured_output"),
        *("item.completed", "turn.completed", "turn.failed", "thread.started", "agent_message", "response"),
    }
)


class _Forms(NamedTuple):
    """What is looked for: in the text and wherever escapes are undone, and in what has no line breaks any more."""

    plain: tuple[bytes, ...] = ()
    coded: tuple[bytes, ...] = ()


class Redactor:
    """Knows values and the forms in which they turn up; safe to use from several threads."""

    def __init__(self) -> None:
        """Knows nothing yet."""
        self._lock = Lock()
        self._values: dict[str, _Forms] = {}  # the one that was given last comes last
        self._forms = _Forms()
        self._reach = 0  # bytes in which any form can be written

    def add(self, values: Iterable[str]) -> None:
        """Register values that must never be seen again; of tokens that change all the time the newest are known."""
        with self._lock:
            before = len(self._values)
            fresh = {value: self._values.pop(value, None) for value in dict.fromkeys(values)}
            self._values |= {value: forms or _forms(value) for value, forms in fresh.items()}
            if before == len(self._values):
                return  # all of them were known
            for value in list(self._values)[:-MOST_VALUES]:
                del self._values[value]
            plain = {form for forms in self._values.values() for form in forms.plain}
            coded = {form for forms in self._values.values() for form in forms.coded}
            # Longest first: whoever looks for the begin or the end of one finds the most of it.
            self._forms = _Forms(
                tuple(sorted(plain, key=lambda form: (-len(form), form))),
                tuple(sorted(coded, key=lambda form: (-len(form), form))),
            )
            self._reach = WIDEST * max((len(form) for form in plain | coded), default=0)

    @overload
    def scrub(self, text: str, *, begun: bool = ..., cut: bool = ...) -> str: ...

    @overload
    def scrub(self, text: bytes, *, begun: bool = ..., cut: bool = ...) -> bytes: ...

    def scrub(self, text: str | bytes, *, begun: bool = False, cut: bool = False) -> str | bytes:
        """Text with `***` for every known form; bytes keep their length (`*` each), since logs are counted in bytes.

        `begun`: it may begin, `cut`: it may end, in the middle of one; what is there of it goes, too.
        """
        if not self._reach:
            return text
        data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
        spans = _merged([*_found(data, self._forms), *self._edges(data, begun=begun, cut=cut)])
        parts: list[bytes] = []
        at = 0
        for start, end in spans:
            parts += [data[at:start], b"*" * (end - start) if isinstance(text, bytes) else MASK.encode()]
            at = end
        masked = b"".join([*parts, data[at:]])
        return masked if isinstance(text, bytes) else masked.decode("utf-8", "surrogatepass")

    def settled(self, data: bytes) -> int:
        """How many bytes of `data` can be masked by themselves, whatever follows: no form goes across that place."""
        place = max(0, len(data) - self._reach)
        spans = _merged(_found(data, self._forms)) if place else ()
        return next((start for start, end in spans if start < place < end), place)

    def whole_lines(self, data: bytes) -> int:
        """How many bytes of `data` are whole lines, those apart with which a value of several lines may have begun."""
        end = data.rfind(b"\n") + 1
        for form in self._forms.plain:
            for found in re.finditer(rb"\n", form[:-1]):
                if data.endswith(form[: found.end()], 0, end):
                    end = data.rfind(b"\n", 0, end - found.end()) + 1
        return end

    def _edges(self, data: bytes, *, begun: bool, cut: bool) -> Iterator[tuple[int, int]]:
        """Where the end of a form is what `data` begins with, and where a begin is what it ends with."""
        for form in (*self._forms.plain, *self._forms.coded):
            if begun:
                head = data[: len(form) - 1]
                at = head.rfind(form[-EDGE:])
                while at >= 0 and not form.endswith(head[: at + EDGE]):
                    at = head.rfind(form[-EDGE:], 0, at + EDGE - 1)
                if at >= 0:
                    yield 0, at + EDGE
            for end in {len(data), data.rfind(ENDED)} if cut else ():
                at = data.find(form[:EDGE], max(0, end - len(form) + 1), max(0, end))
                while at >= 0 and not form.startswith(data[at:end]):
                    at = data.find(form[:EDGE], at + 1, end)
                if at >= 0:
                    yield at, end


def _found(data: bytes, forms: _Forms) -> Iterator[tuple[int, int]]:
    """Where forms stand, in any order."""
    written = View(data)
    readable = unescaped(data)
    for view in (written, *readable):
        yield from _places(view, (*forms.plain, *forms.coded) if view is written else forms.plain)
        if quoted := unquoted(view):
            yield from _places(quoted, forms.plain)
        yield from _places(unbroken(view), forms.coded)


def _places(view: View, forms: Iterable[bytes]) -> Iterator[tuple[int, int]]:
    for form in forms:
        at = view.text.find(form)
        while at >= 0:
            yield view.written(at, at + len(form))
            at = view.text.find(form, at + 1)


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Those that touch or overlap as one, in order."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def maskable(value: str) -> bool:
    """Whether a value can be told from what is written anyway."""
    return len(value.strip()) >= LEAST and value.strip() not in WORDS


def _forms(value: str) -> _Forms:
    if value in WORDS:
        return _Forms()
    raw = value.encode("utf-8", "surrogateescape")
    lines = [line.strip() for line in raw.splitlines()]
    # As shells trace it, as a form of the web sends it, as a page shows it, and as `echo $VALUE` prints it.
    texts = {value, value.strip(), value.replace("'", "'\\''"), quote_plus(raw), html.escape(value)}
    plain = {text.encode("utf-8", "surrogateescape") for text in texts} | {b" ".join(raw.split())}
    plain = {form for form in plain if len(form) >= LEAST} | {line for line in lines if len(line) >= LINE}
    if len(raw) < LEAST:
        return _Forms(tuple(plain))
    coded = {raw.hex().encode(), raw.hex().upper().encode(), raw.hex(":").encode()}
    for shift in range(3):
        coded |= _base64(raw, shift)
    return _Forms(tuple(plain), tuple(form for form in coded if len(form) >= LEAST))


def _base64(raw: bytes, shift: int) -> set[bytes]:
    """What `raw` looks like inside the base64 of a longer text, where it begins `shift` bytes into a group of three."""
    whole = base64.b64encode(b"\0" * shift + raw)
    first = (shift * 8 + 5) // 6  # characters that hold bits of what comes before
    last = len(whole.rstrip(b"=")) - (1 if (shift + len(raw)) % 3 else 0)  # … and of what comes after
    # Short values lose so many characters that what is left may be anything.
    inner = whole[first:last]
    forms = {inner}
    if shift == 0:
        forms |= {whole, whole.rstrip(b"="), *_wrapped(whole)}
    return forms | {form.replace(b"+", b"-").replace(b"/", b"_") for form in forms}


def _wrapped(text: bytes) -> set[bytes]:
    """The lines of it, when it is written in lines: they may be shown one after the other."""
    return {text[at : at + width] for width in COLUMNS for at in range(0, len(text) - width + 1, width)}
