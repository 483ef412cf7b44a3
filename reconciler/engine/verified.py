"""Where commits have to be signed: which one is acted on, and what the ledger remembers of that."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from reconciler.errors import ReconcilerError, UsageError
from reconciler.load.documents import Parser, Slot
from reconciler.load.fleet import Loaded, load, signers_at
from reconciler.load.git import Repository
from reconciler.model.trust import Refusal, Signer
from reconciler.record.ledger import Ledger
from reconciler.verify.trust import Record, follow, meet

Remembered = Mapping[Slot, str]  # documents, as the ledger has them


class Refused(ReconcilerError):
    """The newest commit is not signed as it has to be, and there is no earlier one to go on with."""

    name = "invalid"


@dataclass(frozen=True, slots=True)
class Verified:
    """Follows the commits of a repository as far as they are signed; `pinned` keys count instead of its own."""

    repository: Repository
    parser: Parser
    pinned: tuple[Signer, ...] = ()

    def load(self, ledger: Ledger, head: str, remembered: Remembered) -> tuple[Loaded, Refusal | None]:
        """Return what the commit says that is acted on when the branch is at `head`, and why that is another one.

        Raises Refused when there is none to go on with, RepositoryError."""
        record, last = Record.of(ledger.verified()), ""
        if record is not None:
            record, refusal = follow(self.repository, head, record, self.pinned, self._signers_at)
            if refusal or record.commit == head:
                ledger.verify(record.text() if self.pinned or record.signers else "")
                return self._standing(record.commit, remembered, refusal)
            last = record.commit  # it turned verification off: what follows it is met anew
        loaded = load(self.repository, head, self.parser, remembered)
        signers = loaded.desired.fleet.signers if loaded.desired else ()
        allowed = self.pinned or signers
        refusal = meet(self.repository, head, allowed) if allowed else None
        if refusal is None:
            ledger.verify(Record(head, signers).text() if allowed else "")
            return loaded, None
        # What was acted on before anybody asked for signatures stands, unless keys were pinned: they always asked.
        last = last or ("" if self.pinned else ledger.begun_revision())
        if last in ("", head):
            raise Refused(str(refusal))
        return self._standing(last, remembered, replace(refusal, stands=last))

    def trust(self, ledger: Ledger, commit: str, head: str) -> str:
        """A person vouches for a commit, signed or not: what follows is verified from there. Return its whole id.

        Raises UsageError for what is no commit id, ReconcilerError for one that `head` does not contain."""
        if not re.fullmatch(r"[0-9a-f]{7,64}", commit):
            raise UsageError(f"--trust {commit}: give the commit's id, a name may mean another commit tomorrow")
        found = self.repository.resolve(commit)
        if not found.startswith(commit) or not self.repository.is_ancestor(found, head):
            raise ReconcilerError(f"--trust {commit}: the branch, now at {head[:12]}, does not contain this commit")
        loaded = load(self.repository, found, self.parser, {})
        signers = loaded.desired.fleet.signers if loaded.desired else ()
        ledger.verify(Record(found, signers).text() if self.pinned or signers else "")
        return found

    def _standing(self, commit: str, remembered: Remembered, refusal: Refusal | None) -> tuple[Loaded, Refusal | None]:
        try:
            return load(self.repository, commit, self.parser, remembered), refusal
        except ReconcilerError:
            if refusal is None:
                raise
            raise Refused(f"{replace(refusal, stands='')} ({commit[:12]} cannot be read any more)") from None

    def _signers_at(self, commit: str) -> tuple[Signer, ...] | None:
        return signers_at(self.repository, commit, self.parser)
