"""The nemesis of one round: faults begin, overlap and end, people commit, and controllers are started again."""

import time
from collections.abc import Iterable
from dataclasses import dataclass

from tests.chaos.edits import edit_once, mend_all
from tests.chaos.faults import FAULTS, LASTING, Course, Fault
from tests.chaos.world import World
from tests.machines.machine import Machine

AT_ONCE = 5
LASTS = (0.5, 7.0)  # seconds
EXPECTED = {0: "", 7: "ledger", 1: "history"}  # exit code of a controller -> what has to be claimed for it


@dataclass(frozen=True)
class Active:
    """A fault that lasts."""

    fault: Fault
    machine: Machine | None
    course: Course
    until: float


class Nemesis:
    """One round. `done` are the kinds of faults that began."""

    def __init__(self, world: World, kinds: Iterable[str] = ()) -> None:
        """`kinds`: those that are to be chosen from; all when empty."""
        self._world = world
        self._kinds = sorted(kinds or FAULTS)
        self._active: list[Active] = []
        self._claimed: set[tuple[str, str]] = set()
        self._lasting: set[tuple[str, str]] = set()
        self.done: list[str] = []

    def rage(self, seconds: float) -> None:
        """Do what it can for that long, then undo everything."""
        dice, end = self._world.dice, time.monotonic() + seconds
        begin = edit = time.monotonic()
        while (now := time.monotonic()) < end:
            if now >= begin and len(self._active) < AT_ONCE:
                self.strike(dice.choice(self._kinds), dice.uniform(*LASTS))
                begin = now + dice.uniform(0.1, 1.0)
            if now >= edit:
                edit_once(self._world)
                edit = now + dice.uniform(0.8, 4.0)
            self._end(now)
            self._watch_over()
            time.sleep(0.1)
        self.relent()

    def strike(self, kind: str, seconds: float) -> bool:
        """Begin a fault of that kind, where nothing claims the same; says whether there was such a place."""
        fault = FAULTS[kind]
        machines = self._world.machines if fault.of_machine else [None]
        free = [machine for machine in machines if not self._claims(fault, machine) & (self._claimed | self._lasting)]
        if not free:
            return False
        machine = self._world.dice.choice(free)
        self._claimed |= self._claims(fault, machine)
        self._lasting |= {claim for claim in self._claims(fault, machine) if claim[1] in LASTING}
        self._world.note(f"fault: {kind} {machine.name if machine else ''} for {seconds:.1f} s")
        course = fault.begin(self._world, machine) if machine else fault.begin(self._world)
        next(course)
        self._active.append(Active(fault, machine, course, time.monotonic() + seconds))
        self.done.append(kind)
        return True

    def where(self) -> set[tuple[str, str]]:
        """(kind, machine) of what lasts now."""
        return {(one.fault.name, one.machine.name) for one in self._active if one.machine}

    def relent(self) -> None:
        """Undo everything, in some order; what people have to mend is mended."""
        self._world.dice.shuffle(self._active)
        self._end(float("inf"))
        with self._world.edits:
            mend_all(self._world)

    def _claims(self, fault: Fault, machine: Machine | None) -> set[tuple[str, str]]:
        everywhere = {"controller", "ledger", "history"}
        name = machine.name if machine else ""
        return {("" if claim in everywhere else name, claim) for claim in fault.claims}

    def _end(self, now: float) -> None:
        for one in [one for one in self._active if one.until <= now]:
            self._active.remove(one)
            self._world.note(f"over: {one.fault.name} {one.machine.name if one.machine else ''}")
            if next(one.course, None) is not None:
                raise AssertionError(f"{one.fault.name} lasts twice")
            self._claimed -= self._claims(one.fault, one.machine)

    def _watch_over(self) -> None:
        """What ends by itself is started again, as systemd does; it has to have a reason."""
        code = self._world.controller.ended()
        if code is not None:
            claimed = {claim for _, claim in self._claimed | self._lasting}
            if code not in EXPECTED or EXPECTED[code] not in claimed | {""}:
                self._world.truth.violation(f"the controller ended by itself with exit code {code}")
            self._world.note(f"the controller ended with {code}")
        if ("", "controller") not in self._claimed:
            self._world.controller.start()
