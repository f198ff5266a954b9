"""Edge gateways: what they said, what is wrong with them, what is asked of them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Row, case, delete, func, insert, select, tuple_, update

from forewarn.catalog.engine import Database, upsert
from forewarn.catalog.gateway_tables import gateway_conditions, gateway_requests, gateways
from forewarn.catalog.recording import Recorder, record
from forewarn.contracts.gateway_records import GatewayRecord, PastCondition, RawRequest
from forewarn.domain.audit import Deed
from forewarn.domain.conditions import ConditionCode, GatewayCondition
from forewarn.domain.errors import Conflict, NotFound
from forewarn.domain.gateways import GatewayStatus, Reduction
from forewarn.policies.whole_stretches import continued

_MOST_ASKED: Final = 20
_KEPT: Final = ("first_seen", "signal_table", "signals", "scored")
_STATUS: Final = ("first_seen", "last_seen", "version", "role", "public_key", "status")
_AWAY: Final = "no heartbeat from this gateway; look at its power and its network, and at its own page"


class CatalogGateways:
    """GatewayStore in the catalog."""

    def __init__(self, database: Database, now: Callable[[], int], audit: Recorder | None = None) -> None:
        self._database, self._now, self._audit = database, now, audit

    def gateways(self) -> Sequence[GatewayRecord]:
        with self._database.read() as connection:
            return [_gateway(row) for row in connection.execute(select(gateways).order_by(gateways.c.name))]

    def gateway(self, name: str) -> GatewayRecord:
        with self._database.read() as connection:
            return _gateway(_one(connection, name))

    def keep_signals(self, name: str, table: str, signals: Sequence[str], scored: Sequence[str]) -> None:
        values = {"signal_table": table, "signals": list(signals), "scored": list(scored)}
        with self._database.write() as connection:
            upsert(connection, gateways, [_new(name, self._now()) | values], keep=_STATUS)

    def keep_scored(self, name: str, scored: Sequence[str]) -> None:
        with self._database.write() as connection:
            connection.execute(update(gateways).where(gateways.c.name == name).values(scored=list(scored)))

    def beat(self, status: GatewayStatus, done: Sequence[str]) -> Sequence[RawRequest]:
        now = self._now()
        with self._database.write() as connection:
            status = replace(status, reductions=_reductions(connection, status, now))
            told = {
                "last_seen": now,
                "version": status.version,
                "role": status.role.value,
                "public_key": status.public_key,
                "status": msgspec.to_builtins(status),
            }
            upsert(connection, gateways, [_new(status.name, now) | told], keep=_KEPT)
            _follow(connection, status, now)
            return _settle(connection, status.name, done, now)

    def note_away(self, since: int) -> None:
        c = gateway_conditions.c
        known = select(c.gateway).where(c.code == ConditionCode.UNREACHABLE, c.subject == "", c.ended_at.is_(None))
        away = select(gateways.c.name, gateways.c.last_seen).where(
            gateways.c.last_seen < since, gateways.c.name.not_in(known)
        )
        with self._database.read() as connection:
            found = connection.execute(away).all()
        if found:
            rows = [_row(name, GatewayCondition(ConditionCode.UNREACHABLE, "", at, at, _AWAY)) for name, at in found]
            with self._database.write() as connection:
                upsert(connection, gateway_conditions, rows)

    def conditions(self, name: str, limit: int) -> Sequence[PastCondition]:
        c = gateway_conditions.c
        query = select(gateway_conditions).where(c.gateway == name)
        query = query.order_by(case((c.ended_at.is_(None), 0), else_=1), c.since.desc(), c.code, c.subject)
        with self._database.read() as connection:
            return [_condition(row) for row in connection.execute(query.limit(limit))]

    def ask(self, request: RawRequest, deed: Deed) -> None:
        c = gateway_requests.c
        open_ones = select(func.count()).where(c.gateway == request.gateway, c.done_at.is_(None))
        with self._database.write() as connection:
            _one(connection, request.gateway)
            if connection.execute(open_ones).scalar_one() >= _MOST_ASKED:
                raise Conflict(
                    f"{_MOST_ASKED} requests wait for gateway {request.gateway} already; ask again when some are done"
                )
            connection.execute(insert(gateway_requests).values(_of_request(request)))
            record(self._audit, connection, deed)

    def requests(self, name: str, limit: int) -> Sequence[RawRequest]:
        c = gateway_requests.c
        query = select(gateway_requests).where(c.gateway == name).order_by(c.asked_at.desc(), c.request_id)
        with self._database.read() as connection:
            return [_request(row) for row in connection.execute(query.limit(limit))]

    def cancel(self, name: str, request_id: str, deed: Deed) -> None:
        c = gateway_requests.c
        mine = (c.gateway == name) & (c.request_id == request_id)
        with self._database.write() as connection:
            row = connection.execute(select(gateway_requests).where(mine).with_for_update()).one_or_none()
            if row is None:
                raise NotFound(f"there is no request {request_id!r} of gateway {name!r}")
            if row.done_at is not None:
                raise Conflict(f"request {request_id} is done: what the gateway held has been sent")
            connection.execute(delete(gateway_requests).where(mine))
            record(self._audit, connection, deed)

    def retire(self, name: str, deed: Deed) -> None:
        with self._database.write() as connection:
            # Locked first: a heartbeat that comes now waits, and is that of a new one.
            row = connection.execute(select(gateways.c.name).where(gateways.c.name == name).with_for_update()).first()
            if row is None:
                raise _unknown(name)
            connection.execute(delete(gateway_conditions).where(gateway_conditions.c.gateway == name))
            connection.execute(delete(gateway_requests).where(gateway_requests.c.gateway == name))
            connection.execute(delete(gateways).where(gateways.c.name == name))
            record(self._audit, connection, deed)

    def forget(self, before: int) -> None:
        with self._database.write() as connection:
            connection.execute(delete(gateway_conditions).where(gateway_conditions.c.ended_at < before))
            connection.execute(delete(gateway_requests).where(gateway_requests.c.asked_at < before))


def _reductions(connection: Connection, told: GatewayStatus, now: int) -> tuple[Reduction, ...]:
    """What was known, and what is new."""
    c = gateways.c
    row = connection.execute(select(c.status, c.last_seen).where(c.name == told.name)).one_or_none()
    before = None if row is None else _status(row.status)
    if row is None or before is None or not (before.reductions or told.reductions):
        return told.reductions
    if told.waits_for_disk:  # on which they lie
        return before.reductions
    return continued(before.reductions, told.reductions, now if row.last_seen is None else row.last_seen, now)


def _follow(connection: Connection, status: GatewayStatus, now: int) -> None:
    """The journal as the gateway tells its conditions: a state that it no longer names is over."""
    c = gateway_conditions.c
    past = [_row(status.name, each.condition) | {"ended_at": each.ended_at} for each in status.ended]
    # Those that the journal has open end below, by our clock: only what it never heard of ends by the gateway's.
    upsert(connection, gateway_conditions, _each_once(past), keep=("ended_at",))
    rows = [_row(status.name, condition) for condition in status.conditions]
    upsert(connection, gateway_conditions, _each_once(rows))
    ended = update(gateway_conditions).where(c.gateway == status.name, c.ended_at.is_(None))
    if rows:
        ended = ended.where(
            tuple_(c.code, c.subject, c.since).not_in([(r["code"], r["subject"], r["since"]) for r in rows])
        )
    connection.execute(ended.values(ended_at=now))


def _each_once(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return list({(r["code"], r["subject"], r["since"]): r for r in rows}.values())


def _settle(connection: Connection, name: str, done: Sequence[str], now: int) -> Sequence[RawRequest]:
    c = gateway_requests.c
    waiting = (c.gateway == name) & c.done_at.is_(None)
    if done:
        connection.execute(update(gateway_requests).where(waiting, c.request_id.in_(done)).values(done_at=now))
    rows = connection.execute(select(gateway_requests).where(waiting).order_by(c.asked_at, c.request_id)).all()
    if any(row.told_at is None for row in rows):
        connection.execute(update(gateway_requests).where(waiting, c.told_at.is_(None)).values(told_at=now))
    return [_request(row) for row in rows]


def _new(name: str, now: int) -> dict[str, Any]:
    """A gateway that nothing is known of yet."""
    return {
        "name": name,
        "first_seen": now,
        "last_seen": None,
        "version": "",
        "role": "",
        "public_key": "",
        "status": None,
        "signal_table": "",
        "signals": [],
        "scored": [],
    }


def _one(connection: Connection, name: str) -> Row[Any]:
    row = connection.execute(select(gateways).where(gateways.c.name == name)).one_or_none()
    if row is None:
        raise _unknown(name)
    return row


def _unknown(name: str) -> NotFound:
    return NotFound(f"there is no gateway {name!r}: none of that name has come to this site")


def _gateway(row: Row[Any]) -> GatewayRecord:
    return GatewayRecord(
        name=row.name,
        first_seen=row.first_seen,
        last_seen=row.last_seen,
        status=_status(row.status),
        table=row.signal_table,
        signals=tuple(row.signals),
        scored=tuple(row.scored),
    )


def _status(told: Any) -> GatewayStatus | None:
    try:
        return None if told is None else msgspec.convert(told, GatewayStatus)
    except msgspec.ValidationError:
        return None  # written by another version; the next heartbeat replaces it


def _row(gateway: str, condition: GatewayCondition) -> dict[str, Any]:
    return {
        "gateway": gateway,
        "code": condition.code.value,
        "subject": condition.subject,
        "since": condition.since,
        "last_at": condition.last_at,
        "text": condition.text,
        "count": condition.count,
        "ended_at": None,
    }


def _condition(row: Row[Any]) -> PastCondition:
    # `count` is a method of every row.
    told = row._mapping
    condition = GatewayCondition(
        ConditionCode(told["code"]), told["subject"], told["since"], told["last_at"], told["text"], told["count"]
    )
    return PastCondition(condition, told["ended_at"])


def _of_request(request: RawRequest) -> dict[str, Any]:
    return {
        "request_id": request.id,
        "gateway": request.gateway,
        "signals": list(request.signals),
        "start": request.start,
        "end": request.end,
        "asked_by": request.asked_by,
        "asked_at": request.asked_at,
        "told_at": None,
        "done_at": None,
    }


def _request(row: Row[Any]) -> RawRequest:
    return RawRequest(
        id=row.request_id,
        gateway=row.gateway,
        signals=tuple(row.signals),
        start=row.start,
        end=row.end,
        asked_by=row.asked_by,
        asked_at=row.asked_at,
        told_at=row.told_at,
        done_at=row.done_at,
    )
