"""Findings, kept as the specification's anomalies."""

import base64
import binascii
import math
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Integer, Row, Select, bindparam, func, select, tuple_, union, update

from forewarn.catalog.engine import Database, finite, upsert_by
from forewarn.catalog.narrowing import sees_asset
from forewarn.catalog.recording import Recorder, record
from forewarn.catalog.revisions import FEEDBACK, changed
from forewarn.catalog.tables import anomalies
from forewarn.contracts.anomaly_store import Anomaly, AnomalyQuery
from forewarn.domain.access import Scope
from forewarn.domain.audit import Deed
from forewarn.domain.errors import InvalidInput, NotFound
from forewarn.domain.evidence import Evidence
from forewarn.domain.findings import AnomalyStatus, Feedback, Finding, Severity
from forewarn.policies.anomaly_lifecycle import after_feedback, resolved_at

_KEY = ("sensor_key", "detector", "detected_at")
_KEPT = ("anomaly_id", "status", "note", "resolved_at", "created_at", "feedback")
_MOST = 10_000
_AT_ONCE = 1_000


class CatalogAnomalies:
    """AnomalyStore in the catalog."""

    def __init__(self, database: Database, now: Callable[[], int], audit: Recorder | None = None) -> None:
        self._database = database
        self._now = now
        self._audit = audit

    def within(self, scope: Scope) -> "CatalogAnomalies":
        return CatalogAnomalies(self._database.within(scope), self._now, self._audit)

    @property
    def _seen(self) -> ColumnElement[bool]:
        return sees_asset(self._database.scope, anomalies.c.asset_id)

    def upsert(self, findings: Sequence[Finding]) -> None:
        latest = {(f.signal_key, f.detector, f.started_at): f for f in findings}
        now = self._now()
        # In the order of the key, so that two writers never wait for each other's rows crosswise.
        rows = [_row(latest[key], now) for key in sorted(latest)]
        if rows:
            with self._database.write() as connection:
                upsert_by(connection, anomalies, rows, _KEY, _KEPT)

    def merge(self, findings: Sequence[Finding]) -> Sequence[Finding]:
        keys = sorted({_key(f) for f in findings})
        if not keys:
            return []
        with self._database.write() as connection:
            known = {_key(f): f for f in _standing(connection, keys)}
            fresh = []
            for finding in findings:
                if _is_newer(finding, known.get(_key(finding))):
                    known[_key(finding)] = finding
                    fresh.append(finding)
            told = {_key(f): _row(known[_key(f)], self._now()) for f in fresh}
            upsert_by(connection, anomalies, [told[key] for key in sorted(told)], _KEY, _KEPT)
        return fresh

    def open_episodes(self) -> Sequence[Finding]:
        query = select(anomalies).where(anomalies.c.ended_at.is_(None), self._seen)
        query = query.order_by(*(anomalies.c[name] for name in _KEY))
        with self._database.read() as connection:
            return [_finding(row) for row in connection.execute(query)]

    def models_in_use(self) -> Collection[str]:
        c = anomalies.c
        named = select(c.evidence["model"].as_string().label("model")).where(c.evidence.is_not(None), self._seen)
        waiting = c.status.in_([AnomalyStatus.OPEN.value, AnomalyStatus.INVESTIGATING.value])
        either = union(named.where(c.ended_at.is_(None)), named.where(waiting))  # each of them has its index
        with self._database.read() as connection:
            return {model for model in connection.execute(either).scalars() if model}

    def open_counts(self) -> Mapping[str, int]:
        c = anomalies.c
        counted = (
            select(c.asset_id, func.count().label("open"))
            .where(c.status == AnomalyStatus.OPEN.value, self._seen)
            .group_by(c.asset_id)
        )
        with self._database.read() as connection:
            return {row.asset_id: row.open for row in connection.execute(counted)}

    def find(self, query: AnomalyQuery) -> tuple[Sequence[Anomaly], str | None]:
        limit = min(query.limit, _MOST)
        if limit < 1:
            raise InvalidInput(f"limit must be at least 1, not {query.limit}", field="limit")
        given = _given(query)
        with self._database.read() as connection:
            selection = _selection(frozenset(given))
            if not self._database.scope.everywhere:
                selection = selection.where(self._seen)
            rows = connection.execute(selection, {**given, "rows": limit + 1}).all()
        page = [_anomaly(row) for row in rows[:limit]]
        return page, _cursor(page[-1]) if len(rows) > limit else None

    def get(self, anomaly_id: str) -> Anomaly:
        with self._database.read() as connection:
            row = connection.execute(
                select(anomalies).where(anomalies.c.anomaly_id == anomaly_id, self._seen)
            ).one_or_none()
        if row is None:
            raise _unknown(anomaly_id)
        return _anomaly(row)

    def earlier(self, detector: str, asset_ids: Sequence[str], before: int, limit: int) -> Sequence[Anomaly]:
        c = anomalies.c
        wanted = select(anomalies).where(
            c.detector == detector, c.asset_id.in_(asset_ids), c.detected_at < before, self._seen
        )
        with self._database.read() as connection:
            rows = connection.execute(wanted.order_by(c.detected_at.desc(), c.anomaly_id.desc()).limit(limit))
            return [_anomaly(row) for row in rows]

    def give_feedback(
        self, anomaly_id: str, feedback: Feedback | None, deed: Callable[[Anomaly, Anomaly], Deed] | None = None
    ) -> Anomaly:
        with self._database.write() as connection:
            query, row = self._locked(connection, anomaly_id)
            before = _anomaly(row)
            status = after_feedback(before.status, feedback)
            closed = resolved_at(before.status, status, self._now(), before.resolved_at)
            told = None if feedback is None else msgspec.to_builtins(feedback)
            change = update(anomalies).where(anomalies.c.anomaly_id == anomaly_id)
            connection.execute(change.values(status=status.value, resolved_at=closed, feedback=told))
            changed(connection, FEEDBACK)
            after = _anomaly(connection.execute(query).one())
            if deed is not None:
                record(self._audit, connection, deed(before, after))
            return after

    def labelled(self, detector: str) -> Sequence[Anomaly]:
        c = anomalies.c
        query = select(anomalies).where(c.detector == detector, c.feedback.is_not(None), self._seen)
        with self._database.read() as connection:
            return [_anomaly(row) for row in connection.execute(query.order_by(c.detected_at, c.anomaly_id))]

    def _locked(self, connection: Connection, anomaly_id: str) -> tuple[Select[Any], Row[Any]]:
        query = select(anomalies).where(anomalies.c.anomaly_id == anomaly_id, self._seen).with_for_update()
        row = connection.execute(query).one_or_none()
        if row is None:
            raise _unknown(anomaly_id)
        return query, row

    def set_status(
        self,
        anomaly_id: str,
        status: AnomalyStatus,
        note: str,
        at: int,
        deed: Callable[[Anomaly, Anomaly], Deed] | None = None,
    ) -> Anomaly:
        with self._database.write() as connection:
            query, row = self._locked(connection, anomaly_id)
            closed = resolved_at(AnomalyStatus(row.status), status, at, row.resolved_at)
            change = update(anomalies).where(anomalies.c.anomaly_id == anomaly_id)
            connection.execute(change.values(status=status.value, note=note, resolved_at=closed))
            after = _anomaly(connection.execute(query).one())
            if deed is not None:
                record(self._audit, connection, deed(_anomaly(row), after))
            return after


def _unknown(anomaly_id: str) -> NotFound:
    return NotFound(f"there is no anomaly {anomaly_id!r}")


def _given(query: AnomalyQuery) -> dict[str, object]:
    """The filters that are set, by name."""
    named = {
        "asset_id": query.asset_id,
        "signal_id": query.signal_id,
        "status": query.status and query.status.value,
        "severity": query.severity and query.severity.value,
        "start": query.start,
        "end": query.end,
    }
    given: dict[str, object] = {name: value for name, value in named.items() if value is not None}
    if query.cursor is not None:
        given["after_time"], given["after_id"] = _after(query.cursor)
    return given


@cache
def _selection(names: frozenset[str]) -> Select[Any]:
    """Newest first, by the filters `names` and a limit of rows. Kept, as building it costs more than its answer."""
    c = anomalies.c
    selection = select(anomalies).order_by(c.detected_at.desc(), c.anomaly_id.desc())
    for name, condition in (
        ("asset_id", c.asset_id == bindparam("asset_id")),
        ("signal_id", c.sensor_id == bindparam("signal_id")),
        ("status", c.status == bindparam("status")),
        ("severity", c.severity == bindparam("severity")),
        ("start", c.detected_at >= bindparam("start")),
        ("end", c.detected_at < bindparam("end")),
        (
            "after_time",
            tuple_(c.detected_at, c.anomaly_id)
            < tuple_(bindparam("after_time", type_=c.detected_at.type), bindparam("after_id", type_=c.anomaly_id.type)),
        ),
    ):
        if name in names:
            selection = selection.where(condition)
    return selection.limit(bindparam("rows", type_=Integer))


def _standing(connection: Connection, keys: Sequence[tuple[int, str, int]]) -> Iterator[Finding]:
    """The stored findings of these keys (ascending), locked."""
    c = anomalies.c
    for first in range(0, len(keys), _AT_ONCE):
        some = tuple_(c.sensor_key, c.detector, c.detected_at).in_(keys[first : first + _AT_ONCE])
        query = select(anomalies).where(some).order_by(*(c[name] for name in _KEY)).with_for_update()
        yield from map(_finding, connection.execute(query))


def _key(finding: Finding) -> tuple[int, str, int]:
    return finding.signal_key, finding.detector, finding.started_at


def _is_newer(told: Finding, standing: Finding | None) -> bool:
    """Whether the episode went on, or ended, since it was told as `standing`."""
    if standing is None:
        return True
    if (standing.ended_at is None) != (told.ended_at is None):
        return standing.ended_at is None
    return (told.last_at, told.count, told.score) > (standing.last_at, standing.count, standing.score)


def _cursor(last: Anomaly) -> str:
    return base64.urlsafe_b64encode(f"{last.finding.started_at}:{last.id}".encode()).decode()


def _after(cursor: str) -> tuple[int, str]:
    try:
        at, _, anomaly_id = base64.urlsafe_b64decode(cursor.encode("ascii")).decode().partition(":")
        return int(at), anomaly_id
    except (ValueError, binascii.Error):
        raise InvalidInput("cursor is none that an earlier answer gave: start without one", field="cursor") from None


def _row(finding: Finding, now: int) -> dict[str, Any]:
    return {
        "anomaly_id": str(uuid.uuid4()),
        "sensor_key": finding.signal_key,
        "sensor_id": finding.signal_id,
        "asset_id": finding.asset_id,
        "detector": finding.detector,
        "detected_at": finding.started_at,
        "last_at": finding.last_at,
        "ended_at": finding.ended_at,
        "anomaly_type": finding.anomaly_type,
        "severity": finding.severity.value,
        "anomaly_score": finding.score,
        "value": finite(finding.value),
        "expected_value": finite(finding.expected),
        "reason": finding.reason,
        "detected_by": finding.detected_by,
        "count": finding.count,
        "status": AnomalyStatus.OPEN.value,
        "note": "",
        "resolved_at": None,
        "created_at": now,
        "evidence": None if finding.evidence is None else msgspec.to_builtins(finding.evidence),
        "feedback": None,
    }


def _finding(row: Row[Any]) -> Finding:
    columns = row._mapping
    return Finding(
        signal_key=columns["sensor_key"],
        signal_id=columns["sensor_id"],
        asset_id=columns["asset_id"],
        detector=columns["detector"],
        anomaly_type=columns["anomaly_type"],
        severity=Severity(columns["severity"]),
        score=columns["anomaly_score"],
        value=math.nan if columns["value"] is None else columns["value"],
        expected=columns["expected_value"],
        reason=columns["reason"],
        started_at=columns["detected_at"],
        last_at=columns["last_at"],
        ended_at=columns["ended_at"],
        count=columns["count"],
        detected_by=columns["detected_by"],
        evidence=None if columns["evidence"] is None else msgspec.convert(columns["evidence"], Evidence),
    )


def _anomaly(row: Row[Any]) -> Anomaly:
    return Anomaly(
        id=row.anomaly_id,
        finding=_finding(row),
        status=AnomalyStatus(row.status),
        created_at=row.created_at,
        resolved_at=row.resolved_at,
        note=row.note,
        feedback=None if row.feedback is None else msgspec.convert(row.feedback, Feedback),
    )
