"""The good documents of earlier commits, which stand in for what is wrong now."""

import json
from collections.abc import Iterator, Mapping

from reconciler.load.documents import Document, Slot
from reconciler.load.gather import key


class Remembered(Mapping[Slot, Document]):
    """Documents by what they may be declared once as. One that is text is read when it is asked for: mostly none is."""

    def __init__(self, documents: Mapping[Slot, Document | str]) -> None:
        """A text is what the ledger has: `Document.to_json` as JSON."""
        self._documents = {key(slot): document for slot, document in documents.items()}

    def __getitem__(self, slot: Slot) -> Document:
        found = self._documents[slot]
        return found if isinstance(found, Document) else Document.from_json(json.loads(found))

    def __iter__(self) -> Iterator[Slot]:
        return iter(self._documents)

    def __len__(self) -> int:
        return len(self._documents)

    def __or__(self, others: Mapping[Slot, Document]) -> "Remembered":
        return Remembered({**self._documents, **others})
