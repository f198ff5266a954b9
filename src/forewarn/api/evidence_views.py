"""Evidence and feedback of findings, as the API shows them."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from forewarn.api.times import Instant, text_of
from forewarn.contracts.anomaly_store import Anomaly
from forewarn.domain.evidence import Contribution, Evidence, Hypothesis
from forewarn.domain.findings import AnomalyStatus, Feedback, Severity, Verdict


class ContributionView(BaseModel):
    """share: 0-1. measured, expected: in unit; null where nothing was measured or nothing in particular is expected."""

    sensor_id: str
    share: float
    measured: float | None
    expected: float | None
    unit: str

    @classmethod
    def of(cls, c: Contribution) -> Self:
        return cls(sensor_id=c.signal_id, share=c.share, measured=c.measured, expected=c.expected, unit=c.unit)


class HypothesisView(BaseModel):
    """score: 0-1, how well the fault fits what is seen; not a probability."""

    fault: str
    score: float
    speaks_for: str
    speaks_against: str

    @classmethod
    def of(cls, h: Hypothesis) -> Self:
        return cls(fault=h.fault, score=h.score, speaks_for=h.speaks_for, speaks_against=h.speaks_against)


class MemberView(BaseModel):
    """One detector of the ensemble; ratio: its score over its own healthy quantile."""

    detector: str
    ratio: float


class EvidenceView(BaseModel):
    """Why a trained model speaks, as at the peak. ratio: over the machine's own threshold, 1 = at it; threshold: in
    units of its healthy quantile. regime: number of the way the machine was run, of `regimes`."""

    ratio: float
    threshold: float
    regime: int
    regimes: int
    window_start: Instant
    window_end: Instant
    members: list[MemberView]
    contributions: list[ContributionView]
    hypotheses: list[HypothesisView]
    model: str

    @classmethod
    def of(cls, e: Evidence) -> Self:
        return cls(
            ratio=e.ratio,
            threshold=e.threshold,
            regime=e.regime,
            regimes=e.regimes,
            window_start=text_of(e.window_start),
            window_end=text_of(e.window_end),
            members=[MemberView(detector=name, ratio=ratio) for name, ratio in e.members],
            contributions=[ContributionView.of(c) for c in e.contributions],
            hypotheses=[HypothesisView.of(h) for h in e.hypotheses],
            model=e.model,
        )


class FeedbackView(BaseModel):
    """What people said of a finding."""

    verdict: Verdict
    note: str
    by: str
    at: Instant

    @classmethod
    def of(cls, f: Feedback) -> Self:
        return cls(verdict=f.verdict, note=f.note, by=f.by, at=text_of(f.at))


class SimilarView(BaseModel):
    """A past finding that looks like the one asked about. similarity: 0-1."""

    id: str
    asset_id: str
    asset_name: str
    sensor_id: str
    similarity: float
    detected_at: Instant
    last_at: Instant
    ended_at: Instant | None
    severity: Severity
    reason: str
    status: AnomalyStatus
    note: str
    feedback: FeedbackView | None

    @classmethod
    def of(cls, anomaly: Anomaly, similarity: float, asset_name: str) -> Self:
        f = anomaly.finding
        return cls(
            id=anomaly.id,
            asset_id=f.asset_id,
            asset_name=asset_name,
            sensor_id=f.signal_id,
            similarity=round(similarity, 3),
            detected_at=text_of(f.started_at),
            last_at=text_of(f.last_at),
            ended_at=None if f.ended_at is None else text_of(f.ended_at),
            severity=f.severity,
            reason=f.reason,
            status=anomaly.status,
            note=anomaly.note,
            feedback=None if anomaly.feedback is None else FeedbackView.of(anomaly.feedback),
        )


class SimilarFindings(BaseModel):
    """Of the machine itself first, then of others made from the same template."""

    similar: list[SimilarView]


class GivenFeedback(BaseModel):
    model_config = ConfigDict(extra="forbid")

    verdict: Verdict
    note: str = Field("", max_length=2_000)
