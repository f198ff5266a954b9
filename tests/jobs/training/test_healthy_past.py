"""What counts against a machine's health."""

import pytest

from forewarn.contracts.anomaly_store import Anomaly
from forewarn.domain.findings import BY_MODEL, AnomalyStatus, Feedback, Finding, Verdict
from forewarn.jobs.training.healthy_past import is_fault
from forewarn.policies.severity import severity_of


def anomaly(
    kind: str = "limit",
    detector: str = "limits",
    score: float = 0.7,
    status: AnomalyStatus = AnomalyStatus.OPEN,
    verdict: Verdict | None = None,
) -> Anomaly:
    finding = Finding(
        signal_key=1,
        signal_id="p1.v",
        asset_id="p1",
        detector=detector,
        anomaly_type=kind,
        severity=severity_of(score),
        score=score,
        value=1.0,
        expected=None,
        reason="",
        started_at=1,
        last_at=2,
    )
    feedback = None if verdict is None else Feedback(verdict, "", "anna", 3)
    return Anomaly("a1", finding, status, 0, feedback=feedback)


@pytest.mark.parametrize(
    ("told", "fault"),
    [
        (anomaly(), True),
        (anomaly(score=0.5), False),
        (anomaly(score=0.5, verdict=Verdict.CONFIRMED), True),
        (anomaly(verdict=Verdict.WRONG), False),
        (anomaly(status=AnomalyStatus.FALSE_POSITIVE), False),
        (anomaly("model_signals_changed", BY_MODEL), False),
        (anomaly("model_split", BY_MODEL), False),
        (anomaly("model_unknown_key", BY_MODEL), False),
        (anomaly("model_unit_changed", BY_MODEL), True),
        (anomaly("model_input_drift", BY_MODEL, 0.65), True),
    ],
)
def test_what_is_taken_for_a_fault(told: Anomaly, fault: bool) -> None:
    assert is_fault(told) is fault
