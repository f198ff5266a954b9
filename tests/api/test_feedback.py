"""Why a finding was raised, and what people say of it, over HTTP."""

from dataclasses import replace

import pytest

from forewarn.domain.findings import ENSEMBLE
from tests.api.site import Site
from tests.api.test_reads import NOW_MS, finding, get
from tests.catalog.test_feedback import EVIDENCE


@pytest.fixture
def anomaly(site: Site) -> str:
    """A model's finding; a new one for each test."""
    at = NOW_MS + len(site.parts.anomalies.labelled(ENSEMBLE)) * 1_000 + 60_000
    told = replace(finding("p1.temperature", at, True), detector=ENSEMBLE, evidence=EVIDENCE)
    site.parts.anomalies.upsert([told])
    return next(a["id"] for a in get(site, "/api/v1/anomalies", asset_id="p1")["anomalies"] if a["evidence"])


def test_a_finding_shows_its_evidence(site: Site, anomaly: str) -> None:
    found = next(a for a in get(site, "/api/v1/anomalies", asset_id="p1")["anomalies"] if a["id"] == anomaly)
    evidence = found["evidence"]
    assert (evidence["ratio"], evidence["threshold"], evidence["regimes"], evidence["model"]) == (2.5, 1.2, 3, "abc123")
    assert evidence["contributions"][0] == {
        "sensor_id": "p1.flow",
        "share": 0.75,
        "measured": 41.5,
        "expected": 48.0,
        "unit": "m3/h",
    }
    assert evidence["members"][0] == {"detector": "pca", "ratio": 3.0}
    assert evidence["hypotheses"][0]["fault"] == "cavitation"
    assert evidence["window_end"].startswith("1970-01-01T00:00:00.0001")
    assert found["feedback"] is None


def test_said_taken_back_and_recorded(site: Site, anomaly: str) -> None:
    url = f"/api/v1/anomalies/{anomaly}/feedback"
    said = site.client.put(url, json={"verdict": "wrong", "note": "cleaning"}).json()
    assert (said["status"], said["feedback"]["verdict"], said["feedback"]["note"]) == (
        "false_positive",
        "wrong",
        "cleaning",
    )
    assert said["feedback"]["by"]
    back = site.client.delete(url).json()
    assert (back["status"], back["feedback"]) == ("open", None)
    entries = get(site, "/api/v1/audit", limit=2)["entries"]
    assert [(e["action"], e["after"]["verdict"]) for e in entries] == [
        ("anomaly_judged", None),
        ("anomaly_judged", "wrong"),
    ]
    assert entries[1]["why"] == "cleaning"


@pytest.mark.parametrize(
    "body", [{}, {"verdict": "maybe"}, {"verdict": "wrong", "note": "x" * 2_001}, {"vote": "wrong"}]
)
def test_nonsense_is_refused(site: Site, anomaly: str, body: dict[str, str]) -> None:
    assert site.client.put(f"/api/v1/anomalies/{anomaly}/feedback", json=body).status_code == 422
    assert site.client.put("/api/v1/anomalies/nope/feedback", json={"verdict": "wrong"}).status_code == 404
    assert site.client.delete("/api/v1/anomalies/nope/feedback").status_code == 404
