"""Anomalies: the findings with their lifecycle."""

from typing import Annotated, Final, Self

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from forewarn.api.course_views import CourseView
from forewarn.api.deeds import deed_of
from forewarn.api.evidence_views import EvidenceView, FeedbackView, GivenFeedback, SimilarFindings, SimilarView
from forewarn.api.guard import LONGEST_REQUEST, GuardedRoute, principal_of
from forewarn.api.parts import Parts
from forewarn.api.problems import ERROR_RESPONSES
from forewarn.api.times import Instant, at_us, text_of
from forewarn.contracts.anomaly_store import Anomaly, AnomalyQuery
from forewarn.domain.audit import AuditAction, Deed
from forewarn.domain.errors import Conflict, NotFound
from forewarn.domain.findings import AnomalyStatus, Feedback, Finding, Severity
from forewarn.policies.similar_episodes import most_alike

_MOST_EARLIER: Final = 200  # that are compared, of the machine and of others like it each

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
    evidence: EvidenceView | None
    feedback: FeedbackView | None

    @classmethod
    def of(cls, anomaly: Anomaly) -> Self:
        said = None if anomaly.feedback is None else FeedbackView.of(anomaly.feedback)
        return cls.of_finding(anomaly.finding, anomaly.id, anomaly.status, anomaly.note, anomaly.resolved_at, said)

    @classmethod
    def of_finding(
        cls,
        f: Finding,
        anomaly_id: str,
        status: AnomalyStatus,
        note: str = "",
        resolved_at: int | None = None,
        feedback: FeedbackView | None = None,
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
            evidence=None if f.evidence is None else EvidenceView.of(f.evidence),
            feedback=feedback,
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


@router.get("/{anomaly_id}/similar")
def similar_findings(anomaly_id: str, parts: Parts) -> SimilarFindings:
    """Up to five that came before it and look alike: the same signals departed, to the same side. None for a finding
    without evidence."""
    if not anomaly_id.isprintable():
        raise NotFound(f"there is no anomaly {anomaly_id!r}")
    finding = parts.anomalies.get(anomaly_id).finding
    if finding.evidence is None:
        return SimilarFindings(similar=[])
    machines = parts.plant.assets
    own = machines.get(finding.asset_id)
    others = [a.id for a in machines.values() if own and own.template and a.template == own.template]
    earlier = [
        anomaly
        for asset_ids in ([finding.asset_id], [other for other in others if other != finding.asset_id])
        if asset_ids
        for anomaly in parts.anomalies.earlier(finding.detector, asset_ids, finding.started_at, _MOST_EARLIER)
    ]
    found = []
    for alike in most_alike(finding, [anomaly.finding for anomaly in earlier]):
        anomaly = earlier[alike.place]
        machine = machines.get(anomaly.finding.asset_id)
        found.append(SimilarView.of(anomaly, alike.similarity, machine.name if machine else anomaly.finding.asset_id))
    return SimilarFindings(similar=found)


@router.get("/{anomaly_id}/course")
def finding_course(anomaly_id: str, parts: Parts) -> CourseView:
    """What the model that made it made of the time around it: ratio, and measured against expected of the signals with
    the greatest shares. Computed when asked. 409 where that cannot be told any more."""
    if not anomaly_id.isprintable():
        raise NotFound(f"there is no anomaly {anomaly_id!r}")
    finding = parts.anomalies.get(anomaly_id).finding
    if parts.models is None:
        raise Conflict("this server keeps no trained models")
    return CourseView.of(parts.models.course(finding), finding)


@router.patch("/{anomaly_id}")
def change_status(anomaly_id: str, change: StatusChange, parts: Parts, request: Request) -> AnomalyView:
    """Move along open -> investigating -> resolved | false_positive, and back to open."""
    if not anomaly_id.isprintable():
        raise NotFound(f"there is no anomaly {anomaly_id!r}")

    def deed(before: Anomaly, after: Anomaly) -> Deed:
        was, now = _judged(before), _judged(after)
        return deed_of(request, AuditAction.ANOMALY_JUDGED, after.id, before=was, after=now, why=change.note)

    return AnomalyView.of(parts.anomalies.set_status(anomaly_id, change.status, change.note, parts.clock(), deed))


@router.put("/{anomaly_id}/feedback")
def give_feedback(anomaly_id: str, said: GivenFeedback, parts: Parts, request: Request) -> AnomalyView:
    """What it turned out to be, in place of what was said before. `wrong` closes it as a false positive; of a trained
    model's findings it moves the machine's threshold, where the site judges it; a gateway keeps the learned one."""
    feedback = Feedback(said.verdict, said.note, principal_of(request).label, parts.clock())
    return _after_feedback(anomaly_id, feedback, said.note, parts, request)


@router.delete("/{anomaly_id}/feedback")
def take_feedback_back(anomaly_id: str, parts: Parts, request: Request) -> AnomalyView:
    """As if nothing had been said; the audit log keeps both."""
    return _after_feedback(anomaly_id, None, "", parts, request)


def _after_feedback(anomaly_id: str, said: Feedback | None, why: str, parts: Parts, request: Request) -> AnomalyView:
    if not anomaly_id.isprintable():
        raise NotFound(f"there is no anomaly {anomaly_id!r}")

    def deed(before: Anomaly, after: Anomaly) -> Deed:
        was, now = _judged(before), _judged(after)
        return deed_of(request, AuditAction.ANOMALY_JUDGED, after.id, before=was, after=now, why=why)

    return AnomalyView.of(parts.anomalies.give_feedback(anomaly_id, said, deed))


def _judged(anomaly: Anomaly) -> dict[str, object]:
    said = None if anomaly.feedback is None else anomaly.feedback.verdict.value
    return {"signal_id": anomaly.finding.signal_id, "status": anomaly.status.value, "verdict": said}
