"""Where a place is now that something was sent to: under the name it had then, another one, or nowhere."""

from collections.abc import Mapping
from dataclasses import dataclass

from reconciler.decide.hosts import Spot
from reconciler.model.host import Place

Door = tuple[str, str, str, int, str]  # that of a Place


@dataclass(frozen=True, slots=True)
class Ways:
    """The ways in which a place that something was sent to is found again."""

    spots: Mapping[str, Spot]
    shown: Mapping[str, Spot]  # by the workspace id that shows there
    kept: Mapping[str, Spot]  # by the one that the ledger knows, where the door is still the same
    behind: Mapping[Door, Spot]  # by door

    def locate(self, place: Place) -> tuple[Spot | None, bool]:
        """Takes the place a run was sent to; returns its Spot now, and whether that one was wiped since.

        The workspace id decides, wherever it shows; then the ledger's knowledge of it; then the door.
        """
        if place.workspace_id in self.shown:
            return self.shown[place.workspace_id], False
        if spot := self.kept.get(place.workspace_id):
            return spot, spot.seen is not None
        spot = self.behind.get(place.door)
        if spot is None:
            return None, False
        namesake = self.spots.get(place.host)
        if spot.host.former and namesake and namesake.declared and namesake.seen is None:
            return namesake, False  # it may have moved there, and cannot be asked yet
        return spot, spot.seen is not None and bool(place.workspace_id)


def ways(found: Mapping[str, Spot]) -> Ways:
    """Takes the spots of a cycle; returns the ways to them. Of several the first counts: by door the declared one."""
    shown: dict[str, Spot] = {}
    kept: dict[str, Spot] = {}
    doors = {key: spot.host.place.door for key, spot in found.items()}
    for key, spot in found.items():
        known = spot.memory.place if spot.memory else None
        if spot.seen and spot.seen.workspace_id:
            shown.setdefault(spot.seen.workspace_id, spot)
        if known and known.workspace_id and known.door == doors[key]:
            kept.setdefault(known.workspace_id, spot)
    behind: dict[Door, Spot] = {}
    for spot in sorted(found.values(), key=lambda one: (one.host.former, one.key)):
        if not spot.stranger:
            behind.setdefault(doors[spot.key], spot)
    return Ways(found, shown, kept, behind)
