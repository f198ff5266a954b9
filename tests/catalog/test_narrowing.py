"""Who may see a part of the plant sees that part: by the queries, and on PostgreSQL whatever a query forgot."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import insert, select, update

from forewarn.catalog import Catalog, open_catalog
from forewarn.catalog.engine import Database, catalog_url, create_catalog_engine
from forewarn.catalog.tables import alarm_events, alarms, anomalies, assets, metadata, sensors
from forewarn.contracts.anomaly_store import AnomalyQuery
from forewarn.domain.access import ALL, Scope
from forewarn.domain.assets import Plant
from forewarn.domain.errors import NotFound
from forewarn.domain.findings import AnomalyStatus
from forewarn.policies import alarm_lifecycle
from tests.catalog.plants import SOURCE, asset, rule, signal
from tests.catalog.test_anomalies import finding
from tests.postgres_server import PostgresServer

PATHS = {
    "p1": ("acme", "pune", "water", "line-1"),
    "p2": ("acme", "pune", "water", "line-2"),
    "q1": ("acme", "goa", "water", "line-1"),
    # Its site's name begins like another's.
    "r1": ("acme", "pune2", "water", "line-1"),
}
SEEN = {
    Scope(("acme/pune",)): {"p1", "p2"},
    Scope(("acme/pune/water/line-1", "acme/goa")): {"p1", "q1"},
    Scope(("acme/pune/water/line-1/p1",)): set(),
    Scope(("acme/pun",)): set(),
    Scope(("acme/%",)): set(),
    Scope(("*",)): set(),
    Scope(("none\nacme",)): set(),
    Scope(()): set(),
    Scope(("acme",)): set(PATHS),
    ALL: set(PATHS),
}


@contextlib.contextmanager
def fill(url: str) -> Iterator[Catalog]:
    with open_catalog(url, now=lambda: 1_000) as catalog:
        plant = Plant(
            tuple(asset(name, path=path) for name, path in PATHS.items()),
            tuple(signal(name) for name in PATHS),
            (SOURCE,),
            {},
        )
        catalog.plant.apply(plant, [rule(name) for name in PATHS])
        keys = {s.asset_id: s.key for s in catalog.plant.signals()}
        catalog.anomalies.upsert(
            [finding(signal_key=keys[a], signal_id=f"{a}.vibration", asset_id=a, ended_at=None) for a in PATHS]
        )
        for name in PATHS:
            catalog.alarms.change(
                (name, "vibration-high"), lambda r, s: alarm_lifecycle.comment(r, s, 5, "me", "hello")
            )
        yield catalog


@pytest.fixture
def filled(url: str) -> Iterator[Catalog]:
    with fill(url) as catalog:
        yield catalog


@pytest.fixture(scope="module")
def server_database(postgres_server: PostgresServer) -> Iterator[Database]:
    """Row-level security is PostgreSQL's; SQLite has the queries alone."""
    url = postgres_server.url()
    with fill(url):
        database = Database(create_catalog_engine(catalog_url(url)))
        yield database
        database.close()


@pytest.mark.parametrize("scope", SEEN, ids=str)
def test_stores_know_only_their_part(filled: Catalog, scope: Scope) -> None:
    seen = SEEN[scope]
    alarm_store, anomaly_store = filled.alarms.within(scope), filled.anomalies.within(scope)
    assert {a.rule.asset_id for a in alarm_store.rules()} == seen
    assert {
        a.rule.asset_id
        for a in alarm_store.find(tuple(s for s in type(filled.alarms.rules()[0].status.state)), None, None)
    } == seen
    assert {f.asset_id for f in anomaly_store.open_episodes()} == seen
    assert set(anomaly_store.open_counts()) == seen
    assert {a.finding.asset_id for a in anomaly_store.find(AnomalyQuery())[0]} == seen
    everything = {a.finding.asset_id: a.id for a in filled.anomalies.find(AnomalyQuery())[0]}
    for name in PATHS:
        assert bool(anomaly_store.find(AnomalyQuery(asset_id=name))[0]) == (name in seen)
        assert bool(anomaly_store.earlier(finding().detector, [name], 10**15, 9)) == (name in seen)
        if name in seen:
            assert alarm_store.journal((name, "vibration-high"))
            continue
        with pytest.raises(NotFound):
            alarm_store.get((name, "vibration-high"))
        with pytest.raises(NotFound):
            alarm_store.journal((name, "vibration-high"))
        with pytest.raises(NotFound):
            alarm_store.change((name, "vibration-high"), lambda r, s: (replace(s, occurrences=99), []))
        with pytest.raises(NotFound):
            anomaly_store.set_status(everything[name], AnomalyStatus.RESOLVED, "", 9)
        with pytest.raises(NotFound):
            anomaly_store.get(everything[name])
    assert all(a.status.occurrences != 99 for a in filled.alarms.rules())


def test_what_concerns_nobody_s_part_is_listed() -> None:
    """A new table is either guarded by migration or said here to hold nothing of anybody's."""
    assert {t.name for t in metadata.sorted_tables} - GUARDED == {
        "plant_revision",
        "places",
        "stage_offsets",
        "access_revision",
        "revisions",
    }


# test_models.py, test_jobs.py, test_model_observations.py
OF_MODELS = {"model_versions", "model_champions", "model_rollouts", "model_rollout_members"}
OF_JOBS = {"jobs", "job_items", "model_observations"}
OF_PARTS = {"assets", "sensors", "anomalies", "alarm_rules", "alarms", "alarm_events"} | OF_MODELS | OF_JOBS
GUARDED = OF_PARTS | {
    "people",
    "machines",
    "grants",
    "sessions",
    "sign_in_failures",
    "audit",
    "audit_head",
    "sources",
    "gateways",
    "gateway_conditions",
    "gateway_requests",
    "gateway_leases",
}


@pytest.mark.parametrize("scope", SEEN, ids=str)
def test_a_forgotten_where_leaks_nothing(server_database: Database, scope: Scope) -> None:
    with server_database.within(scope).read() as connection:
        for table in (assets, sensors, anomalies, alarms, alarm_events):
            assert {row.asset_id for row in connection.execute(select(table))} == SEEN[scope], table.name
        for name in GUARDED - OF_PARTS:
            hidden = connection.execute(select(metadata.tables[name])).all()
            assert scope.everywhere or not hidden, name
    with server_database.within(scope).write() as connection:
        assert connection.execute(update(alarms).values(occurrences=77)).rowcount == len(SEEN[scope])
    # The next transaction on the same connection sees everything again.
    with server_database.read() as connection:
        assert {row.asset_id for row in connection.execute(select(assets))} == set(PATHS)


def test_nobody_can_write_into_what_he_does_not_see(server_database: Database) -> None:
    elsewhere = {
        "asset_id": "q1",
        "rule_id": "vibration-high",
        "at": 1,
        "kind": "comment",
        "state": "normal",
        "by": "x",
    }
    part = server_database.within(Scope(("acme/pune",)))
    with pytest.raises(Exception, match="row-level security"), part.write() as connection:
        connection.execute(insert(alarm_events).values(comment="", **elsewhere))


def test_a_connection_that_says_nothing_sees_nothing(server_database: Database) -> None:
    with server_database.read() as connection:
        connection.exec_driver_sql("SET LOCAL forewarn.scope TO DEFAULT")
        for name in GUARDED:
            assert not connection.execute(select(metadata.tables[name])).all(), name
