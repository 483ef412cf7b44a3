"""What a controller keeps on its own disk: the real ledger in memory, results and logs in a dictionary."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from pathlib import Path

from reconciler.model.host import Place
from reconciler.record.archive import EDGE, Archive
from reconciler.record.database import Database
from reconciler.record.ledger import Ledger
from reconciler.record.schema import migrate

Hook = Callable[[str], None]


@cache
def _empty() -> bytes:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection)
    return connection.serialize()


class Disk(Database):
    """A database that tells before and after each transaction, so that its owner can be killed there."""

    hook: Hook = staticmethod(lambda where: None)

    def changed_elsewhere(self) -> bool:
        """Nobody else writes it."""
        return False

    def reading(self) -> AbstractContextManager[sqlite3.Connection]:
        """As in Database, for one thread."""
        return nullcontext(self._connection)

    @contextmanager
    def writing(self, *, durable: bool = False) -> Iterator[sqlite3.Connection]:
        """As in Database, in memory, where nothing is durable."""
        self.hook("before a transaction")
        self._connection.execute("BEGIN")
        try:
            yield self._connection
            self._connection.execute("COMMIT")
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self.hook("after a transaction")


class Shelf(Archive):
    """The archive as a dictionary: what has come in stays, whoever is killed."""

    def __init__(self) -> None:
        self.files: dict[tuple[str, str], bytes] = {}

    def size(self, run: str, file: str) -> int:
        return len(self.files.get((run, file), b""))

    def write(self, run: str, file: str, offset: int | None, data: bytes, *, more: bool = False) -> None:
        here = self.files.get((run, file), b"")
        if offset is None:
            self.files[run, file] = data
        elif offset <= len(here):
            self.files[run, file] = here[:offset] + data

    def read(self, run: str, file: str) -> bytes | None:
        return self.files.get((run, file))

    def edges(self, run: str, file: str, most: int = EDGE) -> bytes:
        return self.files.get((run, file), b"")

    def has(self, run: str) -> bool:
        return any(run == one for one, _ in self.files)


class State:
    """The state folder of one controller. It outlives the process; a copy of it can be put back later."""

    def __init__(self, ledger: str, image: bytes | None = None) -> None:
        """`ledger`: its id, 8 hex digits; `image`: of an older state."""
        connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        connection.deserialize(image or _empty())
        if image is None:
            connection.execute("UPDATE meta SET value = ? WHERE key = 'ledger'", (ledger,))
        self._connection = connection
        self.shelf = Shelf()

    def open(self, hook: Hook) -> Ledger:
        """As a process that starts: nothing but what was committed is there."""
        if self._connection.in_transaction:
            self._connection.rollback()
        disk = Disk(Path("/simulated/ledger.db"), self._connection)
        disk.hook = hook
        return Ledger(disk)

    def image(self) -> bytes:
        """A copy of the ledger as it is now."""
        return self._connection.serialize()

    def restored(self, image: bytes) -> "State":
        """This state with an older ledger; what was collected is still here."""
        fresh = State("", image)
        fresh.shelf = self.shelf
        return fresh

    def places(self) -> list[tuple[Place, tuple[str, ...]]]:
        """Where hosts and runs were as far as the ledger knows, and the host keys that were pinned there."""
        memory = self.open(lambda where: None).memory()
        hosts = [(one.place, one.reach.host_keys if one.reach else ()) for one in memory.hosts.values()]
        return hosts + [(one.place, ()) for one in memory.runs.values()]
