"""How a catalog stands, asked without making or upgrading it."""

from enum import StrEnum
from pathlib import Path

from alembic.script import ScriptDirectory

from forewarn.catalog.engine import Database, catalog_url, create_catalog_engine
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
