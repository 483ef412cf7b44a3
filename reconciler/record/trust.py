"""The part of the ledger that knows which commits were verified, and which one is not acted on."""

from reconciler.record.room import Room


class TrustBook(Room):
    """The last verified commit, as JSON text that engine/ understands; and the last one that was refused."""

    def verified(self) -> str:
        """The record of the last verified commit; empty when nothing is verified."""
        with self._looking() as held:
            return held.meta.get("verified", "")

    def verify(self, record: str) -> None:
        """Remember it, durable: an older commit must not pass for a new one after a crash. Raises LedgerError."""
        with self._looking() as held:
            if held.meta.get("verified", "") != record:
                with self._writing(durable=True) as connection:
                    held.put_meta(connection, "verified", record)

    def commit_refused(self) -> str:
        """What was said of the commit that is not acted on; empty when there is none."""
        with self._looking() as held:
            return held.meta.get("refused", "")

    def refuse_commit(self, said: str) -> bool:
        """Remember it, or that there is none any more (no text); says whether that is news. Raises LedgerError."""
        with self._looking() as held:
            if held.meta.get("refused", "") == said:
                return False
            with self._writing() as connection:
                held.put_meta(connection, "refused", said)
            return True
