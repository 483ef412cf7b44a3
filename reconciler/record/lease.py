"""The part of the ledger that knows the lease: which number we act under, and which hosts were taken."""

from collections.abc import Iterable
from dataclasses import replace

from reconciler.model.host import Host
from reconciler.model.memory import HostMemory
from reconciler.record.places import key_of
from reconciler.record.records import HostRecord
from reconciler.record.room import Room


class LeaseBook(Room):
    """Lease numbers and the commits acted on."""

    def number_to_take(self, number: int, fresh: bool) -> None:
        """A number that hosts are about to be taken with, durable; `fresh` starts a new epoch. Raises LedgerError."""
        with self._looking() as held, self._writing(durable=True) as connection:
            held.put_meta(connection, "number", str(number))
            if fresh:
                held.put_meta(connection, "epoch", str(number))
                held.put_meta(connection, "whole", "0")

    def taken(self, host: Host, workspace_id: str, number: int, now: float) -> None:
        """A host obeys `number` now; what its workspace was called before is the same place. Raises LedgerError."""
        with self._looking() as held:
            own, place = key_of(held.hosts, host), replace(host.place, workspace_id=workspace_id)
            old = held.hosts.get(own)
            memory = old.memory if old else HostMemory(place, reach=None if host.former else host.reach)
            former = [
                key
                for key, record in held.hosts.items()
                if key != own and place.workspace_id and record.memory.place.workspace_id == place.workspace_id
            ]
            memory = replace(memory, place=place, taken=number, seen_at=now)
            fresh = replace(old, memory=memory) if old else HostRecord(memory)
            with self._writing() as connection:
                for key in former:
                    held.remove_host(connection, key)
                held.put_host(connection, own, fresh)

    def whole(self) -> None:
        """Every host was taken since a foreign ledger was last met. Raises LedgerError."""
        with self._looking() as held:
            if held.meta.get("whole") != "1":
                with self._writing() as connection:
                    held.put_meta(connection, "whole", "1")

    def revision_sent(self, revision: str, now: float, *, whole: bool = True) -> None:
        """This commit is about to be shown to hosts as acted on, by this ledger. Raises LedgerError.

        `whole`: nothing of it is held back, so it is the one that later history has to contain.
        """
        with self._looking() as held:
            if revision not in held.revisions or (whole and held.meta.get("begun") != revision):
                with self._writing() as connection:
                    if revision not in held.revisions:
                        held.put_revision(connection, revision, now)
                    if whole:
                        held.put_meta(connection, "begun", revision)

    def revision_acted(self, revision: str, now: float) -> None:
        """This commit was acted on. Raises LedgerError."""
        with self._looking() as held:
            if held.meta.get("revision") != revision or revision not in held.revisions:
                with self._writing(durable=True) as connection:
                    held.put_meta(connection, "revision", revision)
                    held.put_revision(connection, revision, now)
            if held.meta.get("begun") != revision:
                with self._writing() as connection:
                    held.put_meta(connection, "begun", revision)

    def overruled(self, revisions: Iterable[str], now: float) -> None:
        """A person has approved that we act where somebody else acted on these commits. Raises LedgerError."""
        with self._looking() as held:
            if fresh := sorted(set(revisions) - held.revisions):
                with self._writing(durable=True) as connection:
                    for revision in fresh:
                        held.put_revision(connection, revision, now)

    def last_revision(self) -> str:
        """The commit last acted on; empty when there was none."""
        with self._looking() as held:
            return held.meta.get("revision", "")

    def begun_revision(self) -> str:
        """The commit that was last acted on without holding anything back, if only in part; empty for none."""
        with self._looking() as held:
            return held.meta.get("begun") or held.meta.get("revision", "")

    def own_revisions(self) -> frozenset[str]:
        """All commits this ledger has acted on, or has overruled."""
        with self._looking() as held:
            return held.revisions
