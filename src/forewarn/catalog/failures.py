"""Failed sign-ins, counted."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite

from forewarn.catalog.access_changes import RecordedStore
from forewarn.catalog.tables import sign_in_failures as table
from forewarn.domain.audit import Deed

_DAY_US: Final = 86_400_000_000


class CatalogFailures(RecordedStore):
    """The failed sign-ins of PeopleStore. They move no revision: an attacker could have every process read anew."""

    def failures(self, keys: Sequence[str]) -> Sequence[tuple[str, int, int]]:
        c = table.c
        found = select(c.failure_key, c.count, c.last_at).where(
            c.failure_key.in_(keys), c.last_at > self._now() - _DAY_US
        )
        with self._database.read() as connection:
            return [(key, count, last_at) for key, count, last_at in connection.execute(found)]

    def record_failure(self, keys: Sequence[str], at: int, deed: Deed) -> None:
        # In order, so that two writers never wait for each other's rows crosswise.
        rows = [{"failure_key": key, "count": 1, "last_at": at} for key in sorted(set(keys))]
        with self._database.write() as connection:
            connection.execute(delete(table).where(table.c.last_at <= at - _DAY_US))
            if rows:
                insert = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(table)
                again = {"count": table.c.count + 1, "last_at": insert.excluded.last_at}
                connection.execute(insert.on_conflict_do_update(index_elements=["failure_key"], set_=again), rows)
            self._audit.append(connection, deed)

    def forget_failures(self, keys: Sequence[str]) -> None:
        if keys:
            with self._database.write() as connection:
                connection.execute(delete(table).where(table.c.failure_key.in_(keys)))
