"""Leases of standby groups: one transaction a claim, the site's clock alone."""

from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, insert, select, text, update

from forewarn.catalog import lease_gaps
from forewarn.catalog.engine import Database
from forewarn.catalog.gateway_tables import gateway_leases
from forewarn.contracts.gateway_leases import NOTHING_MISSING, Lease, Missing
from forewarn.kit.clock import DAY

_C: Final = gateway_leases.c
_TOLD: Final = 200
_LATE_US: Final = 5_000_000
_KEEP_US: Final = 31 * DAY


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
        missing: Missing = NOTHING_MISSING,
    ) -> Lease:
        with self._database.write() as connection:
            if connection.dialect.name == "postgresql":
                # Claims come one after another; SQLite has one writer anyway.
                connection.execute(text("LOCK TABLE gateway_leases IN EXCLUSIVE MODE"))
            now = self._now()  # once it is our turn
            last = select(gateway_leases).where(_C.standby_group == group).order_by(_C.epoch.desc()).limit(1)
            lease = connection.execute(last).one_or_none()
            if lease is not None and lease.holder == gateway:
                covered = max(covered_until, lease.covered_until)
                gaps = lease_gaps.merged(lease.missing, missing, lease.cover_from, covered)
                _change(connection, lease, until=now + duration_us, covered_until=covered, missing=gaps)
            elif lease is None or lease.until <= now:
                lease = None if lease is None else _closed(connection, lease, newest(lease.holder), duration_us)
                begin = (covered_until or now) if lease is None else lease.covered_until
                gaps = lease_gaps.merged(None, missing, begin, begin)
                _take_over(connection, lease, group, gateway, begin, now + duration_us, gaps)
                if lease is not None:
                    _forget(connection, lease, now - _KEEP_US)
            return _answer(connection, connection.execute(last).one(), gateway)


def _change(connection: Connection, lease: Row[Any], **values: object) -> None:
    mine = (_C.standby_group == lease.standby_group) & (_C.epoch == lease.epoch)
    connection.execute(update(gateway_leases).where(mine).values(values))


def _closed(connection: Connection, lease: Row[Any], newest: int, duration_us: int) -> Row[Any]:
    """What its holder told after its last word. Only as much as fits between two words of it: more would be what it
    sent live beside a backlog that died with it, and losing that is worse than telling some of it twice."""
    if lease.covered_until < newest <= lease.covered_until + duration_us + _LATE_US:
        _change(connection, lease, covered_until=newest)
        mine = (_C.standby_group == lease.standby_group) & (_C.epoch == lease.epoch)
        return connection.execute(select(gateway_leases).where(mine)).one()
    return lease


def _take_over(
    connection: Connection,
    before: Row[Any] | None,
    group: str,
    gateway: str,
    begin: int,
    until: int,
    missing: dict[str, Any] | None,
) -> None:
    """Where nobody held it before, what lies before now is the gateway's own affair."""
    row = {
        "standby_group": group,
        "epoch": 1 if before is None else before.epoch + 1,
        "holder": gateway,
        "until": until,
        "cover_from": begin,
        "covered_until": begin,
        "missing": missing,
    }
    connection.execute(insert(gateway_leases).values(row))


def _forget(connection: Connection, replaced: Row[Any], before: int) -> None:
    """Nobody has anything left of what was told so long ago. The one that was replaced just now stays in any case: its
    partner may have been away for as long."""
    old = (_C.standby_group == replaced.standby_group) & (_C.epoch < replaced.epoch) & (_C.covered_until < before)
    connection.execute(delete(gateway_leases).where(old))


def _answer(connection: Connection, lease: Row[Any], gateway: str) -> Lease:
    """The newest row is told of even where nothing of it is covered yet: its holder may have nothing to read."""
    others = select(gateway_leases).where(_C.standby_group == lease.standby_group, _C.holder != gateway)
    rows = connection.execute(others.order_by(_C.epoch.desc()).limit(_TOLD)).all()
    covered = tuple((row.cover_from, row.covered_until) for row in reversed(rows) if row.covered_until > row.cover_from)
    gaps = [gap for row in rows for gap in lease_gaps.told_of(row, is_newest=row.epoch == lease.epoch)]
    return Lease(lease.holder, lease.until, lease.epoch, lease.cover_from, covered, lease_gaps.newest(gaps))
