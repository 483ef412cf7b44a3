"""The tables of the ledger, and how an older file becomes a newer one. Only ever append to MIGRATIONS."""

import secrets
import sqlite3

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
        "CREATE TABLE revisions (revision TEXT PRIMARY KEY, acted_at REAL NOT NULL) WITHOUT ROWID",
        """CREATE TABLE runs (
            name TEXT PRIMARY KEY, task TEXT NOT NULL, digest TEXT NOT NULL, attempt INTEGER NOT NULL,
            host TEXT NOT NULL, transport TEXT NOT NULL, address TEXT NOT NULL, user TEXT NOT NULL, port INTEGER,
            workspace_root TEXT NOT NULL, workspace_id TEXT NOT NULL,
            lease INTEGER NOT NULL, accepted INTEGER NOT NULL, state TEXT NOT NULL,
            result TEXT, reason TEXT NOT NULL, exit_code INTEGER, last INTEGER NOT NULL, guess INTEGER NOT NULL,
            rerun_key TEXT NOT NULL, sent_at REAL NOT NULL, started_at REAL, ended_at REAL, observed_at REAL,
            collected INTEGER NOT NULL, cleaned INTEGER NOT NULL, cancel TEXT NOT NULL, directory TEXT NOT NULL,
            revision TEXT NOT NULL, author TEXT NOT NULL, labels TEXT NOT NULL, summary TEXT NOT NULL
        ) WITHOUT ROWID""",
        """CREATE TABLE hosts (
            key TEXT PRIMARY KEY,
            host TEXT NOT NULL, transport TEXT NOT NULL, address TEXT NOT NULL, user TEXT NOT NULL, port INTEGER,
            workspace_root TEXT NOT NULL, workspace_id TEXT NOT NULL,
            taken INTEGER NOT NULL, seen_at REAL, drain_since REAL, stuck TEXT NOT NULL, gone INTEGER NOT NULL,
            unseen TEXT NOT NULL, facts TEXT NOT NULL, row TEXT
        ) WITHOUT ROWID""",
        """CREATE TABLE tasks (
            name TEXT PRIMARY KEY, first_seen_at REAL NOT NULL, digest TEXT NOT NULL, left_at REAL, row TEXT
        ) WITHOUT ROWID""",
        """CREATE TABLE events (
            number INTEGER PRIMARY KEY AUTOINCREMENT, time REAL NOT NULL, type TEXT NOT NULL, task TEXT NOT NULL,
            run TEXT NOT NULL, host TEXT NOT NULL, why TEXT NOT NULL, message TEXT NOT NULL
        )""",
        """CREATE TABLE documents (
            kind TEXT NOT NULL, name TEXT NOT NULL, text TEXT NOT NULL, PRIMARY KEY (kind, name)
        ) WITHOUT ROWID""",
    ),
    ("ALTER TABLE hosts ADD COLUMN reach TEXT",),
    (
        *(
            f"ALTER TABLE runs ADD COLUMN {name} TEXT NOT NULL DEFAULT ''"
            for name in (
                *("agent", "variant", "project", "phase", "worktree", "branch", "pull_request_url"),
                *("session_id", "notes", "qa"),
            )
        ),
        "ALTER TABLE runs ADD COLUMN cost_usd REAL",
        "ALTER TABLE runs ADD COLUMN cool_until REAL",
        "ALTER TABLE runs ADD COLUMN tokens INTEGER",
    ),
)


class NewerSchema(Exception):
    """The file is of a version that this program does not know."""


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the tables to the newest version, all or nothing. Raises NewerSchema, sqlite3.Error."""
    if _version(connection) == len(MIGRATIONS):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = _version(connection)  # another process may have been faster
        if version > len(MIGRATIONS):
            raise NewerSchema(f"format {version}, this one knows {len(MIGRATIONS)}")
        for statements in MIGRATIONS[version:]:
            for statement in statements:
                connection.execute(statement)
        if version == 0:
            connection.execute("INSERT INTO meta VALUES ('ledger', ?)", (secrets.token_hex(4),))
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
