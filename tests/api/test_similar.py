"""What looked like a finding before, as people may ask it."""

from dataclasses import replace

import pytest

from forewarn.contracts.anomaly_store import Anomaly, AnomalyQuery
from forewarn.domain.access import Grant, Role
from forewarn.domain.evidence import Contribution, Evidence
from forewarn.domain.findings import ENSEMBLE, Feedback, Finding, Severity, Verdict
from tests.api.site import PATH, Site

MINUTE = 60_000_000


def told(site: Site, asset: str, minute: int, sinks: str = "vibration") -> Finding:
    """The share of 0.8 belongs to what sinks."""
    names = ("vibration", "temperature")
    parts = tuple(Contribution(f"{asset}.{n}", 0.8 if n == sinks else 0.2, 40.0, 48.0, "u") for n in names)
    evidence = Evidence(2.0, 1.2, 0, 1, 0, 1, contributions=parts)
    signal = f"{asset}.vibration"
    return Finding(
        *(site.parts.plant.table.key_of[signal], signal, asset, ENSEMBLE, "multivariate", Severity.MEDIUM, 0.7, 40.0),
        *(48.0, "vibration is 40", minute * MINUTE, (minute + 2) * MINUTE, (minute + 2) * MINUTE, 9),
        evidence=evidence,
    )


@pytest.fixture(scope="module")
def ids(site: Site) -> dict[tuple[str, int], str]:
    findings = [told(site, "p1", 10), told(site, "p1", 20, "temperature"), told(site, "q1", 30), told(site, "p1", 40)]
    site.parts.anomalies.upsert(findings)
    found = {(a.finding.asset_id, a.finding.started_at // MINUTE): a.id for a in _all(site)}
    site.parts.anomalies.give_feedback(found["p1", 10], Feedback(Verdict.WRONG, "a valve test", "ann", 5))
    return found


def _all(site: Site) -> list[Anomaly]:
    return list(site.parts.anomalies.find(AnomalyQuery(limit=100))[0])


def test_the_machine_s_own_come_first_with_what_people_said(site: Site, ids: dict[tuple[str, int], str]) -> None:
    answer = site.client.get(f"/api/v1/anomalies/{ids['p1', 40]}/similar")
    assert answer.status_code == 200
    first, second = answer.json()["similar"]
    assert (first["id"], first["asset_name"], first["similarity"]) == (ids["p1", 10], "Pump one", 1.0)
    assert (first["feedback"]["verdict"], first["feedback"]["note"]) == ("wrong", "a valve test")
    assert first["status"] == "false_positive"
    assert (second["id"], second["asset_name"], second["feedback"]) == (ids["q1", 30], "Pump far away", None)
    assert site.client.get(f"/api/v1/anomalies/{ids['p1', 10]}/similar").json() == {"similar": []}


def test_other_machines_of_the_template_only_where_they_may_be_seen(
    site: Site, ids: dict[tuple[str, int], str]
) -> None:
    with site.as_person("here only", Grant(Role.TECHNICIAN, "/".join(PATH))) as client:
        similar = client.get(f"/api/v1/anomalies/{ids['p1', 40]}/similar").json()["similar"]
        assert [s["id"] for s in similar] == [ids["p1", 10]]
        assert client.get(f"/api/v1/anomalies/{ids['q1', 30]}/similar").status_code == 404


def test_one_without_evidence_looks_like_none_and_what_is_not_there_is_said(
    site: Site, ids: dict[tuple[str, int], str]
) -> None:
    plain = told(site, "p1", 50)
    site.parts.anomalies.upsert([replace(plain, evidence=None)])
    newest = _all(site)[0]
    assert site.client.get(f"/api/v1/anomalies/{newest.id}/similar").json() == {"similar": []}
    for unknown in ("nope", "a%00b", "%0A"):
        assert site.client.get(f"/api/v1/anomalies/{unknown}/similar").status_code == 404
