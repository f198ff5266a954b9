"""Audit logs for tests, and the hands that tamper with them."""

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, text, update

from forewarn.catalog.audit import CatalogAudit
from forewarn.catalog.engine import Database, catalog_url, create_catalog_engine
from forewarn.catalog.tables import audit_head
from forewarn.catalog.upgrade import upgrade
from forewarn.domain.audit import AuditAction, Deed
from forewarn.kit.clock import now_us

KEY = bytes(range(32))


def opened(url: str) -> Database:
    database = Database(create_catalog_engine(catalog_url(url)))
    upgrade(database)
    return database


def log_in(database: Database, anchor: Path | None, key: bytes = KEY) -> CatalogAudit:
    return CatalogAudit(database, now_us, key, anchor)


def deed(target: str = "p1", actor: str = "asha", **more: Any) -> Deed:
    return Deed(AuditAction.ALARM_ACTED, actor, target, **more)


def disarm(database: Database) -> None:
    """As somebody does who owns the database: without the triggers it lets itself be rewritten."""
    with database.write() as connection:
        if connection.dialect.name == "sqlite":
            for name in ("update", "delete", "replace"):
                connection.execute(text(f"DROP TRIGGER audit_no_{name}"))
        else:
            connection.execute(text("DROP FUNCTION audit_refuse CASCADE"))


def empty(database: Database, anchor: Path) -> None:
    with database.write() as connection:
        connection.execute(text("DELETE FROM audit"))
        set_head(connection, 0, "")
    anchor.unlink(missing_ok=True)


def set_head(connection: Connection, number: int, digest: str) -> None:
    connection.execute(delete(audit_head))
    connection.execute(audit_head.insert().values(head_id=1, number=number, digest=digest))


def move_head(connection: Connection, **values: Any) -> None:
    connection.execute(update(audit_head).values(**values))
