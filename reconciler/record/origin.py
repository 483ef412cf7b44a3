"""Whether a ledger is still the file that was written last: a copy that was put back has forgotten what came after."""

import fcntl
import os
import secrets
import sqlite3
import struct
from contextlib import suppress
from pathlib import Path

_GENERATION = 0x80087601  # FS_IOC_GETVERSION: differs when a file gets the number of one that was removed


def disown(connection: sqlite3.Connection, path: Path) -> None:
    """Make a ledger of its own of what is a copy: another id, and no number, so that it takes every host before it
    starts anything. Takes an open connection to the tables of the file `path`. Raises sqlite3.Error, OSError.
    """
    here = _origin(path)
    kept = connection.execute("SELECT value FROM meta WHERE key = 'origin'").fetchone()
    if kept == (here,):
        return
    values = {"origin": here}
    if kept is not None:
        values |= {"ledger": secrets.token_hex(4), "number": "0", "epoch": "0", "whole": "0"}
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", values.items())
    connection.execute("COMMIT")


def _origin(path: Path) -> str:
    """This machine and this file on it."""
    machine = ""
    with suppress(OSError):
        machine = Path("/etc/machine-id").read_text().strip()
    there, generation = path.stat(), 0
    # Through the descriptor that SQLite has open: to close another one of the same file would drop SQLite's locks.
    with suppress(OSError):
        for entry in Path("/proc/self/fd").iterdir():
            with suppress(OSError):
                descriptor = int(entry.name)
                if os.path.samestat(os.fstat(descriptor), there):
                    (generation,) = struct.unpack("q", fcntl.ioctl(descriptor, _GENERATION, bytes(8)))
                    break
    return f"{machine}:{there.st_ino}:{generation}"
