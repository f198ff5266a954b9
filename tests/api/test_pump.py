"""The specification's pump dialect."""

import time

from tests.api.site import DIALECT, Site

FIELDS = dict(zip(DIALECT, (1480, 72.5, 4.2, 2.8, 145.3, 1.8, 6.5, 28.4, 58.2, 25.1), strict=True))


def test_ten_flat_fields_come_back_as_live_data(site: Site) -> None:
    answer = site.client.post("/api/ingest", json=FIELDS)
    assert answer.status_code == 202
    assert (answer.json()["status"], answer.json()["asset_id"], answer.json()["readings_accepted"]) == (
        *("accepted", "p9"),
        10,
    )
    site.settle()
    live = site.client.get("/api/live-data").json()
    assert live["sensors"] == FIELDS
    assert (live["status"], live["is_anomaly"], set(live["sensor_states"].values())) == ("NORMAL", False, {"NORMAL"})


def test_unknown_fields_are_named_and_the_rest_is_kept(site: Site) -> None:
    body = {**FIELDS, "Colour": 3, "Oil_Pressure_bar": "high", "timestamp": "2026-02-01T00:00:00Z", "asset_id": "p9"}
    answer = site.client.post("/api/ingest", json=body).json()
    assert (answer["status"], answer["readings_accepted"]) == ("partial", 9)
    assert {(r["field"], r["reason"]) for r in answer["rejected"]} == {
        ("Colour", "unknown_signal"),
        ("Oil_Pressure_bar", "not_a_number"),
    }


def test_bad_bodies(site: Site) -> None:
    post = site.client.post
    assert post("/api/ingest", json=[]).status_code == 400
    assert post("/api/ingest", json={}).status_code == 400
    assert post("/api/ingest", content=b"{").status_code == 400
    assert post("/api/ingest", content=b"[" * 100_000).status_code == 400
    assert post("/api/ingest", json={**FIELDS, "asset_id": "none"}).status_code == 404
    assert post("/api/ingest", json={**FIELDS, "asset_id": 7}).status_code == 400
    assert post("/api/ingest", json={**FIELDS, "timestamp": []}).status_code == 400
    assert post("/api/ingest", content=b"a=1", headers={"Content-Type": "text/plain"}).status_code == 415
    assert post("/api/ingest", content=b" " * 9_000_000).status_code == 413


def test_history(site: Site) -> None:
    now = int(time.time() * 1000)
    for k in range(3):
        site.client.post("/api/ingest", json={**FIELDS, "timestamp": now - 10_000 + k})
    site.settle()
    rows = site.client.get("/api/sensor-history", params={"limit": 3}).json()["readings"]
    assert len(rows) == 3
    assert rows[0]["timestamp"] > rows[1]["timestamp"]
    assert rows[1].keys() == {"timestamp", "machine_status", *DIALECT}


def test_edge_anomalies_show_in_the_dialect(site: Site) -> None:
    at = int(time.time() * 1000)
    found = {"sensor_id": "p9.Motor_RPM", "timestamp": at, "value": 9.0, "anomaly_score": 0.7, "reason": "slow"}
    site.post([], anomalies=[found])
    answer = site.client.get("/api/anomaly-history").json()
    assert [(a["sensor_name"], a["severity"], a["description"]) for a in answer["anomalies"]] == [
        ("Motor_RPM", "MEDIUM", "slow")
    ]
    assert site.client.get("/api/live-data").json()["sensor_anomaly_counts"]["Motor_RPM"] == 1


def test_system_health(site: Site) -> None:
    health = site.client.get("/api/system-health").json()
    assert health["status"] == "healthy"
    assert health["ingest_latency"]["p99_ms"] >= health["ingest_latency"]["p50_ms"] > 0
    assert health["memory_bytes"] > 1 << 20


def test_simulation_switches(site: Site) -> None:
    assert site.client.post("/api/start-simulation").json()["running"]
    assert not site.client.post("/api/stop-simulation").json()["running"]
