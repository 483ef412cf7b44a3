"""One controller holds the fleet: which number it acts under, and which hosts it has to take first."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from reconciler.decide.hosts import Spot
from reconciler.decide.scene import Known, Scene
from reconciler.model.change import Action, Change
from reconciler.model.observed import LeaseMark, Unseen


@dataclass(frozen=True, slots=True)
class Lease:
    """What this cycle acts under."""

    ledger: str
    number: int
    epoch: int  # hosts taken with this number or a higher one count as taken
    fresh: bool  # the number starts a new epoch
    missing: tuple[str, ...] = ()  # hosts that have to be taken before anything starts, and cannot be asked
    lacking: bool = False  # one of them has not answered in time, and may never

    def holds(self, spot: Spot) -> bool:
        """Whether the host obeys this number now."""
        return spot.seen is not None and spot.seen.lease == LeaseMark(self.number, self.ledger)

    def taken(self, spot: Spot) -> bool:
        """Whether the host was taken in this epoch: by what it shows, else by what is remembered."""
        if spot.seen is not None:
            mark = spot.seen.lease
            return mark is not None and mark.ledger == self.ledger and mark.number >= self.epoch
        return not self.fresh and spot.memory is not None and 0 < self.epoch <= spot.memory.taken


def current(scene: Scene) -> Lease:
    """Takes a scene; returns the number to act under. It is new after a foreign ledger or an unknown outcome."""
    memory = scene.memory
    marks = [spot.seen.lease for spot in _ours_to_take(scene) if spot.seen and spot.seen.lease]
    # A number of ours that we do not know of: an old copy of the ledger was restored, and has forgotten things.
    foreign = any(mark.ledger != memory.ledger or mark.number > memory.number for mark in marks)
    doubts = [known.memory.lease for known in scene.unreported if known.memory and _in_doubt(known)]
    if foreign or memory.number == 0:
        number = max([memory.number, *(mark.number for mark in marks), *doubts]) + 1
        lease = Lease(memory.ledger, number, number, fresh=True)
    else:
        newest = max(doubts, default=-1)
        number = newest + 1 if newest >= memory.number else memory.number
        lease = Lease(memory.ledger, number, memory.epoch, fresh=False)
    if memory.whole and not lease.fresh:
        return lease
    absent = {
        spot.key: spot.look
        for spot in scene.spots.values()
        if isinstance(spot.look, Unseen) and spot.declared and not spot.host.gone and not lease.taken(spot)
    }
    missing = tuple(f"{key} ({'still asking' if look.asking else look.why})" for key, look in absent.items())
    lacking = any(not look.asking and not look.answered for look in absent.values())
    return replace(lease, missing=missing, lacking=lacking)


def takes(scene: Scene, lease: Lease, changes: Iterable[Change]) -> tuple[str, ...]:
    """Takes what is to be done; returns the hosts that have to be taken before. Nothing to do: none."""
    effects = [change for change in changes if change.host and change.action is not Action.COLLECT]
    wanted = {change.host for change in effects if not _ready(lease, scene.spots[change.host])}
    wanted |= {known.host for known in scene.unreported if _needs_newer_report(known)}
    wanted |= {spot.key for spot in scene.spots.values() if _renamed(spot)}
    if any(change.action is Action.LAUNCH for change in effects):
        wanted |= {
            spot.key
            for spot in scene.spots.values()
            if spot.seen and spot.declared and not spot.host.gone and not lease.taken(spot)
        }
    if wanted and lease.fresh:  # a foreign lease that stays in sight would start a new epoch again and again
        wanted |= {
            spot.key
            for spot in _ours_to_take(scene)
            if spot.seen and spot.seen.lease and spot.seen.lease.ledger != lease.ledger
        }
    return tuple(sorted(wanted))


def _ours_to_take(scene: Scene) -> list[Spot]:
    return [spot for spot in scene.spots.values() if not spot.stranger]


def _ready(lease: Lease, spot: Spot) -> bool:
    """It obeys the number, and says whose it is: after `host reset` it does not."""
    return lease.holds(spot) and spot.seen is not None and spot.seen.host_name == spot.host.name


def _renamed(spot: Spot) -> bool:
    """Its workspace still goes by the old name, which the next controller would look for."""
    return spot.declared and not spot.host.gone and spot.seen is not None and spot.seen.host_name not in ("", spot.key)


def _unresolved(known: Known) -> bool:
    """Of a run that no host shows: whether it is an intent whose fate only a newer report can tell."""
    kept = known.memory
    return kept is not None and kept.result is None and not kept.accepted and not known.wiped


def _in_doubt(known: Known) -> bool:
    """Nobody knows its fate: only a higher number keeps it from coming late. A host still asked may tell first."""
    asking = known.spot is not None and isinstance(known.spot.look, Unseen) and known.spot.look.asking
    return _unresolved(known) and not known.late and not asking


def _needs_newer_report(known: Known) -> bool:
    spot = known.spot
    if spot is None or spot.stranger or spot.seen is None or known.memory is None:
        return False
    return _unresolved(known) and spot.seen.taken <= known.memory.lease
