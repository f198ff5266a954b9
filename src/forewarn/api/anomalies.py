"""Anomalies: the findings with their lifecycle."""

from typing import Annotated, Self

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from forewarn.api.deeds import deed_of
from forewarn.api.guard import LONGEST_REQUEST, GuardedRoute
from forewarn.api.parts import Parts
from forewarn.api.problems import ERROR_RESPONSES
from forewarn.api.times import Instant, at_us, text_of
from forewarn.contracts.anomaly_store import Anomaly, AnomalyQuery
from forewarn.domain.audit import AuditAction, Deed
from forewarn.domain.errors import NotFound
from forewarn.domain.findings import AnomalyStatus, Finding, Severity

router = APIRouter(
    prefix="/api/v1/anomalies",
    tags=["anomalies"],
    responses=ERROR_RESPONSES,
    route_class=GuardedRoute,
    max_body_size=LONGEST_REQUEST,
)


class AnomalyView(BaseModel):
    """One episode. `id` is '' in a live event whose row could not be read back: fetch the list."""

    id: str
    sensor_id: str
    asset_id: str
    detected_at: Instant
    last_at: Instant
    ended_at: Instant | None
    anomaly_type: str
    severity: Severity
    anomaly_score: float
    value: float | None
    expected_value: float | None
    deviation: float | None
    reason: str
    detector: str
    detected_by: str
    count: int
    status: AnomalyStatus
    note: str
    resolved_at: Instant | None

    @classmethod
    def of(cls, anomaly: Anomaly) -> Self:
        return cls.of_finding(anomaly.finding, anomaly.id, anomaly.status, anomaly.note, anomaly.resolved_at)

    @classmethod
    def of_finding(
        cls, f: Finding, anomaly_id: str, status: AnomalyStatus, note: str = "", resolved_at: int | None = None
    ) -> Self:
        return cls(
            id=anomaly_id,
            sensor_id=f.signal_id,
            asset_id=f.asset_id,
            detected_at=text_of(f.started_at),
            last_at=text_of(f.last_at),
            ended_at=None if f.ended_at is None else text_of(f.ended_at),
            anomaly_type=f.anomaly_type,
            severity=f.severity,
            anomaly_score=f.score,
            value=f.value if f.value == f.value else None,
            expected_value=f.expected,
            deviation=None if f.expected is None or f.value != f.value else f.value - f.expected,
            reason=f.reason,
            detector=f.detector,
            detected_by=f.detected_by,
            count=f.count,
            status=status,
            note=note,
            resolved_at=None if resolved_at is None else text_of(resolved_at),
        )


class AnomalyPage(BaseModel):
    anomalies: list[AnomalyView]
    next_cursor: str | None


class StatusChange(BaseModel):
    model_config = ConfigDict(extra="forbid")

    status: AnomalyStatus
    note: str = Field("", max_length=2_000)


@router.get("")
def list_anomalies(
    parts: Parts,
    asset_id: str | None = None,
    signal_id: str | None = None,
    status: AnomalyStatus | None = None,
    severity: Severity | None = None,
    start: str | None = None,
    end: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> AnomalyPage:
    """Newest first."""
    query = AnomalyQuery(
        asset_id, signal_id, status, severity, at_us(start, "start"), at_us(end, "end"), limit, cursor or None
    )
    anomalies, next_cursor = parts.anomalies.find(query)
    return AnomalyPage(anomalies=[AnomalyView.of(a) for a in anomalies], next_cursor=next_cursor)


@router.patch("/{anomaly_id}")
def change_status(anomaly_id: str, change: StatusChange, parts: Parts, request: Request) -> AnomalyView:
    """Move along open -> investigating -> resolved | false_positive, and back to open."""
    if not anomaly_id.isprintable():
        raise NotFound(f"there is no anomaly {anomaly_id!r}")

    def deed(before: Anomaly, after: Anomaly) -> Deed:
        was, now = _judged(before), _judged(after)
        return deed_of(request, AuditAction.ANOMALY_JUDGED, after.id, before=was, after=now, why=change.note)

    return AnomalyView.of(parts.anomalies.set_status(anomaly_id, change.status, change.note, parts.clock(), deed))


def _judged(anomaly: Anomaly) -> dict[str, object]:
    return {"signal_id": anomaly.finding.signal_id, "status": anomaly.status.value}
