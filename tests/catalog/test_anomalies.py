"""The anomaly store: episodes told twice, the lifecycle, pages."""

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forewarn.catalog import Catalog
from forewarn.contracts.anomaly_store import AnomalyQuery
from forewarn.domain.access import Scope
from forewarn.domain.errors import Conflict, InvalidInput, NotFound
from forewarn.domain.evidence import Evidence
from forewarn.domain.findings import AnomalyStatus, Finding, Severity
from forewarn.jobs.retention import ModelRetention


def finding(started_at: int = 100, **changes: object) -> Finding:
    given_: dict[str, object] = {
        "signal_key": 1,
        "signal_id": "p1.vibration",
        "asset_id": "p1",
        "detector": "limits",
        "anomaly_type": "high",
        "severity": Severity.HIGH,
        "score": 0.9,
        "value": 4.5,
        "expected": 1.25,
        "reason": "above 4 mm/s",
        "started_at": started_at,
        "last_at": started_at + 5,
    }
    return Finding(**{**given_, **changes})  # type: ignore[arg-type]


def ids(catalog: Catalog, query: AnomalyQuery) -> list[int]:
    return [a.finding.started_at for a in catalog.anomalies.find(query)[0]]


def test_an_episode_told_twice_is_one(catalog: Catalog) -> None:
    catalog.anomalies.upsert([finding(), finding(count=3, last_at=200)])
    longer = finding(count=9, last_at=900, ended_at=900, score=0.95, severity=Severity.CRITICAL)
    catalog.anomalies.upsert([longer])
    (stored,), cursor = catalog.anomalies.find(AnomalyQuery())
    assert (stored.finding, stored.status, stored.created_at, cursor) == (longer, AnomalyStatus.OPEN, 1_000, None)


def test_what_has_no_number_stays_so(catalog: Catalog) -> None:
    catalog.anomalies.upsert([finding(value=math.nan, expected=None)])
    stored = catalog.anomalies.open_episodes()[0]
    assert math.isnan(stored.value)
    assert stored.expected is None


def test_a_person_s_status_survives(catalog: Catalog) -> None:
    catalog.anomalies.upsert([finding()])
    (stored,), _ = catalog.anomalies.find(AnomalyQuery())
    closed = catalog.anomalies.set_status(stored.id, AnomalyStatus.FALSE_POSITIVE, "welding nearby", 555)
    assert (closed.status, closed.note, closed.resolved_at) == (AnomalyStatus.FALSE_POSITIVE, "welding nearby", 555)
    catalog.anomalies.upsert([finding(count=2)])
    (again,), _ = catalog.anomalies.find(AnomalyQuery())
    assert (again.id, again.status, again.note, again.resolved_at) == (stored.id, closed.status, closed.note, 555)
    assert again.finding.count == 2
    reopened = catalog.anomalies.set_status(stored.id, AnomalyStatus.OPEN, "", 600)
    assert (reopened.status, reopened.resolved_at) == (AnomalyStatus.OPEN, None)


def test_steps_the_lifecycle_lacks(catalog: Catalog) -> None:
    catalog.anomalies.upsert([finding()])
    anomaly_id = catalog.anomalies.find(AnomalyQuery())[0][0].id
    catalog.anomalies.set_status(anomaly_id, AnomalyStatus.RESOLVED, "", 1)
    with pytest.raises(Conflict, match="resolved cannot become investigating"):
        catalog.anomalies.set_status(anomaly_id, AnomalyStatus.INVESTIGATING, "", 2)
    with pytest.raises(NotFound):
        catalog.anomalies.set_status("nothing", AnomalyStatus.OPEN, "", 2)
    with pytest.raises(InvalidInput):
        catalog.anomalies.set_status(anomaly_id, AnomalyStatus.OPEN, "\ud800", 2)


def test_a_note_with_nul_is_kept_or_refused(catalog: Catalog) -> None:
    """PostgreSQL has no NUL in text; either way nothing else is raised."""
    catalog.anomalies.upsert([finding()])
    anomaly_id = catalog.anomalies.find(AnomalyQuery())[0][0].id
    try:
        kept = catalog.anomalies.set_status(anomaly_id, AnomalyStatus.RESOLVED, "a\0b", 1)
        assert kept.note == "a\0b"
    except InvalidInput:
        assert catalog.backend == "postgresql"


def test_open_episodes_are_those_that_last(catalog: Catalog) -> None:
    catalog.anomalies.upsert([finding(1), finding(2, ended_at=9), finding(3, signal_key=2)])
    assert [(f.signal_key, f.started_at) for f in catalog.anomalies.open_episodes()] == [(1, 1), (2, 3)]


def test_open_ones_are_counted_by_asset_whatever_their_number(catalog: Catalog) -> None:
    assert catalog.anomalies.open_counts() == {}
    catalog.anomalies.upsert([finding(at) for at in range(1_200)] + [finding(5, asset_id="p2", signal_key=2)])
    assert catalog.anomalies.open_counts() == {"p1": 1_200, "p2": 1}
    page, _ = catalog.anomalies.find(AnomalyQuery(limit=2))
    catalog.anomalies.set_status(page[0].id, AnomalyStatus.RESOLVED, "", 2_000)
    catalog.anomalies.set_status(page[1].id, AnomalyStatus.INVESTIGATING, "", 2_000)
    assert catalog.anomalies.open_counts() == {"p1": 1_198, "p2": 1}


def test_filters(catalog: Catalog) -> None:
    catalog.anomalies.upsert(
        [
            finding(10),
            finding(20, severity=Severity.LOW),
            finding(30, asset_id="p2", signal_id="p2.flow", signal_key=5),
        ]
    )
    assert ids(catalog, AnomalyQuery()) == [30, 20, 10]
    assert ids(catalog, AnomalyQuery(asset_id="p1")) == [20, 10]
    assert ids(catalog, AnomalyQuery(signal_id="p2.flow")) == [30]
    assert ids(catalog, AnomalyQuery(severity=Severity.LOW)) == [20]
    assert ids(catalog, AnomalyQuery(status=AnomalyStatus.RESOLVED)) == []
    assert ids(catalog, AnomalyQuery(start=10, end=30)) == [20, 10]


def _refused_or_empty(catalog: Catalog, query: AnomalyQuery) -> bool:
    try:
        return catalog.anomalies.find(query)[0] == []
    except InvalidInput:
        return True


@pytest.mark.parametrize(
    "query",
    [
        AnomalyQuery(cursor="???"),
        AnomalyQuery(cursor="é"),
        AnomalyQuery(cursor="bm8="),
        AnomalyQuery(limit=0),
        AnomalyQuery(start=2**70),
        AnomalyQuery(asset_id="\ud800"),
        AnomalyQuery(asset_id="p\0"),
    ],
)
def test_odd_queries_are_refused_or_find_nothing(catalog: Catalog, query: AnomalyQuery) -> None:
    assert _refused_or_empty(catalog, query)


def test_pages_lose_and_repeat_nothing_while_more_arrives(catalog: Catalog) -> None:
    catalog.anomalies.upsert([finding(at // 3, signal_key=at) for at in range(20)])
    seen: list[tuple[int, int]] = []
    query = AnomalyQuery(limit=3)
    while True:
        page, cursor = catalog.anomalies.find(query)
        seen += [(a.finding.started_at, a.finding.signal_key) for a in page]
        if cursor is None:
            break
        catalog.anomalies.upsert([finding(1000 + len(seen))])
        query = replace(query, cursor=cursor)
    assert sorted(key for _, key in seen) == list(range(20))
    assert [at for at, _ in seen] == sorted((at for at, _ in seen), reverse=True)


_episodes = st.builds(
    finding,
    started_at=st.integers(0, 3),
    signal_key=st.integers(1, 2),
    detector=st.sampled_from(["limits", "flatline"]),
    count=st.integers(1, 9),
    score=st.floats(0, 1),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(_episodes, max_size=6), max_size=5))
def test_the_last_telling_stands(catalog: Catalog, tellings: list[list[Finding]]) -> None:
    known = {(f.signal_key, f.detector, f.started_at): f for f in catalog.anomalies.open_episodes()}
    for telling in tellings:
        catalog.anomalies.upsert(telling)
        known |= {(f.signal_key, f.detector, f.started_at): f for f in telling}
    assert list(catalog.anomalies.open_episodes()) == [
        known[key] for key in sorted(known, key=lambda k: (k[0], k[1], k[2]))
    ]


def test_models_that_findings_name_while_somebody_may_ask(catalog: Catalog) -> None:
    def found(number: int, model: str | None, **more: object) -> Finding:
        evidence = None if model is None else Evidence(2.0, 1.0, 0, 1, 1, 2, model=model)
        return finding(number, evidence=evidence, **more)

    ended = {"ended_at": 900}
    catalog.anomalies.upsert(
        [
            *(found(1, "m-lasting"), found(2, "m-open", **ended), found(3, "m-open", **ended)),
            *(found(4, "m-looked-at", **ended), found(5, "m-mended", **ended), found(6, "m-wrong-but-lasting")),
            *(found(7, None), found(8, "", **ended), found(9, None, **ended)),
        ]
    )
    stored = {a.finding.started_at: a.id for a in catalog.anomalies.find(AnomalyQuery())[0]}
    catalog.anomalies.set_status(stored[4], AnomalyStatus.INVESTIGATING, "", 1)
    catalog.anomalies.set_status(stored[5], AnomalyStatus.RESOLVED, "", 1)
    catalog.anomalies.set_status(stored[6], AnomalyStatus.FALSE_POSITIVE, "", 1)
    named = {"m-lasting", "m-open", "m-looked-at", "m-wrong-but-lasting"}
    assert catalog.anomalies.models_in_use() == named
    assert catalog.anomalies.within(Scope(("elsewhere",))).models_in_use() == set()
    registry: Any = Registry()
    ModelRetention(registry, catalog.anomalies, 3).run()
    assert registry.told == (3, named)


class Registry:
    def __init__(self) -> None:
        self.told: tuple[int, object] | None = None

    def prune(self, kept: int, named: object, deed: object) -> list[str]:
        self.told = kept, named
        return []
