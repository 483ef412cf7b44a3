"""How everything stands, kept for `get` and for the next controller."""

from reconciler.engine.desired import Wanted
from reconciler.engine.world import World
from reconciler.model.change import Plan
from reconciler.model.desired import Desired
from reconciler.model.rows import Event, EventType

PAUSE = 0.5  # seconds between two entries while hosts are still answering


class Books:
    """Writes a plan's tables into the ledger, not oftener than they change."""

    def __init__(self, world: World, wanted: Wanted) -> None:
        self._world = world
        self._wanted = wanted
        self._saved: tuple[Plan | None, bool] = (None, False)
        self._saved_at = 0.0
        self._held: frozenset[str] = frozenset()

    def save(self, desired: Desired, plan: Plan, now: float, *, whole: bool, acted: bool) -> None:
        """Enter the plan. `whole`: every host has answered and nothing is under way; `acted`: it was carried out."""
        if self._saved[0] is plan and (self._saved[1] or not whole):
            return
        if not whole and 0 <= now - self._saved_at < PAUSE:
            return
        files = {name: task.source.file for name, task in desired.tasks.items()}
        self._world.ledger.save_cycle(desired, plan, now, self._wanted.authors(desired, files))
        self._saved, self._saved_at = (plan, whole), now
        if not whole:
            return
        held = frozenset(change.run for change in plan.held)
        if held and held != self._held:
            self._world.tell([Event(now, EventType.HELD, message=plan.held_why)])
        if not held and acted:
            # Not before: what is held because history was rewritten stays held until a person has said so.
            self._world.ledger.revision_acted(desired.revision, now)
        self._held = held
        if doubt := self._world.ledger.expire(desired.fleet.retention, now):
            self._world.trouble(doubt)
