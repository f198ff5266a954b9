"""Alembic's door. The catalog hands in an open connection; a developer gives `-x url=...` to write a new revision."""

from alembic import context
from sqlalchemy import Connection

from forewarn.catalog.engine import Database, catalog_url, create_catalog_engine
from forewarn.catalog.tables import metadata


def _migrate(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


given: Connection | None = context.config.attributes.get("connection")
if given is not None:
    _migrate(given)
else:
    url = context.get_x_argument(as_dictionary=True)["url"]
    with Database(create_catalog_engine(catalog_url(url))).write() as opened:
        _migrate(opened)
