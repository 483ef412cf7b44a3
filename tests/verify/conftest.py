"""Keys that are made once, and a fleet whose commits are followed."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconciler.engine.desired import Wanted
from reconciler.load.git import open_repository
from reconciler.model.desired import Desired
from reconciler.model.trust import Signer
from reconciler.record.ledger import Ledger
from tests.load.repositories import Work
from tests.verify.keys import Keys, fleet, signed


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keys]:
    """jane, joe and mallory have keys of SSH, gil one of GPG."""
    made = Keys(tmp_path_factory.mktemp("keys"))
    for name in ("jane", "joe", "mallory"):
        made.ssh(name)
    made.gpg("gil")
    yield made
    made.close()


@dataclass
class Followed:
    """A fleet repository with a ledger, read as a controller reads it."""

    work: Work
    ledger: Ledger
    keys: Keys
    pinned: tuple[Signer, ...] = ()

    def __post_init__(self) -> None:
        self.wanted = Wanted(open_repository(str(self.work.path), self.work.path), "main", pinned=self.pinned)

    def public(self, *names: str) -> dict[str, str]:
        """Names with keys."""
        return {name: self.key(name) for name in names}

    def key(self, name: str) -> str:
        path = self.keys.folder / f"{name}.pub"
        return path.read_text().strip() if path.exists() else self.keys.exported(name)

    def commit(self, by: str, files: dict[str, str | None] | None = None, allow: tuple[str, ...] | None = None) -> str:
        """Commit as somebody, with a Fleet that allows these people."""
        files = dict(files or {})
        if allow is not None:
            files["fleet.yaml"] = fleet(self.public(*allow))
        return signed(self.work, self.keys, by, files)

    def read(self) -> Desired:
        """The commit that is acted on."""
        desired, documents = self.wanted.read(self.ledger)
        self.ledger.remember_documents({each.slot: json.dumps(each.to_json()) for each in documents})
        self.ledger.revision_acted(desired.revision, 1.0)
        return desired

    def why(self) -> str:
        """Why the head is not acted on."""
        refused = self.read().refused
        return refused.why if refused else ""


@pytest.fixture
def followed(tmp_path: Path, keys: Keys) -> Iterator[Followed]:
    """An empty repository."""
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        yield Followed(Work(tmp_path / "fleet"), ledger, keys)
