"""Which observed host is which place: renamed, moved, wiped, shared, or no longer named by any document."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from itertools import chain

from reconciler.decide.doubt import borrowed, shares
from reconciler.model.desired import Desired
from reconciler.model.host import Host, Place
from reconciler.model.memory import HostMemory, Memory, RunMemory
from reconciler.model.observed import Observed, Seen, Unseen

# Ends that only the ledger recorded: nothing of such a run was found where it should be.
NOTHING_LEFT = frozenset({"NeverArrived", "Vanished"})


@dataclass(frozen=True, slots=True)
class Spot:
    """One place in this cycle: the document (or what the books say), and what was seen there."""

    key: str
    host: Host
    look: Seen | Unseen
    memory: HostMemory | None = None
    stranger: bool = False  # observed, but neither declared nor on the books: nothing is done there
    shadowed: bool = False  # a former place whose workspace now shows at a declared host

    @property
    def seen(self) -> Seen | None:
        """The report, when there is one."""
        return self.look if isinstance(self.look, Seen) else None

    @property
    def declared(self) -> bool:
        """A Host document names it."""
        return not self.host.former


def former_places(desired: Desired, memory: Memory) -> Mapping[str, Host]:
    """Takes the documents and the ledger; returns the places on the books that no Host names any more.

    They are asked like hosts. Key: the old Host name when it is free, else `name@address`.
    """
    return {key: _as_host(desired, memory, place) for key, place in _former(desired, memory).items()}


def same_books(old: Memory, new: Memory) -> bool:
    """Takes two states of one ledger; returns whether `former_places` is the same for both.

    It mostly is: an answer changes when its host was last seen.
    """
    if old is new:
        return True
    if old.runs is not new.runs or old.hosts.keys() != new.hosts.keys():
        return False
    pairs = ((kept, new.hosts[key]) for key, kept in old.hosts.items())
    return all(a.place == b.place and a.gone == b.gone and a.reach == b.reach for a, b in pairs)


def spots(desired: Desired, observed: Observed, memory: Memory) -> dict[str, Spot]:
    """Takes what one cycle knows of hosts; returns a Spot per declared, former and otherwise observed key."""
    former = _former(desired, memory)
    hosts = {**desired.hosts, **{key: _as_host(desired, memory, place) for key, place in former.items()}}
    strangers = {key: Host(name=key, former=True) for key in observed if key not in hosts}
    looks: dict[str, Seen | Unseen] = {
        key: observed.get(key, Unseen("not asked")) for key in sorted({**hosts, **strangers})
    }
    shared = borrowed(desired, memory, looks)
    shared.update(_shared(hosts, {key: look for key, look in looks.items() if key not in shared}))
    moved = _moved(desired, memory, former, looks)
    others = {key: look for key, look in looks.items() if key not in shared and key not in moved.values()}
    shared.update(_misnamed(desired, memory, former, others))
    books = [one for _, one in sorted(memory.hosts.items())]
    found = {}
    for key, look in looks.items():
        host = hosts.get(key) or strangers[key]
        view = Unseen(shared[key]) if key in shared else look
        found[key] = Spot(
            key,
            host,
            view,
            _remembered(key, host, view, memory, books),
            stranger=key in strangers,
            shadowed=key in former and (key in shared or key in moved),
        )
    return found


def on_books(run: RunMemory) -> bool:
    """Takes a remembered run; returns whether something of it may still be at its place."""
    return not run.cleaned and not (run.result is not None and run.result.reason in NOTHING_LEFT)


def _former(desired: Desired, memory: Memory) -> dict[str, Place]:
    named = {host.place.door for host in desired.hosts.values()}
    named |= {kept.place.door for kept in memory.hosts.values() if kept.gone}
    known = {kept.place.workspace_id for kept in memory.hosts.values() if kept.place.door in named} - {""}
    books = _sorted(kept.place for kept in memory.hosts.values())
    elsewhere = (run for run in memory.runs.values() if run.place.workspace_id not in known)
    books += _sorted({run.place for run in elsewhere if on_books(run)})
    found: dict[str, Place] = {}
    for place in books:
        if place.door in named or place.workspace_id in known:
            continue
        named.add(place.door)
        key, number = place.host, 1
        while key in found or key in desired.hosts:
            key = f"{place.host}@{place.address}" + (f"#{number}" if number > 1 else "")
            number += 1
        found[key] = place
    return found


def _sorted(places: Iterable[Place]) -> list[Place]:
    # An id tells more than none: of two records of one door the one with an id comes first.
    return sorted(places, key=lambda place: (place.host, place.door, not place.workspace_id, place.workspace_id))


def _as_host(desired: Desired, memory: Memory, place: Place) -> Host:
    """It is reached as its document said, as far as that is known, else as its namesake is."""
    like = desired.hosts.get(place.host, Host(name=place.host))
    kept = (one for _, one in sorted(memory.hosts.items()) if one.place.door == place.door and one.reach)
    if (known := next(kept, None)) and known.reach:
        like = replace(like, **asdict(known.reach))
    return replace(
        like,
        name=place.host,
        transport=place.transport,
        address=place.address,
        user=place.user,
        port=place.port,
        workspace_root=place.workspace_root,
        former=True,
        gone=False,
        drain=None,
    )


def _shared(hosts: Mapping[str, Host], looks: Mapping[str, Seen | Unseen]) -> dict[str, str]:
    """Of hosts that show one workspace, all but the one it belongs to, with the sentence for each."""
    groups: dict[str, list[str]] = {}
    for key, look in looks.items():
        if isinstance(look, Seen) and look.workspace_id and key in hosts:
            groups.setdefault(look.workspace_id, []).append(key)
    lost = {}
    for keys in groups.values():
        boots = {_boot(looks[key]) for key in keys if not hosts[key].former} - {""}

        def rank(key: str, boots: set[str] = boots) -> tuple[bool, bool, bool, str]:
            look = looks[key]
            same_machine = hosts[key].former and _boot(look) in boots  # one machine, two addresses
            named = isinstance(look, Seen) and look.host_name == key
            return (same_machine, not named, hosts[key].former, key)

        first, *others = sorted(keys, key=rank)
        lost.update({key: shares(first) for key in others})
    return lost


def _moved(
    desired: Desired, memory: Memory, former: Mapping[str, Place], looks: Mapping[str, Seen | Unseen]
) -> dict[str, str]:
    """Former places whose machine, not restarted since, now shows at a declared host: that one's key."""
    found = {}
    for key, look in looks.items():
        place = former.get(look.host_name) if isinstance(look, Seen) and key in desired.hosts else None
        if place is None or not isinstance(look, Seen) or look.workspace_id != place.workspace_id:
            continue
        kept = [one.boot_id for one in memory.hosts.values() if one.place.workspace_id == place.workspace_id]
        if _boot(look) and _boot(look) in (*kept, _boot(looks[look.host_name])):
            found[look.host_name] = key
    return found


def _misnamed(
    desired: Desired, memory: Memory, former: Mapping[str, Place], looks: Mapping[str, Seen | Unseen]
) -> dict[str, str]:
    """Hosts whose workspace carries the name of another place that cannot be asked now: it may be that one's."""
    lost = {}
    for key, look in looks.items():
        if key not in desired.hosts or isinstance(look, Unseen) or look.host_name in ("", key):
            continue
        other, theirs = looks.get(look.host_name), memory.hosts.get(look.host_name)
        if isinstance(other, Seen):
            continue
        renamed = theirs is not None and theirs.place.door == desired.hosts[key].place.door
        own = key in memory.hosts and memory.hosts[key].place.workspace_id == look.workspace_id
        declared = desired.hosts.get(look.host_name)
        if declared and not declared.gone and not renamed and not own:
            lost[key] = shares(look.host_name)
        place = former.get(look.host_name)
        if place and place.workspace_id in ("", look.workspace_id) and not own:
            lost[key] = (
                f"shows the workspace of {look.host_name}, which is on the books at {place.address}: "
                "rename and move a host in two commits"
            )
    return lost


def _boot(look: Seen | Unseen) -> str:
    return look.facts.boot_id if isinstance(look, Seen) else ""


def _remembered(
    key: str, host: Host, look: Seen | Unseen, memory: Memory, books: list[HostMemory]
) -> HostMemory | None:
    """What the ledger knows of this very place, under whatever name it had; its own name comes first."""
    mine = memory.hosts.get(key)
    if isinstance(look, Seen) and look.workspace_id:
        for one in chain([mine] if mine else [], books):
            if one.place.workspace_id == look.workspace_id:
                return one
    door = host.place.door
    for one in chain([mine] if mine else [], books):
        if one.place.door == door:
            return one
    return None
