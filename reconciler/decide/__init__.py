"""Pure: Desired, Observed, Memory, now → Plan. It cannot fail: what is wrong was a Problem before."""

from reconciler.decide.core import decide, without_launches
from reconciler.decide.doubt import doubt
from reconciler.decide.hosts import former_places
from reconciler.decide.programs import wanted_programs

__all__ = ["decide", "doubt", "former_places", "wanted_programs", "without_launches"]
