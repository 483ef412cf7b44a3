"""Pure: Desired, Observed, Memory, now → Plan. It cannot fail: what is wrong was a Problem before."""

from reconciler.decide.core import decide, without_launches
from reconciler.decide.doubt import doubt
from reconciler.decide.hosts import former_places, same_books
from reconciler.decide.programs import wanted_programs

__all__ = ["decide", "doubt", "former_places", "same_books", "wanted_programs", "without_launches"]
