"""A ledger on disk for every test that asks for one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.record.ledger import Ledger


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "ledger.db"


@pytest.fixture
def ledger(file: Path) -> Iterator[Ledger]:
    with Ledger.open(file) as opened:
        yield opened
