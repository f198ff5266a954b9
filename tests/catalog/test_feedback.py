"""Evidence and feedback of findings in the catalog."""

from dataclasses import replace

import pytest

from forewarn.catalog import Catalog
from forewarn.contracts.anomaly_store import AnomalyQuery
from forewarn.domain.errors import NotFound
from forewarn.domain.evidence import Contribution, Evidence, Hypothesis
from forewarn.domain.findings import ENSEMBLE, AnomalyStatus, Feedback, Finding, Verdict
from tests.catalog.test_anomalies import finding

EVIDENCE = Evidence(
    ratio=2.5,
    threshold=1.2,
    regime=1,
    regimes=3,
    window_start=70,
    window_end=100,
    members=(("pca", 3.0), ("ridge_twin", 1.5)),
    contributions=(Contribution("p1.flow", 0.75, 41.5, 48.0, "m3/h"), Contribution("p1.t", 0.25, None, None, "degC")),
    hypotheses=(Hypothesis("cavitation", 0.8, "flow low", "vibration normal"),),
    model="abc123",
)


def told(started_at: int = 100, **changes: object) -> Finding:
    return replace(finding(started_at, detector=ENSEMBLE), evidence=EVIDENCE, **changes)  # type: ignore[arg-type]


def only(catalog: Catalog, started_at: int = 100) -> str:
    return next(a.id for a in catalog.anomalies.find(AnomalyQuery())[0] if a.finding.started_at == started_at)


def test_evidence_comes_back_as_it_was_told(catalog: Catalog) -> None:
    catalog.anomalies.upsert([told(), finding(200)])
    assert [f.evidence for f in catalog.anomalies.open_episodes()] == [EVIDENCE, None]
    worse = replace(EVIDENCE, ratio=4.0)
    catalog.anomalies.merge([replace(told(), count=9, evidence=worse)])
    assert catalog.anomalies.find(AnomalyQuery())[0][1].finding.evidence == worse


def test_a_wrong_one_is_a_false_positive_until_it_is_taken_back(catalog: Catalog) -> None:
    catalog.anomalies.upsert([told()])
    anomaly = only(catalog)
    wrong = Feedback(Verdict.WRONG, "the valve was being tested", "ann", 900)
    said = catalog.anomalies.give_feedback(anomaly, wrong)
    assert (said.status, said.resolved_at, said.feedback) == (AnomalyStatus.FALSE_POSITIVE, 1_000, wrong)
    catalog.anomalies.upsert([told(count=5)])
    assert catalog.anomalies.find(AnomalyQuery())[0][0].feedback == wrong
    right = Feedback(Verdict.CONFIRMED, "", "ann", 950)
    assert catalog.anomalies.give_feedback(anomaly, right).status is AnomalyStatus.OPEN
    back = catalog.anomalies.give_feedback(anomaly, None)
    assert (back.feedback, back.status) == (None, AnomalyStatus.OPEN)


def test_what_was_resolved_stays_so_whatever_is_said(catalog: Catalog) -> None:
    catalog.anomalies.upsert([told()])
    anomaly = only(catalog)
    catalog.anomalies.set_status(anomaly, AnomalyStatus.RESOLVED, "new seal", 500)
    for verdict in Verdict:
        said = catalog.anomalies.give_feedback(anomaly, Feedback(verdict, "", "ann", 900))
        assert (said.status, said.resolved_at, said.note) == (AnomalyStatus.RESOLVED, 500, "new seal")


def test_labels_are_those_of_one_detector_oldest_first(catalog: Catalog) -> None:
    catalog.anomalies.upsert([told(300), told(200), told(100), finding(150)])
    for at in (300, 150, 100):
        catalog.anomalies.give_feedback(only(catalog, at), Feedback(Verdict.PARTLY, str(at), "ann", 1_000 - at))
    assert [a.finding.started_at for a in catalog.anomalies.labelled(ENSEMBLE)] == [100, 300]
    assert [a.feedback.note for a in catalog.anomalies.labelled("limits") if a.feedback] == ["150"]


def test_feedback_on_nothing_is_told(catalog: Catalog) -> None:
    with pytest.raises(NotFound, match="nope"):
        catalog.anomalies.give_feedback("nope", None)
