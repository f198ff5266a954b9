"""Leases of standby groups: one transaction a claim, the site's clock alone."""

from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import Connection, Row, insert, select, text, update

from forewarn.catalog.engine import Database
from forewarn.catalog.gateway_tables import gateway_leases
from forewarn.contracts.gateway_leases import Lease

_C: Final = gateway_leases.c
_TOLD: Final = 200
_LATE_US: Final = 5_000_000


class CatalogLeases:
    """GatewayLeases in the catalog."""

    def __init__(self, database: Database, now: Callable[[], int]) -> None:
        self._database, self._now = database, now

    def claim(
        self,
        group: str,
        gateway: str,
        covered_until: int,
        duration_us: int,
        newest: Callable[[str], int] = lambda _gateway: 0,
    ) -> Lease:
        with self._database.write() as connection:
            if connection.dialect.name == "postgresql":
                # Claims come one after another; SQLite has one writer anyway.
                connection.execute(text("LOCK TABLE gateway_leases IN EXCLUSIVE MODE"))
            now = self._now()  # once it is our turn
            last = select(gateway_leases).where(_C.standby_group == group).order_by(_C.epoch.desc()).limit(1)
            lease = connection.execute(last).one_or_none()
            if lease is not None and lease.holder == gateway:
                _stay(connection, lease, max(covered_until, lease.covered_until), now + duration_us)
            elif lease is None or lease.until <= now:
                lease = None if lease is None else _closed(connection, lease, newest(lease.holder), duration_us)
                begin = (covered_until or now) if lease is None else lease.covered_until
                _take_over(connection, lease, group, gateway, begin, now + duration_us)
            return _answer(connection, connection.execute(last).one(), gateway)


def _stay(connection: Connection, lease: Row[Any], covered_until: int, until: int) -> None:
    mine = (_C.standby_group == lease.standby_group) & (_C.epoch == lease.epoch)
    connection.execute(update(gateway_leases).where(mine).values(until=until, covered_until=covered_until))


def _closed(connection: Connection, lease: Row[Any], newest: int, duration_us: int) -> Row[Any]:
    """What its holder told after its last word. Only as much as fits between two words of it: more would be what it
    sent live beside a backlog that died with it, and losing that is worse than telling some of it twice."""
    if lease.covered_until < newest <= lease.covered_until + duration_us + _LATE_US:
        _stay(connection, lease, newest, lease.until)
        mine = (_C.standby_group == lease.standby_group) & (_C.epoch == lease.epoch)
        return connection.execute(select(gateway_leases).where(mine)).one()
    return lease


def _take_over(
    connection: Connection, before: Row[Any] | None, group: str, gateway: str, begin: int, until: int
) -> None:
    """Where nobody held it before, what lies before now is the gateway's own affair."""
    row = {
        "standby_group": group,
        "epoch": 1 if before is None else before.epoch + 1,
        "holder": gateway,
        "until": until,
        "cover_from": begin,
        "covered_until": begin,
    }
    connection.execute(insert(gateway_leases).values(row))


def _answer(connection: Connection, lease: Row[Any], gateway: str) -> Lease:
    others = select(_C.cover_from, _C.covered_until).where(
        _C.standby_group == lease.standby_group, _C.holder != gateway, _C.covered_until > _C.cover_from
    )
    spans = connection.execute(others.order_by(_C.epoch.desc()).limit(_TOLD)).all()
    covered = tuple((span.cover_from, span.covered_until) for span in reversed(spans))
    return Lease(lease.holder, lease.until, lease.epoch, lease.cover_from, covered)
