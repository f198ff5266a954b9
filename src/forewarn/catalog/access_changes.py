"""What every change of people, sessions and machines does besides: waits its turn, counts up, is recorded."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, insert, select, update

from forewarn.catalog.audit import CatalogAudit
from forewarn.catalog.engine import Database
from forewarn.catalog.tables import access_revision, grants
from forewarn.domain.access import Grant, Role
from forewarn.domain.audit import Deed

_ONLY: Final = access_revision.c.access_id == 1


class RecordedStore:
    """A store whose changes are in the audit log, or not made."""

    def __init__(self, database: Database, now: Callable[[], int], audit: CatalogAudit) -> None:
        self._database, self._now, self._audit = database, now, audit

    @contextmanager
    def _changing(self) -> Iterator[Connection]:
        """A transaction that changes come through one after another, by whatever process: what it looks up (whether a
        name is free, who else is an admin) stays true until it is committed."""
        with self._database.write() as connection:
            connection.execute(select(access_revision).where(_ONLY).with_for_update())
            yield connection

    def _record(self, connection: Connection, deed: Deed) -> None:
        count_up(connection)
        self._audit.append(connection, deed)


def count_up(connection: Connection) -> None:
    connection.execute(update(access_revision).where(_ONLY).values(revision=access_revision.c.revision + 1))


def read_revision(connection: Connection) -> int:
    return int(connection.execute(select(access_revision.c.revision).where(_ONLY)).scalar_one())


def write_grants(connection: Connection, holder_id: str, held: Iterable[Grant]) -> None:
    """In place of those the holder had."""
    connection.execute(delete(grants).where(grants.c.holder_id == holder_id))
    rows = [{"holder_id": holder_id, "role": grant.role.value, "path": grant.path} for grant in in_order(held)]
    if rows:
        connection.execute(insert(grants), rows)


def in_order(held: Iterable[Grant]) -> tuple[Grant, ...]:
    """As they are read again: each once, by path and role."""
    return tuple(sorted(set(held), key=lambda grant: (grant.path, grant.role.value)))


def grants_of(rows: Iterable[Row[Any]]) -> tuple[Grant, ...]:
    """From rows of a holder outer-joined with its grants."""
    return in_order(Grant(Role(row.role), row.path) for row in rows if row.role is not None)
