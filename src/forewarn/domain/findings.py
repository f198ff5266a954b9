"""What a detector found: the specification's `anomalies` row."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from forewarn.domain.evidence import Evidence

BY_EDGE: Final = "edge_ml"  # Finding.detected_by: an edge gateway
BY_SITE: Final = "cloud_ml"  # Finding.detected_by: a trained model that the site runs itself
ENSEMBLE: Final = "ensemble"  # Finding.detector: a machine's trained model; signal_id is what it blames most
BY_MODEL: Final = "model"  # Finding.detector: a machine's trained model cannot be used
BY_CONDITION: Final = "gateway"  # Finding.detector: a condition that an edge gateway, or a source of it, is in


class AnomalyStatus(StrEnum):
    OPEN = "open"
    INVESTIGATING = "investigating"
    RESOLVED = "resolved"
    FALSE_POSITIVE = "false_positive"


class Severity(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Verdict(StrEnum):
    """What people say of a finding."""

    CONFIRMED = "confirmed"
    PARTLY = "partly"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Feedback:
    """A label: by whom, when (microseconds UTC)."""

    verdict: Verdict
    note: str
    by: str
    at: int


@dataclass(frozen=True, slots=True)
class Finding:
    """One episode of one signal out of the ordinary, as one detector saw it.

    (signal_key, detector, started_at) names the episode: telling it twice is the same episode.
    started_at, last_at, ended_at: source time, microseconds UTC; ended_at is None while it lasts.
    score: peak, 0-1, higher is more anomalous, 0.5 is the detector's own limit.
    value, expected: at the peak, in the signal's unit; expected is None where the detector has no opinion.
    count: readings of the episode so far. evidence: of a trained model; None of all others.
    """

    signal_key: int
    signal_id: str
    asset_id: str
    detector: str
    anomaly_type: str
    severity: Severity
    score: float
    value: float
    expected: float | None
    reason: str
    started_at: int
    last_at: int
    ended_at: int | None = None
    count: int = 1
    detected_by: str = "rule"
    evidence: Evidence | None = None
