"""Bringing a database to the schema this code knows, with several processes at the door."""

import sqlite3
import threading
import time
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from forewarn.catalog.engine import Database
from forewarn.domain.errors import ConfigurationError, StorageFailed

MIGRATIONS: Final = Path(__file__).parent / "migrations"
_LOCK: Final = 0x466F7265  # "Fore": the advisory lock under which PostgreSQL is upgraded
_ATTEMPTS: Final = 100
_one_at_a_time = threading.Lock()  # Alembic keeps its context in a module


def upgrade(database: Database) -> None:
    """Run what migrations are missing, in one transaction under a lock.

    Raises ConfigurationError when the database was made by a newer Forewarn, StorageFailed when it refuses.
    """
    script = ScriptDirectory(str(MIGRATIONS))
    if database.engine.dialect.name == "sqlite":
        _use_wal(database)
    with database.read() as connection:
        if current_revision(connection, script) == script.get_current_head():
            return
    with _one_at_a_time, database.write() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        if current_revision(connection, script) != script.get_current_head():
            _run(connection)


def current_revision(connection: Connection, script: ScriptDirectory) -> str | None:
    """Raises ConfigurationError when a newer Forewarn made the database."""
    revision = MigrationContext.configure(connection).get_current_revision()
    known = {r.revision for r in script.walk_revisions()}
    if revision is not None and revision not in known:
        raise ConfigurationError(
            f"the catalog {connection.engine.url.render_as_string()} is at revision {revision!r}, which this Forewarn"
            " does not know: a newer version made it. Install that version or newer, or restore an older backup"
        )
    return revision


def _run(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _use_wal(database: Database) -> None:
    """Write-ahead logging is a property of the file; switching to it does not wait for others by itself."""
    for attempt in range(_ATTEMPTS):
        try:
            if _journal_mode(database) == "wal":
                return
        except sqlite3.Error as error:
            if attempt == _ATTEMPTS - 1 or "locked" not in str(error):
                raise StorageFailed(f"the catalog {database.engine.url.database} cannot be used: {error}") from error
        time.sleep(0.05)
    raise StorageFailed(f"the catalog {database.engine.url.database} cannot use write-ahead logging on its file system")


def _journal_mode(database: Database) -> str:
    raw = database.engine.raw_connection()
    try:
        cursor = raw.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")
        mode = cursor.fetchone()
        return str(mode[0]) if mode else ""
    finally:
        raw.close()
