"""The tools that there are: the modules of reconciler/agents/tools, each with its ADAPTER."""

import pkgutil
from functools import cache
from importlib import import_module

from reconciler.agents import tools
from reconciler.agents.adapter import Adapter


@cache
def names() -> tuple[str, ...]:
    """The names of all tools, in the order of the alphabet."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(tools.__path__)))


@cache
def adapter(name: str) -> Adapter:
    """Takes the name of a tool; returns how it is started and read. Raises LookupError when there is none."""
    if name not in names():
        raise LookupError(f"there is no tool {name!r}: use one of {', '.join(names())}")
    found: Adapter = import_module(f"{tools.__name__}.{name}").ADAPTER
    return found
