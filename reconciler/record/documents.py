"""The part of the ledger that keeps the last good version of every document."""

from collections.abc import Mapping

from reconciler.model.desired import Desired
from reconciler.record.room import Room


class DocumentBook(Room):
    """Documents by kind and name, as JSON text that load/ understands."""

    def remember_documents(self, documents: Mapping[tuple[str, str], str]) -> None:
        """Good versions, which replace older ones; what is not named stays as it is. Raises LedgerError."""
        with self._looking():
            known = self.documents()
            changed = [(*key, text) for key, text in documents.items() if known.get(key) != text]
            if changed:
                with self._writing() as connection:
                    connection.executemany("INSERT OR REPLACE INTO documents VALUES (?, ?, ?)", changed)

    def documents(self) -> Mapping[tuple[str, str], str]:
        """The last good version of each document. Raises LedgerError."""
        with self._database.reading() as connection:
            return {(kind, name): text for kind, name, text in connection.execute("SELECT * FROM documents")}

    def _deleted(self, desired: Desired) -> list[tuple[str, str]]:
        """Documents that were deleted in git, as far as that can be told."""
        if not desired.complete:
            return []
        there = {
            "Task": {*desired.tasks, *desired.frozen, *desired.invalid},
            "Host": set(desired.hosts),
            "Project": set(desired.projects),
            # A tool that a task names without a document of its own is there, too.
            "Agent": {name for name, agent in desired.agents.items() if agent.source.file},
        }
        return [(kind, name) for kind, name in self.documents() if kind in there and name not in there[kind]]
