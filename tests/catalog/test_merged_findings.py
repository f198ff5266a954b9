"""Findings that come late, twice and in any order; on SQLite and PostgreSQL."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from forewarn.catalog import Catalog, open_catalog
from forewarn.contracts.anomaly_store import AnomalyQuery
from forewarn.domain.findings import BY_EDGE, AnomalyStatus, Finding, Severity

OPEN = Finding(
    *(1, "p1.a", "p1", "robust_z", "statistical", Severity.LOW, 0.6, 5.0, None, "odd", 1_000, 2_000),
    detected_by=BY_EDGE,
)
LATER = replace(OPEN, last_at=3_000, count=4, score=0.9)
ENDED = replace(LATER, last_at=4_000, ended_at=4_000, count=5)


@pytest.fixture
def sealed(url: str) -> Iterator[Catalog]:
    with open_catalog(url, now=lambda: 9_000) as catalog:
        yield catalog


def kept(catalog: Catalog) -> list[Finding]:
    return [a.finding for a in catalog.anomalies.find(AnomalyQuery())[0]]


def test_each_news_is_told_once(sealed: Catalog) -> None:
    for finding in (OPEN, LATER, ENDED):
        assert sealed.anomalies.merge([finding]) == [finding]
        assert sealed.anomalies.merge([finding]) == []
    assert kept(sealed) == [ENDED]


def test_what_is_older_changes_nothing(sealed: Catalog) -> None:
    assert sealed.anomalies.merge([ENDED]) == [ENDED]
    assert sealed.anomalies.merge([OPEN, LATER]) == []
    assert kept(sealed) == [ENDED]
    assert sealed.anomalies.open_episodes() == []


def test_one_parcel_may_tell_the_whole_story(sealed: Catalog) -> None:
    other = replace(OPEN, started_at=5_000, last_at=5_000)
    assert sealed.anomalies.merge([OPEN, ENDED, LATER, other]) == [OPEN, ENDED, other]
    assert sorted(kept(sealed), key=lambda f: f.started_at) == [ENDED, other]


def test_what_a_person_said_stays(sealed: Catalog) -> None:
    sealed.anomalies.merge([OPEN])
    (anomaly,) = sealed.anomalies.find(AnomalyQuery())[0]
    sealed.anomalies.set_status(anomaly.id, AnomalyStatus.INVESTIGATING, "looking", 5)
    sealed.anomalies.merge([ENDED])
    (after,) = sealed.anomalies.find(AnomalyQuery())[0]
    assert (after.id, after.status, after.finding) == (anomaly.id, AnomalyStatus.INVESTIGATING, ENDED)


def test_thousands_at_once(sealed: Catalog) -> None:
    many = [replace(OPEN, started_at=i, last_at=i) for i in range(2_500)]
    assert len(sealed.anomalies.merge(many)) == 2_500
    assert sealed.anomalies.merge(many) == []
