"""Label selectors as kubectl takes them, and names that were meant."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from reconciler.errors import UsageError


@dataclass(frozen=True, slots=True)
class Term:
    """One condition: the label `key` has `value` (None: is there at all), or, with `negated`, does not."""

    key: str
    value: str | None = None
    negated: bool = False

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether these labels fulfil it; a label that is absent fulfils `!=`, as in Kubernetes."""
        found = self.key in labels if self.value is None else labels.get(self.key) == self.value
        return found is not self.negated


Selector = tuple[Term, ...]


def parse(text: str) -> Selector:
    """Take `k=v,k2!=v2,k3,!k4`; return its terms, none for an empty text. Raises UsageError."""
    if not text.strip():
        return ()
    return tuple(_term(part.strip(), text) for part in text.split(","))


def matches(selector: Selector, labels: Mapping[str, str]) -> bool:
    """Whether all terms hold."""
    return all(term.matches(labels) for term in selector)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """` (did you mean build?)` when a known name is close, else nothing."""
    import difflib

    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" (did you mean {close[0]}?)" if close else ""


def _term(part: str, whole: str) -> Term:
    for operator, negated in (("!=", True), ("==", False), ("=", False)):
        key, found, value = part.partition(operator)
        if found:
            term = Term(key.strip(), value.strip(), negated)
            break
    else:
        term = Term(part.lstrip("!").strip(), None, part.startswith("!"))
    if not term.key or any(mark in f"{term.key}{term.value or ''}" for mark in "=! \t()"):
        raise UsageError(f"'{whole}' is no label selector: write it as team=web,tier!=test,owner,!draft")
    return term
