"""The search guided by coverage: atheris, in a process of its own, since libFuzzer ends the one it runs in.

Only the product is instrumented. A mutation is one of libFuzzer's own, or damage that knows the language.
"""

import os
import sys
import tempfile
from pathlib import Path
from random import Random

from tests.fuzz.bounds import bounded
from tests.fuzz.corpus import inputs, keep, place_of
from tests.fuzz.damage import LARGEST, any_edits, damaged


def search(reader, seconds: float, seed: int) -> int:  # type: ignore[no-untyped-def]
    """Takes a target, how long, and a seed; returns 1 when something was found that nobody knew of."""
    child = os.fork()
    if child == 0:
        _run(reader.name, seconds, seed)
    _, status = os.waitpid(child, 0)
    return int(status != 0)


def _run(name: str, seconds: float, seed: int) -> None:
    import atheris

    for module in [
        module for module in sys.modules if module.partition(".")[0] == "reconciler" or "fuzz.targets" in module
    ]:
        del sys.modules[module]  # they come back instrumented
    with atheris.instrument_imports(include=["reconciler"]):
        from tests.fuzz.targets import target

        reader = target(name)
    found: dict[str, Path] = {}

    def once(data: bytes) -> None:
        try:
            with bounded():
                reader.check(data)
        except Exception as error:
            place = place_of(error)
            if place not in found:
                found[place] = keep(name, data)
                print(f"found {found[place]}: {place}: {str(error)[:150]!r}", flush=True)

    def mutate(data: bytes, most: int, number: int) -> bytes:
        random = Random(number)
        if random.random() < 0.3:
            return bytes(atheris.Mutate(data, most))
        return damaged(
            data if data and random.random() < 0.8 else random.choice(reader.seeds), any_edits(random), reader.words
        )[:most]

    with tempfile.TemporaryDirectory() as folder:
        for index, data in enumerate((*reader.seeds, *inputs(name))):
            (Path(folder) / f"{index:04}").write_bytes(data)
        words = [f"-max_total_time={int(seconds)}", f"-seed={seed % (1 << 31)}", f"-max_len={LARGEST}", "-timeout=60"]
        atheris.Setup(
            ["fuzz", *words, "-rss_limit_mb=2000", "-verbosity=0", "-print_final_stats=1", folder],
            once,
            custom_mutator=mutate,
        )
        atheris.Fuzz()
