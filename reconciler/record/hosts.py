"""The part of the ledger that knows places: reports merged, outages, drains, what is forgotten."""

from collections.abc import Iterable
from dataclasses import replace

from reconciler.model.host import Facts, Host, Reach
from reconciler.model.memory import HostMemory
from reconciler.model.observed import Seen
from reconciler.model.rows import Event, EventType
from reconciler.record.held import Held
from reconciler.record.merge import merge
from reconciler.record.places import address_of, key_of, place_of, spare_key
from reconciler.record.records import HostRecord, RunRecord
from reconciler.record.room import Room
from reconciler.show.escape import safe


class HostBook(Room):
    """Places and their reports."""

    _draining: frozenset[str] = frozenset()

    def observe(self, host: Host, seen: Seen, now: float) -> list[Event]:
        """Merge a full report; gives what is news. Costs no transaction when nothing changed. Raises LedgerError.

        The past of a run that had ended before this ledger heard of it is recorded, but is no news.
        """
        with self._looking() as held:
            key = key_of(held.hosts, host)
            old = held.hosts.get(key)
            fresh, parted = self._seen(key, old, host, seen, now)
            news = [Event(now, EventType.SEEN, host=key)] if old is not None and old.unseen else []
            runs, turns, history = _merged(held, host, seen, fresh, now)
            runs += _absent(held, seen, old, fresh)
            if not (runs or news or history or parted) and old is not None and _alike(old, fresh):
                held.hold_host(key, fresh)
                return []
            with self._writing() as connection:
                if parted and old is not None:
                    held.put_host(connection, spare_key(held.hosts, old.memory.place), replace(old, row=None))
                held.put_host(connection, key, fresh)
                for record in runs:
                    held.put_run(connection, record)
                self._note(connection, history)
                return self._note(connection, news + turns)

    def unseen(self, host: Host, why: str, now: float) -> list[Event]:
        """It cannot be asked; an event once per outage. Raises LedgerError."""
        with self._looking() as held:
            key = key_of(held.hosts, host)
            old = held.hosts.get(key)
            why = safe(why) or "no answer"
            if old is not None and old.unseen == why:
                return []
            record = old or HostRecord(self._first(key, host, now))
            news = [] if old is not None and old.unseen else [Event(now, EventType.UNSEEN, host=key, why=why)]
            with self._writing() as connection:
                held.put_host(connection, key, replace(record, unseen=why))
                return self._note(connection, news)

    def drains(self, names: Iterable[str], now: float) -> None:
        """Hosts that drain now; the time counts from the first call that names one. Raises LedgerError."""
        self._draining = frozenset(names)
        with self._looking() as held:
            changed = {
                key: replace(record, memory=replace(record.memory, drain_since=now if key in self._draining else None))
                for key, record in held.hosts.items()
                if (record.memory.drain_since is not None) != (key in self._draining)
            }
            if changed:
                with self._writing() as connection:
                    for key, record in changed.items():
                        held.put_host(connection, key, record)

    def forget(self, names: Iterable[str]) -> None:
        """Former places with nothing left on them go off the books. Raises LedgerError."""
        with self._looking() as held:
            for name in names:
                base, address = address_of(name)
                key = name if name in held.hosts else base
                record = held.hosts.get(key)
                if record is not None and address not in ("", record.memory.place.address):
                    record = None
                done = [run for run in held.runs.values() if _lay_there(run, record, base, address)]
                if record is None and not done:
                    continue
                with self._writing() as connection:
                    if record is not None:
                        held.remove_host(connection, key)
                    for run in done:
                        held.put_run(connection, replace(run, memory=replace(run.memory, cleaned=True)))

    def flush(self) -> None:
        """Write when hosts were last seen, which is not worth a transaction at every report. Raises LedgerError."""
        with self._looking() as held:
            if held.loose:
                with self._writing() as connection:
                    for key in sorted(held.loose):
                        held.put_host(connection, key, held.hosts[key])

    def _first(self, key: str, host: Host, now: float) -> HostMemory:
        return HostMemory(
            host.place, drain_since=now if key in self._draining else None, gone=host.gone, reach=_reach(host, None)
        )

    def _seen(self, key: str, old: HostRecord | None, host: Host, seen: Seen, now: float) -> tuple[HostRecord, bool]:
        """The record of a host that was seen, and whether the old one is that of another place, to be kept apart."""
        known = old.memory if old else self._first(key, host, now)
        place = place_of(host, seen, known.place)
        rebuilt = known.place.workspace_id not in ("", place.workspace_id)
        parted = old is not None and rebuilt and place.door != known.place.door
        if parted:
            known = self._first(key, host, now)
        memory = replace(
            known,
            place=place,
            taken=seen.taken or (0 if rebuilt else known.taken),
            seen_at=now,
            drain_since=None if known.drain_since is None else min(known.drain_since, now),  # the clock may be set back
            stuck=f"processes of {', '.join(seen.stuck)} survived KILL" if seen.stuck else "",
            gone=known.gone if host.former else host.gone,
            reach=_reach(host, known),
            boot_id=seen.facts.boot_id,
        )
        return HostRecord(memory, "", _facts(old, seen.facts), old.row if old else None), parted


def _merged(
    held: Held, host: Host, seen: Seen, record: HostRecord, now: float
) -> tuple[list[RunRecord], list[Event], list[Event]]:
    """Changed runs, what is news of them, and what had happened before they were heard of."""
    there = replace(host.place, workspace_id=seen.workspace_id)
    own = record.memory.place.workspace_id == seen.workspace_id  # else its workspace still goes by another host's name
    changed: list[RunRecord] = []
    news: list[Event] = []
    history: list[Event] = []
    runs = held.runs
    for name, report in seen.runs.items():
        known = runs.get(name)
        place = there
        if known is not None:
            same = known.memory.place.workspace_id == seen.workspace_id
            place = known.memory.place if same and (not own or known.memory.place == there) else there
        fresh, turns = merge(known, report, place, now)
        if fresh is known:
            continue
        changed.append(fresh)
        events = [
            Event(turn.at, turn.type, report.name.task, name, record.memory.place.host, turn.why) for turn in turns
        ]
        (history if known is None and fresh.memory.result is not None else news).extend(events)
    return changed, news, history


def _absent(held: Held, seen: Seen, old: HostRecord | None, fresh: HostRecord) -> list[RunRecord]:
    """Ended runs that a full report of their place does not show: nothing of them is left."""
    workspaces = {seen.workspace_id} - {""}
    if old is not None and old.memory.place.door == fresh.memory.place.door:
        workspaces |= {old.memory.place.workspace_id} - {""}  # it was wiped
    gone = []
    for workspace in workspaces:
        for name in sorted(held.left(workspace) - seen.runs.keys()):
            record = held.runs[name]
            if record.memory.result is not None:
                gone.append(replace(record, memory=replace(record.memory, cleaned=True)))
    return gone


def _facts(old: HostRecord | None, fresh: Facts) -> Facts:
    """Programs and their versions are not looked for each time: they stay until the machine starts anew."""
    if old is None or old.facts.boot_id != fresh.boot_id:
        return fresh
    programs = {**old.facts.programs, **fresh.programs}
    return replace(fresh, programs=programs, tools=fresh.tools or old.facts.tools)


def _reach(host: Host, known: HostMemory | None) -> Reach | None:
    if host.former:
        return known.reach if known else None
    return host.reach


def _alike(old: HostRecord, fresh: HostRecord) -> bool:
    """Whether they differ in nothing but figures that change at every look."""
    return replace(fresh, facts=old.facts, memory=replace(fresh.memory, seen_at=old.memory.seen_at)) == old


def _lay_there(run: RunRecord, record: HostRecord | None, base: str, address: str) -> bool:
    place = run.memory.place
    if run.memory.cleaned or run.memory.result is None:
        return False
    if record is not None:
        kept = record.memory.place
        return place.workspace_id == kept.workspace_id if kept.workspace_id else place.door == kept.door
    return place.host == base and address in ("", place.address)
