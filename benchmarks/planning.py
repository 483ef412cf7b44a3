"""Figure 7: what it costs to decide, for fleets of growing size. In CPU seconds: nothing is waited for."""

import gc
import time
from collections.abc import Callable, Iterator

from benchmarks.busy import NOW, TASKS_A_HOST, Busy, busy
from benchmarks.figure import Figure, Goal, Scale
from benchmarks.turns import take_turns
from reconciler.cli.main import COLLECT_AFTER
from reconciler.decide import decide
from reconciler.engine.garbage import uncollected
from reconciler.model.change import Options

SIZES = (100, 300, 1_000)  # hosts; ten tasks and twenty runs each
GROWTH = 12.0  # times as long, at most, for ten times the work


def measure(scale: Scale) -> Iterator[Figure]:
    """1x, 3x and 10x, in turns."""
    before = gc.get_threshold()
    gc.set_threshold(COLLECT_AFTER)  # as the command does
    try:
        fleets = {hosts: busy(hosts) for hosts in SIZES}
        found = take_turns(scale.pick(15, 5), {str(hosts): planned(fleet) for hosts, fleet in fleets.items()})
    finally:
        gc.set_threshold(*before)
    for hosts in SIZES:
        tasks, largest = hosts * TASKS_A_HOST, hosts == SIZES[-1]
        yield Figure(
            7,
            f"plan, {tasks:,} tasks, {hosts:,} hosts, {2 * tasks:,} runs",
            "s",
            found[str(hosts)] or (),
            {"a tenth of it": found[str(SIZES[0])]} if largest else {},
            (Goal(1.0), Goal(GROWTH, "a tenth of it")) if largest else (),
            key=f"plan-{tasks}",
        )


def planned(fleet: Busy) -> Callable[[], float]:
    """Takes a fleet; returns what decides on it and says how many CPU seconds that took."""

    def measure() -> float:
        began = time.process_time()
        with uncollected():  # as the engine does
            decide(fleet.desired, fleet.observed, fleet.memory, NOW, Options())
        return time.process_time() - began

    return measure
