"""Worklist, series, timeseries, export, anomalies and alarms over a real store."""

import io
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow.parquet as pq
import pytest

from forewarn.contracts.alarm_store import Transition
from forewarn.domain.findings import Finding, Severity
from forewarn.policies import alarm_lifecycle
from tests.api.site import Site, open_parts, serving

NOW_MS = int(time.time() * 1000)
START_MS = NOW_MS - 600_000


def get(site: Site, path: str, **query: object) -> dict[str, Any]:
    answer = site.client.get(path, params={k: v for k, v in query.items() if v is not None})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.fixture(scope="module", autouse=True)
def history(site: Site) -> None:
    """Ten minutes at 10 Hz: a sine with one spike, and ten seconds of bad quality; p1.speed runs."""
    t = START_MS + np.arange(6_000) * 100
    value = np.round(np.sin(t / 5e3), 6)
    value[4_321] = 99.0
    bad = (np.arange(6_000) >= 1_000) & (np.arange(6_000) < 1_100)
    rows = [
        {"sensor_id": "p2.s0", "timestamp": int(at), "value": None if b else float(v), "quality": "bad" if b else 0}
        for at, v, b in zip(t, value, bad, strict=True)
    ]
    assert site.post(rows).json()["readings_accepted"] == 6_000
    site.post([{"sensor_id": "p1.speed", "timestamp": NOW_MS, "value": 1480}])
    site.settle()


def test_series_keeps_the_spike_and_shows_the_gap(site: Site) -> None:
    answer = get(site, "/api/v1/series", signals="p2.s0,p2.s1", start=START_MS, end=NOW_MS, points=200)
    one, empty = answer["series"]
    assert empty == {"signal_id": "p2.s1", "time_ms": [], "value": [], "bad": [], "total": 0, "downsampled": False}
    assert (one["total"], one["downsampled"]) == (6_000, True)
    assert len(one["time_ms"]) <= 201
    assert one["time_ms"] == sorted(one["time_ms"])
    assert 99.0 in one["value"]
    assert one["bad"] == [[START_MS + 100_000, START_MS + 110_000]]
    assert one["value"].count(None) == 1
    assert one["time_ms"][one["value"].index(None)] == START_MS + 100_000


def test_short_series_is_untouched(site: Site) -> None:
    answer = get(site, "/api/v1/series", signals="p2.s0", start=START_MS, end=START_MS + 1_000)
    one = answer["series"][0]
    assert (len(one["time_ms"]), one["downsampled"]) == (10, False)


def test_long_series_comes_from_extremes(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("forewarn.api.series._MOST_RAW", 1_000)
    start = START_MS - 7_200_000
    one = get(site, "/api/v1/series", signals="p2.s0", start=start, end=NOW_MS, points=50)["series"][0]
    assert 99.0 in one["value"]
    assert (one["total"], one["downsampled"]) == (6_000, True)


@pytest.mark.parametrize(
    ("query", "status", "field"),
    [
        ({"signals": "nobody"}, 404, None),
        ({"signals": ""}, 400, "signals"),
        ({"signals": "p1.speed", "start": "soon"}, 400, "start"),
        ({"signals": "p1.speed", "start": "2026-01-02", "end": "2026-01-01"}, 400, "start"),
        ({"signals": "p1.speed", "points": "many"}, 422, "points"),
        ({}, 422, "signals"),
    ],
)
def test_series_refuses(site: Site, query: dict[str, str], status: int, field: str | None) -> None:
    answer = site.client.get("/api/v1/series", params=query)
    assert (answer.status_code, answer.json().get("field")) == (status, field)
    assert answer.headers["content-type"] == "application/problem+json"


def test_timeseries_as_the_specification_has_it(site: Site) -> None:
    start = "2026-01-01T00:00:00Z"
    rows = [
        {"sensor_id": "p2.s9", "timestamp": f"2026-01-01T00:0{i // 2}:0{i}Z", "value": v}
        for i, v in enumerate([1, 2, 3, 4])
    ]
    site.post([*rows, {"sensor_id": "p2.s9", "timestamp": "2026-01-01T00:01:30Z", "value": None, "quality": "bad"}])
    site.settle()
    answer = get(site, "/api/v1/sensors/p2.s9/timeseries", start=start, end="2026-01-02T00:00:00Z", aggregation="1m")
    assert (answer["sensor_id"], answer["unit"], answer["aggregation"], answer["data_points"]) == (
        *("p2.s9", "bar", "1m"),
        2,
    )
    first, second = answer["data"]
    assert first == {
        "timestamp": start,
        "avg": 1.5,
        "min": 1.0,
        "max": 2.0,
        "stddev": pytest.approx(0.5**0.5),
        "count": 2,
        "good_share": 1.0,
    }
    assert (second["count"], second["good_share"]) == (3, pytest.approx(2 / 3, abs=1e-6))
    statistics = answer["statistics"]
    assert statistics == {
        "overall_avg": 2.5,
        "overall_min": 1.0,
        "overall_max": 4.0,
        "overall_stddev": pytest.approx(np.std([1, 2, 3, 4], ddof=1)),
    }
    raw = get(site, "/api/v1/sensors/p2.s9/timeseries", start=start, end="2026-01-02", aggregation="raw")
    assert raw["data_points"] == 5
    assert raw["data"][-1] == {
        "timestamp": "2026-01-01T00:01:30Z",
        "value": None,
        "quality": 0x8000_0000,
        "quality_name": "bad",
    }
    assert raw["statistics"] == statistics


def test_a_late_correction_shows_in_the_next_answer(site: Site) -> None:
    """Asked twice before, so that the answer lies in memory; flushed or not."""
    start, end = "2026-01-03T00:00:00Z", "2026-01-03T00:10:00Z"
    site.post([{"sensor_id": "p2.s8", "timestamp": f"2026-01-03T00:00:{i:02}Z", "value": 1} for i in range(60)])
    site.settle()
    for value, flushed in ((5.0, False), (6.0, True)):
        site.parts.historian.flush()
        for _ in range(2):
            _highest(site, start, end)
        site.post([{"sensor_id": "p2.s8", "timestamp": "2026-01-03T00:00:30Z", "value": value}])
        site.settle()
        if flushed:
            site.parts.historian.flush()
        assert _highest(site, start, end) == [value] * 3


def _highest(site: Site, start: str, end: str) -> list[float]:
    path, span = "/api/v1/sensors/p2.s8/timeseries", {"start": start, "end": end}
    rolled, raw = (get(site, path, **span, aggregation=a)["data"] for a in ("1m", "raw"))
    chart = get(site, "/api/v1/series", signals="p2.s8", **span)["series"][0]
    return [rolled[0]["max"], max(row["value"] for row in raw), max(chart["value"])]


@pytest.mark.parametrize("aggregation", ["1x", "0m", "m", "-1m", "1s"])
def test_timeseries_refuses(site: Site, aggregation: str) -> None:
    query = {"aggregation": aggregation, "start": "2020-01-01", "end": "2026-01-01"}
    answer = site.client.get("/api/v1/sensors/p2.s9/timeseries", params=query)
    assert (answer.status_code, answer.json()["field"]) == (400, "aggregation")


def test_export_is_parquet(site: Site) -> None:
    answer = site.client.get("/api/v1/export", params={"signals": "p2.s0", "start": START_MS, "end": NOW_MS})
    table = pq.read_table(io.BytesIO(answer.content))
    assert (table.num_rows, table.column_names) == (6_000, ["signal", "time", "value", "quality"])
    assert not list(site.parts.directory.glob("export-*"))


def find_alarm(site: Site, **query: object) -> dict[str, object]:
    alarms = get(site, "/api/v1/alarms", **query)["alarms"]
    return {a["id"]: a for a in alarms}


def act(site: Site, action: str, *ids: str, **more: object) -> list[tuple[bool, str]]:
    answer: httpx.Response = site.client.post("/api/v1/alarms/actions", json={"ids": ids, "action": action, **more})
    assert answer.status_code == 200, answer.text
    return [(r["ok"], r["alarm"]["state"] if r["alarm"] else r["detail"]) for r in answer.json()["results"]]


def raising(value: float) -> Transition:
    return lambda rule, status: alarm_lifecycle.raised(rule, status, NOW_MS * 1_000, value)


def test_the_life_of_an_alarm(site: Site) -> None:
    assert find_alarm(site) == {}
    site.parts.alarms.change(("p1", "vib-high"), raising(7.1))
    alarm = find_alarm(site)["p1/vib-high"]
    assert (alarm["state"], alarm["value"], alarm["unit"], alarm["asset_name"]) == (
        *("unacknowledged", 7.1, "mm/s"),
        "Pump one",
    )
    results = act(site, "acknowledge", "p1/vib-high", "p1/temp-high", "p1/none", "odd")
    assert [ok for ok, _ in results] == [True, False, False, False]
    assert results[0][1] == "acknowledged"
    assert act(site, "shelve", "p1/vib-high", minutes=30) == [(True, "shelved")]
    assert find_alarm(site, state="shelved,returned", asset_id="p1", priority="high").keys() == {"p1/vib-high"}
    assert find_alarm(site, priority="low") == {}
    assert act(site, "unshelve", "p1/vib-high", comment="back") == [(True, "unacknowledged")]
    assert act(site, "comment", "p1/vib-high", comment="seen on site") == [(True, "unacknowledged")]
    events = get(site, "/api/v1/alarms/journal", id="p1/vib-high")["events"]
    assert [e["kind"] for e in events] == [
        *("commented", "unshelved", "shelved", "acknowledged"),
        "raised",
    ]
    assert get(site, "/api/v1/alarms")["counts"]["unacknowledged"] == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"ids": ["p1/vib-high"], "action": "shelve"}, 400),
        ({"ids": ["p1/vib-high"], "action": "shelve", "minutes": 0}, 422),
        ({"ids": [], "action": "reset"}, 422),
        ({"ids": ["a/b"], "action": "explode"}, 422),
        ({"ids": ["a/b"], "action": "reset", "by": "somebody else"}, 422),
    ],
)
def test_actions_refuse(site: Site, body: dict[str, object], status: int) -> None:
    assert site.client.post("/api/v1/alarms/actions", json=body).status_code == status


def test_bad_alarm_filters(site: Site) -> None:
    assert site.client.get("/api/v1/alarms", params={"state": "loud"}).json()["field"] == "state"
    assert site.client.get("/api/v1/alarms/journal", params={"id": "p1/none"}).status_code == 404


def finding(signal: str, at_ms: int, ended: bool) -> Finding:
    key = 1 if signal == "p1.vibration" else 2
    at = at_ms * 1_000
    return Finding(
        *(key, signal, "p1", "robust_z", "spike", Severity.HIGH, 0.9, 7.5, 0.4, "7.5 mm/s where 0.4 was expected"),
        started_at=at,
        last_at=at + 5,
        ended_at=at + 5 if ended else None,
    )


def test_anomalies_and_their_lifecycle(site: Site) -> None:
    site.parts.anomalies.upsert([finding("p1.vibration", NOW_MS - k * 1_000, True) for k in range(5)])
    page = get(site, "/api/v1/anomalies", asset_id="p1", limit=3)
    rest = get(site, "/api/v1/anomalies", asset_id="p1", limit=3, cursor=page["next_cursor"])
    assert (len(page["anomalies"]), len(rest["anomalies"]), rest["next_cursor"]) == (3, 2, None)
    first = page["anomalies"][0]
    assert (first["deviation"], first["anomaly_score"], first["status"]) == (pytest.approx(7.1), 0.9, "open")
    url = f"/api/v1/anomalies/{first['id']}"
    assert site.client.patch(url, json={"status": "false_positive", "note": "test"}).json()["note"] == "test"
    assert site.client.patch(url, json={"status": "resolved"}).status_code == 409
    assert site.client.patch("/api/v1/anomalies/nope", json={"status": "resolved"}).status_code == 404
    assert site.client.patch(url, json={"status": "gone"}).status_code == 422
    assert site.client.get("/api/v1/anomalies", params={"cursor": "%%%"}).status_code == 400


def test_the_worklist_ranks_by_condition(site: Site) -> None:
    site.parts.alarms.change(("p1", "temp-high"), raising(95.0))
    assets = get(site, "/api/v1/assets")["assets"]
    by_id = {a["id"]: a for a in assets}
    assert next(iter(by_id)) == "p1"
    p1 = by_id["p1"]
    assert (p1["condition"], p1["reason"]) == ("critical", "Too hot (and 1 more)")
    assert (p1["running"], p1["active_alarms"], p1["open_anomalies"] >= 4) == (True, 2, True)
    assert p1["headline"]["signal_id"] == "p1.speed"
    assert by_id["p9"]["condition"] == "no_data"


def test_one_asset_with_its_signals(site: Site) -> None:
    asset = get(site, "/api/v1/assets/p1")
    assert [s["id"] for s in asset["signals"]] == ["p1.vibration", "p1.temperature", "p1.speed"]
    assert asset["signals"][0]["limits"]["high"] == 4.5
    assert asset["signals"][2]["latest"]["quality_name"] == "good"
    assert asset["components"] == [{"name": "bearing", "failure_modes": ["VIB"]}]
    assert site.client.get("/api/v1/assets/none").status_code == 404


def test_series_where_retention_left_only_rollups(tmp_path: Path) -> None:
    hour = 3_600_000
    start = NOW_MS // hour * hour - 6 * hour
    rows = [{"sensor_id": "p2.s0", "timestamp": start + i * 10_000, "value": float(i)} for i in range(6 * 360)]
    rows[700]["value"] = 9_999.0
    with open_parts(tmp_path) as opened, serving(opened) as own:
        own.post(rows)
        own.settle()
        own.parts.historian.flush()
        assert own.parts.historian.forget((start + 5 * hour) * 1_000, 0) > 0
        one = get(own, "/api/v1/series", signals="p2.s0", start=start, end=start + 6 * hour)["series"][0]
        assert one["total"] == 6 * 360
        assert max(one["value"]) == 9_999.0
        assert one["time_ms"][0] == start
        # The hour that is left is there in full, beside one that is not.
        border = start + 5 * hour
        across = {"start": border - hour // 2, "end": border + hour // 2}
        both = get(own, "/api/v1/series", signals="p2.s0", **across)["series"][0]
        assert both["total"] == 360
        assert sum(t >= border for t in both["time_ms"]) == 180
        assert sum(t < border for t in both["time_ms"]) == 60
        none = get(own, "/api/v1/series", signals="p2.s1", start=start, end=start + 30_000)["series"][0]
        assert none["time_ms"] == []
        hour_only = get(own, "/api/v1/series", signals="p2.s0", start=start, end=start + hour)["series"][0]
        assert hour_only["total"] == 360
