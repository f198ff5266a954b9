"""How a catalog stands, asked without making or upgrading it."""

from enum import StrEnum
from pathlib import Path

from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, select, text

from forewarn.catalog.engine import Database, catalog_url, create_catalog_engine
from forewarn.catalog.tables import audit
from forewarn.catalog.upgrade import MIGRATIONS, current_revision


class CatalogState(StrEnum):
    """OLDER: `open_catalog` will bring it up to date."""

    MISSING = "missing"
    OLDER = "older"
    CURRENT = "current"


def catalog_state(url: str) -> CatalogState:
    """Raises ConfigurationError (bad URL, made by a newer Forewarn), StorageFailed (cannot be read)."""
    parsed = catalog_url(url)
    if parsed.get_backend_name() == "sqlite" and not Path(str(parsed.database)).exists():
        return CatalogState.MISSING
    script = ScriptDirectory(str(MIGRATIONS))
    database = Database(create_catalog_engine(parsed))
    try:
        with database.read() as connection:
            revision = current_revision(connection, script)
    finally:
        database.close()
    if revision is None:
        return CatalogState.MISSING
    return CatalogState.CURRENT if revision == script.get_current_head() else CatalogState.OLDER


def bypasses_row_security(connection: Connection) -> bool:
    """Whether PostgreSQL does not hold this user to row-level security. SQLite has none to bypass."""
    if connection.dialect.name != "postgresql":
        return False
    asked = text("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user")
    return bool(connection.execute(asked).scalar())


def has_audit_entries(url: str) -> bool:
    """Whether something was recorded, so that only the key it was recorded with can vouch for it. Errors as above."""
    if catalog_state(url) is CatalogState.MISSING:
        return False
    database = Database(create_catalog_engine(catalog_url(url)))
    try:
        with database.read() as connection:
            if not inspect(connection).has_table(audit.name):
                return False
            return connection.execute(select(audit.c.number).limit(1)).first() is not None
    finally:
        database.close()
