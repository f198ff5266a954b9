"""What a gateway sends over a real server: table, parcels, findings, heartbeat, lease."""

import io
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx
import msgspec
import numpy as np
import pyarrow as pa
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forewarn.api.gateway_parcels import decode_minutes, decode_readings
from forewarn.api.gateway_tables import table_name
from forewarn.contracts.anomaly_store import AnomalyQuery
from forewarn.domain.conditions import ConditionCode, GatewayCondition
from forewarn.domain.errors import ForewarnError
from forewarn.domain.gateways import GatewayRole, Reduction
from forewarn.domain.series import Aggregates
from forewarn.gateway import wire
from forewarn.kit.clock import MINUTE, SECOND, now_us
from tests.api.gateways import SIGNALS, Gateway, found, parcel, series
from tests.api.site import Site, serving

MIB = 1 << 20
HOUR = 3_600 * SECOND


@pytest.fixture
def gateway(site: Site) -> Iterator[Gateway]:
    made = Gateway(site, f"gw {secrets.token_hex(4)}")
    assert made.put_signals().json() == {"unknown": []}
    yield made
    made.client.close()


def stored(site: Site, signal: str, start: int, end: int) -> list[tuple[int, float]]:
    site.settle()
    key = site.parts.plant.table.key_of[signal]
    rows = site.parts.historian.raw(np.array([key], np.int32), start, end)
    return list(zip(rows.time.tolist(), rows.value.tolist(), strict=True))


def test_readings_are_stored_under_the_sites_keys_with_their_own_times(site: Site, gateway: Gateway) -> None:
    t = now_us()
    answer = gateway.send(parcel((1, t, 2.5), (1, t + 1, 2.75), (3, t - 7, 1480.0)))
    assert answer.json() == {
        "accepted": 3,
        "late": 0,
        "duplicate": 0,
        "rejected": 0,
        "reasons": {},
        "repeated": False,
    }
    assert stored(site, "p1.vibration", t, t + 2) == [(t, 2.5), (t + 1, 2.75)]
    assert stored(site, "p1.speed", t - 7, t) == [(t - 7, 1480.0)]


def test_a_parcel_sent_again_is_taken_once(site: Site, gateway: Gateway) -> None:
    t = now_us() + 10 * SECOND
    body = parcel((1, t, 1.0), (1, t + 1, 2.0))
    assert gateway.send(body).json()["accepted"] == 2
    again = gateway.send(body, number=gateway.number).json()
    assert (again["repeated"], again["duplicate"], again["accepted"], again["late"]) == (True, 2, 0, 0)
    assert stored(site, "p1.vibration", t, t + 2) == [(t, 1.0), (t + 1, 2.0)]


def test_every_row_has_a_verdict_and_every_refusal_a_reason(site: Site) -> None:
    gateway = Gateway(site, "gw verdicts", ("p1.vibration", "nobody.knows"))
    assert gateway.put_signals().json() == {"unknown": ["nobody.knows"]}
    t = now_us() + 20 * SECOND
    rows = [(1, t, 1.0), (1, t, 1.0), (1, t + 1, float("nan")), (2, t, 3.0), (1, t + 900 * SECOND, 1.0)]
    told = gateway.send(parcel(*rows)).json()
    assert told == {
        "accepted": 1,
        "late": 0,
        "duplicate": 1,
        "rejected": 3,
        "reasons": {"unknown_signal": 1, "not_finite": 1, "time_in_future": 1},
        "repeated": False,
    }
    late = gateway.send(parcel((1, t - 5 * SECOND, 9.0))).json()
    assert (late["accepted"], late["late"]) == (0, 1)


def test_a_table_that_the_site_does_not_have_is_asked_for(site: Site, gateway: Gateway) -> None:
    refused = gateway.send(parcel((1, now_us(), 1.0)), Forewarn_Signals="0123456789abcdef")
    assert (refused.status_code, refused.json()["code"]) == (409, "signal_table_unknown")


def test_a_table_from_before_the_site_was_restarted_counts(site: Site, gateway: Gateway) -> None:
    """Only the process's memory is new; the catalog knows the table."""
    with serving(site.opened) as again:
        other = Gateway(again, gateway.name, number=500)
        assert other.send(parcel((1, now_us(), 1.0))).status_code == 200


@pytest.mark.parametrize(
    ("signals", "table", "why"),
    [
        ({"1": "a", "3": "b"}, None, "keys are 1 to 2"),
        ({"one": "a"}, None, "keys are 1 to 1"),
        ({"1": "a\nb"}, None, "printable"),
        ({"1": "a"}, "f" * 16, "make"),
        ({"1": 5}, None, "uplink.md"),
    ],
)
def test_a_bad_table_is_refused_with_the_reason(
    site: Site, gateway: Gateway, signals: dict[str, object], table: str | None, why: str
) -> None:
    given_name = table or table_name([str(name) for name in signals.values()])
    answer = gateway.client.put(f"{gateway.base}/signals", json={"table": given_name, "signals": signals})
    assert answer.status_code == 400
    assert why in answer.json()["detail"]


def test_nobody_speaks_for_another_gateway(site: Site, gateway: Gateway) -> None:
    other = Gateway(site, "gw other")
    for method, path in (("PUT", "/signals"), ("POST", "/parcels/1"), ("POST", "/heartbeat"), ("POST", "/lease")):
        assert other.client.request(method, gateway.base + path, content=b"{}").status_code == 403
        assert site.client.request(method, gateway.base + path, content=b"{}").status_code == 403


def test_a_gateway_of_another_part_of_the_plant_cannot_write_here(site: Site) -> None:
    key = site.opened.credentials.machine("gw elsewhere", "acme/goa")
    site.opened.gateways["gw elsewhere"] = key
    gateway = Gateway(site, "gw elsewhere", ("p1.vibration", "q1.vibration"))
    assert gateway.put_signals().json() == {"unknown": ["p1.vibration"]}
    t = now_us()
    told = gateway.send(parcel((1, t, 1.0), (2, t, 1.0))).json()
    assert (told["accepted"], told["reasons"]) == (1, {"unknown_signal": 1})
    assert site.parts.gateways.gateway("gw elsewhere").scored == ("q1.vibration",)
    refused = gateway.send(wire.encode_findings([found(t)], ()), "findings").json()
    assert (refused["accepted"], refused["reasons"]) == (0, {"unknown_signal": 1})


def stream(columns: dict[str, pa.Array], form: str = "float64", batches: int = 1, **options: object) -> bytes:
    schema = pa.schema(
        [(name, column.type) for name, column in columns.items()],
        metadata={"format": "forewarn.readings.1", "value": form},
    )
    out = io.BytesIO()
    with pa.ipc.new_stream(out, schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        for _ in range(batches):
            writer.write_batch(pa.record_batch(list(columns.values()), schema=schema))
    return zstandard.compress(out.getvalue())


def lists(width: int, n: int = 2) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(n * width, np.uint8)), width)


GOOD = {"signal": lists(4), "time": lists(8), "value": lists(8)}


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b"", 400, "body"),
        (b"nonsense", 400, "body"),
        (zstandard.compress(b""), 400, "body"),
        (zstandard.compress(b"no arrow"), 400, "body"),
        (parcel((1, 1, 1.0))[:-3], 400, "body"),
        (parcel((1, 1, 1.0)) * 2, 400, "body"),
        (zstandard.ZstdCompressor(write_content_size=False).compress(b"x" * 100), 400, "body"),
        (zstandard.compress(bytes(200 * MIB)), 413, None),
        (stream(GOOD, compression="zstd"), 400, "signal"),
        (stream(GOOD, batches=2), 400, "body"),
        (stream(GOOD, batches=0), 400, "body"),
        (stream(GOOD | {"time": lists(4)}), 400, "time"),
        (stream(GOOD | {"time": pa.array([1, 2])}), 400, "time"),
        (stream(GOOD | {"value": pa.array([None, None], pa.list_(pa.uint8(), 8))}), 400, "value"),
        (stream(GOOD, form="decimal:7"), 400, "value"),
        (stream(GOOD, form="text"), 400, "value"),
        (stream({"signal": lists(4), "time": lists(8)}), 400, "value"),
        (stream({"signal": lists(4), "value": lists(8)}), 400, "time"),
        (wire.encode_minutes(Aggregates(*(np.zeros(0, np.int32) for _ in range(8)))), 400, "format"),
        (parcel((99, 1, 1.0)), 400, "signal"),
        (parcel((-1, 1, 1.0)), 400, "signal"),
        (parcel((0, 1, 1.0)), 400, "signal"),
    ],
)
def test_a_parcel_that_cannot_be_read_is_refused_by_name(
    gateway: Gateway, body: bytes, status: int, field: str | None
) -> None:
    answer = gateway.send(body)
    assert (answer.status_code, answer.json().get("field")) == (status, field), answer.text


@pytest.mark.parametrize(
    ("headers", "number", "status"),
    [
        ({"Content_Encoding": "gzip"}, 1, 415),
        ({"Forewarn_Parcel": "songs"}, 1, 400),
        ({}, 0, 400),
        ({}, -1, 400),
        ({}, 1 << 63, 400),
    ],
)
def test_a_parcel_that_is_announced_wrongly(
    gateway: Gateway, headers: dict[str, str], number: int, status: int
) -> None:
    assert gateway.send(parcel((1, 1, 1.0)), number=number, **headers).status_code == status


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=600), st.integers(0, 5_000), st.binary(min_size=1, max_size=8))
def test_no_bytes_make_the_decoders_fail(noise: bytes, at: int, patch: bytes) -> None:
    plain = bytearray(zstandard.decompress(parcel(*((k, 1_000 + k, k / 4) for k in range(1, 40)))))
    plain[at % len(plain) :][: len(patch)] = patch
    spot = at % len(plain)
    plain[spot : spot + len(patch)] = patch
    for body in (noise, zstandard.compress(noise), zstandard.compress(bytes(plain))):
        for decode in (decode_readings, decode_minutes):
            try:
                decode(body, MIB)
            except ForewarnError:
                continue


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_what_the_gateway_packs_comes_back_bit_for_bit(data: st.DataObject) -> None:
    n = data.draw(st.integers(0, 40))
    keys = sorted(data.draw(st.lists(st.integers(1, 2**31 - 1), min_size=n, max_size=n)))
    whole = st.integers(-(2**63), 2**63 - 1)
    times = data.draw(st.lists(whole, min_size=n, max_size=n))
    values = data.draw(st.lists(st.floats() | st.integers(-999, 999).map(lambda v: v / 100), min_size=n, max_size=n))
    codes = data.draw(st.lists(st.integers(0, 2**32 - 1), min_size=n, max_size=n))
    rows = decode_readings(parcel(*zip(keys, times, values, strict=True), quality=codes), MIB)
    given_rows = series(*zip(keys, times, values, strict=True), quality=codes)
    assert rows.signal.tolist() == keys
    assert rows.time.tolist() == times
    assert rows.value.tobytes() == given_rows.value.tobytes()
    assert rows.quality.tolist() == given_rows.quality.tolist()


def findings_of(site: Site, start: int) -> list[tuple[str, int, int | None, str]]:
    told = site.parts.anomalies.find(AnomalyQuery(start=start, end=start + 1))[0]
    return [(a.finding.signal_id, a.finding.last_at, a.finding.ended_at, a.finding.detected_by) for a in told]


def test_findings_are_kept_once_in_whatever_order_they_come(site: Site, gateway: Gateway) -> None:
    t = now_us()
    opened, ended = found(t), found(t, t + 9 * SECOND)
    first = gateway.send(wire.encode_findings([ended], ()), "findings").json()
    assert (first["accepted"], first["repeated"]) == (1, False)
    for older in (opened, ended):
        told = gateway.send(wire.encode_findings([older], ()), "findings").json()
        assert (told["accepted"], told["duplicate"], told["repeated"]) == (0, 1, True)
    assert findings_of(site, t) == [("p1.vibration", t + 9 * SECOND, t + 9 * SECOND, "edge_ml")]


def test_findings_of_parcels_at_once_end_as_they_ended(site: Site, gateway: Gateway) -> None:
    t = now_us()
    steps = [found(t, None, score=0.6 + i / 100) for i in range(10)] + [found(t, t + 60 * SECOND)]
    bodies = [wire.encode_findings([f], ()) for f in steps]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda pair: gateway.send(pair[1], "findings", pair[0] + 1), enumerate(bodies)))
    assert {a.status_code for a in answers} == {200}
    assert findings_of(site, t) == [("p1.vibration", t + 60 * SECOND, t + 60 * SECOND, "edge_ml")]


def test_a_finding_of_the_future_is_refused_as_a_reading_is(site: Site, gateway: Gateway) -> None:
    """Its alarm would have risen then, and nothing before that would be news."""
    t = now_us()
    told = [found(t + HOUR), found(t, t + HOUR), found(t - SECOND, t)]
    answer = gateway.send(wire.encode_findings(told, ()), "findings").json()
    assert (answer["accepted"], answer["reasons"]) == (1, {"time_in_future": 2})
    words = [
        {"sensor_id": "p1.vibration", "timestamp": at // 1000, "value": 1, "anomaly_score": 0.9} for at in (t + HOUR, t)
    ]
    body = {"gateway_id": gateway.name, "timestamp": t // 1000, "sequence": 1, "readings": [], "anomalies": words}
    by_json = gateway.client.post("/api/v1/telemetry/batch", json=body).json()
    assert (by_json["anomalies_accepted"], by_json["anomalies_rejected"]) == (1, 1)


@pytest.mark.parametrize("body", [b"{}", b"[]", b"nonsense", b'{"findings": [{"signal_id": 5}]}'])
def test_findings_that_cannot_be_read(gateway: Gateway, body: bytes) -> None:
    answer = gateway.send(zstandard.compress(body), "findings")
    assert (answer.status_code, answer.json()["field"]) == (400, "body")


def test_a_heartbeat_is_answered_with_the_time_and_what_is_asked(site: Site, gateway: Gateway) -> None:
    before = now_us()
    told = gateway.beat().json()
    assert before <= told["time"] <= now_us()
    assert told["requests"] == []
    bare = gateway.client.post(f"{gateway.base}/heartbeat", content=msgspec.json.encode(gateway.status()))
    assert bare.status_code == 200


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"status": 5}', b'{"status": {"name": "x"}}', b'{"status": {}, "done": "r1"}'],
)
def test_a_heartbeat_that_cannot_be_read(gateway: Gateway, body: bytes) -> None:
    assert gateway.client.post(f"{gateway.base}/heartbeat", content=body).status_code == 400


def test_how_a_gateway_thins_is_kept_where_it_can_be(site: Site, gateway: Gateway) -> None:
    told = (Reduction(0, (("*", True), ("p1.*", False)), 60, 600), Reduction(7, (("*", True),), 0, 3_600))
    assert gateway.beat(reductions=told).status_code == 200
    status = site.parts.gateways.gateway(gateway.name).status
    assert status is not None
    assert status.reductions == told
    for wrong in (
        replace(told[0], whole_s=601),
        replace(told[0], whole_s=-1),
        replace(told[0], whole_every_s=1),
        replace(told[0], since=2**62),
        replace(told[0], thinned=(("*", True),) * 1_001),
    ):
        answer = gateway.beat(reductions=(wrong,))
        assert (answer.status_code, answer.json()["field"]) == (400, "reductions"), answer.text


def test_a_heartbeat_of_another_name_is_refused(gateway: Gateway) -> None:
    refused = gateway.beat(name="somebody else")
    assert (refused.status_code, refused.json()["field"]) == (400, "name")


def test_what_a_device_said_is_kept_without_what_a_database_refuses(site: Site, gateway: Gateway) -> None:
    """PostgreSQL keeps no NUL in a text, and no key of 6,000 bytes."""
    told = GatewayCondition(ConditionCode.NONSENSE, "plc\0" + "y" * 6_000, 1, 2, "it said \0 " + "x" * 100_000)
    assert gateway.beat("r\0", conditions=(told,), version="1\0").status_code == 200
    (kept,) = site.parts.gateways.conditions(gateway.name, 10)
    assert kept.condition.subject == "plc" + "y" * 196
    assert kept.condition.text == "it said  " + "x" * 1_990


def claim(gateway: Gateway, group: str, covered_until: int = 0, seconds: float = 60, **more: object) -> httpx.Response:
    body = {"group": group, "covered_until": covered_until, "seconds": seconds} | more
    return gateway.client.post(f"{gateway.base}/lease", json=body)


def test_one_of_two_holds_the_lease(site: Site) -> None:
    a, b = Gateway(site, "gw lease a"), Gateway(site, "gw lease b")
    first = claim(a, "pair").json()
    assert (first["holder"], first["epoch"], first["covered_by_others"]) == (a.name, 1, [])
    begun = first["cover_from"]
    assert claim(a, "pair", begun + 5).json()["epoch"] == 1
    watching = claim(b, "pair", 0).json()
    assert (watching["holder"], watching["epoch"]) == (a.name, 1)
    assert watching["covered_by_others"] == [[begun, begun + 5]]


def test_the_one_that_waits_learns_what_the_other_has_missed(site: Site) -> None:
    a, b = Gateway(site, "gw gap a"), Gateway(site, "gw gap b")
    begun = claim(a, "gaps").json()["cover_from"]
    lasts = ["p\u00e4 1", begun - 9, None]
    told = claim(a, "gaps", begun + 5, missing=[lasts, ["plc", begun + 1, begun + 3]], missing_until=begun + 9)
    assert told.json()["missing_by_others"] == []
    assert claim(b, "gaps").json()["missing_by_others"] == [["plc", begun + 1, begun + 3], [lasts[0], begun, begun + 9]]


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ([["plc", 5, 5]], "missing[0], source 'plc': it ends at 5 and starts at 5"),
        ([["plc", 1, 2], ["plc", 9, 5]], "missing[1], source 'plc'"),
        ([["plc", 1]], "missing"),
        ([["plc", -1, 5]], "missing"),
        ([["plc", 1, 2**63]], "missing"),
        ([["", 1, 5]], "missing"),
        ([["x\0y", 1, 5]], "missing"),
        ([["x" * 201, 1, 5]], "missing"),
        ([["plc", n, n + 1] for n in range(1_001)], "missing"),
        ("plc", "missing"),
    ],
)
def test_what_cannot_be_missing_is_refused(gateway: Gateway, missing: object, said: str) -> None:
    refused = claim(gateway, "odd", missing=missing)
    assert refused.status_code == 400, refused.text
    assert said in refused.json()["detail"]


def test_the_key_of_another_part_of_the_plant_cannot_take_a_lease(site: Site) -> None:
    gateways = []
    for name, path in (("gw goa", "acme/goa"), ("gw pune a", "acme/pune"), ("gw pune b", "acme/pune")):
        site.opened.gateways[name] = site.opened.credentials.machine(name, path)
        gateways.append(Gateway(site, name))
    goa, a, b = gateways
    assert claim(goa, "shared name").json()["holder"] == goa.name
    assert claim(a, "shared name").json()["holder"] == a.name
    assert claim(b, "shared name").json()["holder"] == a.name


@pytest.mark.parametrize("seconds", [0, -1, 601, "x"])
def test_a_lease_has_bounds(gateway: Gateway, seconds: object) -> None:
    answer = gateway.client.post(f"{gateway.base}/lease", json={"group": "g", "covered_until": 0, "seconds": seconds})
    assert answer.status_code == 400


def test_a_standby_vouches_for_nothing(site: Site, gateway: Gateway) -> None:
    edge = site.parts.edge
    heard: list[tuple[int, ...]] = []

    class Listening:
        found, scores, vouched = map(staticmethod, (edge.found, edge.scores, edge.vouched))

        def heard(self, alive: np.ndarray, silent: np.ndarray, at: int) -> None:
            heard.append((len(alive), len(silent)))

    with serving(site.opened.but(edge=Listening())) as again:
        other = Gateway(again, gateway.name)
        other.beat(role=GatewayRole.STANDBY)
        assert heard == []
        other.beat(role=GatewayRole.ACTIVE, silent=("p1.speed", "who is that"))
        assert heard == [(2, 1)]


def test_what_a_gateway_no_longer_collects_it_neither_vouches_for_nor_scores(site: Site) -> None:
    """Its table keeps every id it ever had; another gateway, or the site itself, may collect the signal now."""
    edge, heard, scores = site.parts.edge, [], []

    class Listening:
        found, vouched = map(staticmethod, (edge.found, edge.vouched))

        def heard(self, alive: np.ndarray, silent: np.ndarray, at: int) -> None:
            heard.append((len(alive), len(silent)))

        def scores(self, gateway: str, keys: np.ndarray) -> None:
            scores.append(len(keys))

    with serving(site.opened.but(edge=Listening())) as again:
        gateway = Gateway(again, "gw former")
        gateway.put_signals()
        gateway.beat(former=("p1.speed",))
        assert (heard, scores) == ([(2, 0)], [3, 2])
        assert site.parts.gateways.gateway(gateway.name).scored == SIGNALS[:2]
        gateway.put_signals()  # after an outage it is sent anew
        assert scores[-1] == 2
    with serving(site.opened.but(edge=Listening())) as again:
        gateway = Gateway(again, "gw former")
        gateway.send(parcel((1, now_us(), 1.0)))
        gateway.beat(former=("p1.speed",))
        gateway.beat()
        assert scores[-2:] == [2, 3]


def minutes_of(*rows: tuple[int, int, list[float]]) -> Aggregates:
    """Of (gateway's key, start of the minute, its readings)."""
    key, start, values = zip(*rows, strict=True)
    columns = [np.array([f(v) for v in values]) for f in (np.mean, np.min, np.max)]
    count = np.array([len(v) for v in values], np.int64)
    spread = np.array([np.std(v, ddof=1) if len(v) > 1 else np.nan for v in values])
    return Aggregates(np.array(key, np.int32), np.array(start, np.int64), *columns, spread, count, count)


def test_minutes_stand_in_for_readings_that_were_kept_back(site: Site, gateway: Gateway) -> None:
    minute = now_us() // (2 * MINUTE) * 2 * MINUTE - 3_000 * MINUTE
    values = [4.0 + i / 100 for i in range(60)]
    told = gateway.send(wire.encode_minutes(minutes_of((1, minute, values), (1, minute + MINUTE, [1.5]))), "minutes")
    assert (told.status_code, told.json()["accepted"], told.json()["rejected"]) == (200, 2, 0), told.text
    gateway.send(parcel((1, minute + 5 * SECOND, values[5])))
    site.settle()
    again = gateway.send(wire.encode_minutes(minutes_of((1, minute, values))), "minutes").json()
    assert (again["accepted"], again["duplicate"], again["repeated"]) == (0, 1, True)
    key = np.array([site.parts.plant.table.key_of["p1.vibration"]], np.int32)
    found = site.parts.historian.aggregate(key, minute, minute + 2 * MINUTE, 2 * MINUTE)
    assert (found.count.tolist(), found.minimum.tolist(), found.maximum.tolist()) == ([61], [1.5], [4.59])
    span = {"start": str(minute // 1000), "end": str((minute + 2 * MINUTE) // 1000)}
    drawn = site.client.get("/api/v1/series", params={"signals": "p1.vibration", **span}).json()["series"][0]
    assert (min(drawn["value"]), max(drawn["value"]), drawn["total"]) == (1.5, 4.59, 62)


def test_minutes_that_cannot_be_are_refused_by_name(site: Site, gateway: Gateway) -> None:
    minute = now_us() // MINUTE * MINUTE
    good = minutes_of(*((1, minute - i * MINUTE, [1.0, 2.0]) for i in range(9, 2, -1)))
    wrong = {
        "start": {0: minute - 9 * MINUTE + 1, 1: minute + 60 * MINUTE, 2: -MINUTE},
        "count": {3: 0},
        "mean": {4: 7.0},
        "stddev": {5: np.nan},
    }
    for name, changes in wrong.items():
        for row, value in changes.items():
            getattr(good, name)[row] = value
    told = gateway.send(wire.encode_minutes(good), "minutes").json()
    assert (told["accepted"], told["rejected"]) == (1, 6)
    assert told["reasons"] == {"not_a_number": 2, "time_in_future": 1, "time_negative": 1, "not_finite": 2}
    refused = gateway.send(wire.encode_minutes(minutes_of((9, minute, [1.0]))), "minutes")
    assert (refused.status_code, refused.json()["field"]) == (400, "signal")


def test_a_constant_minute_is_not_refused_for_the_last_bits_of_its_mean(site: Site, gateway: Gateway) -> None:
    minute = now_us() // MINUTE * MINUTE - 100 * MINUTE
    constant = minutes_of((2, minute, [0.1] * 60))
    constant.mean[0] = np.nextafter(0.1, 1.0)
    assert gateway.send(wire.encode_minutes(constant), "minutes").json()["accepted"] == 1


def test_a_parcel_that_comes_too_early_by_our_clock_stays_with_the_gateway(site: Site, gateway: Gateway) -> None:
    """One of the clocks is wrong; a day at the most, and only for who says how new it is."""
    now = now_us()
    for at, status in ((now + HOUR, 409), (now + 60 * SECOND, 200), (now + 25 * HOUR, 200)):
        answer = gateway.send(parcel((1, at, 1.0)), forewarn_newest=str(at))
        assert answer.status_code == status, answer.text
        assert answer.json().get("code") == ("too_early" if status == 409 else None)
    assert answer.json()["reasons"] == {"time_in_future": 1}
    assert stored(site, "p1.vibration", now + 59 * SECOND, now + 26 * HOUR) == [(now + 60 * SECOND, 1.0)]
    for nonsense in ("", "-1", "1e9", "9" * 30, "tomorrow"):
        assert gateway.send(parcel((1, now + HOUR, 1.0)), forewarn_newest=nonsense).json()["rejected"] == 1
