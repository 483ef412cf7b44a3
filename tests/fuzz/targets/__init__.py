"""One module for each reader: `SEEDS` (valid inputs), `WORDS` of its language, and `check`, which holds for any bytes."""

import pkgutil
from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from typing import NamedTuple, cast


class Target(NamedTuple):
    """A reader. `check` raises for a broken promise and for nothing else."""

    name: str
    seeds: Sequence[bytes]
    words: Sequence[bytes]
    check: Callable[[bytes], None]


NAMES = tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


@cache
def target(name: str) -> Target:
    """The reader of that name. Raises LookupError."""
    if name not in NAMES:
        raise LookupError(f"there is no target {name!r}: use one of {', '.join(NAMES)}")
    module = import_module(f"{__name__}.{name}")
    return Target(name, module.SEEDS, module.WORDS, cast(Callable[[bytes], None], module.check))
