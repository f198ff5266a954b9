"""POST /api/v1/telemetry/batch, with every kind of bad input the issue names."""

import gzip
import json
import time
from concurrent.futures import Future, ThreadPoolExecutor

import httpx
import numpy as np
import pyarrow as pa
import pytest
import zstandard

from forewarn.contracts.batch_log import Appended
from forewarn.contracts.door import Submission
from forewarn.domain.errors import BatchLogFull, StorageFailed
from forewarn.domain.readings import ReadingBatch
from tests.api.site import Site, open_parts, serving

URL = "/api/v1/telemetry/batch"
_clock = [int(time.time() * 1000) - 3_600_000]


def fresh_ms() -> int:
    """A time newer than any other test's, so that nothing is late by accident."""
    _clock[0] += 1_000
    return _clock[0]


def reading(signal: str = "p1.vibration", **changes: object) -> dict[str, object]:
    return {"sensor_id": signal, "timestamp": fresh_ms(), "value": 0.45, "quality": "good", **changes}


def verdicts(answer: httpx.Response) -> list[tuple[int, str, str]]:
    assert answer.status_code == 202, answer.text
    return [(v["index"], v["verdict"], v["reason"]) for v in answer.json()["verdicts"]]


def stored(site: Site, signal: str, at_ms: int) -> list[float]:
    site.settle()
    key = np.array([site.parts.plant.table.key_of[signal]], np.int32)
    return site.parts.historian.raw(key, at_ms * 1000, at_ms * 1000 + 1).value.tolist()


def test_the_specifications_batch(site: Site) -> None:
    one, two = reading(), reading("p1.temperature", value=75.2)
    found = {"sensor_id": "p1.vibration", "timestamp": fresh_ms(), "value": 2.8, "anomaly_score": 0.95, "reason": "Sp"}
    answer = site.post([one, two], anomalies=[found], timestamp=fresh_ms())
    body = answer.json()
    assert answer.status_code == 202
    assert (body["status"], body["readings_accepted"], body["anomalies_accepted"]) == ("accepted", 2, 1)
    assert body["verdicts"] == []
    assert 55_000 < body["next_sync"] - time.time() * 1000 < 65_000
    assert stored(site, "p1.temperature", two["timestamp"]) == [75.2]
    anomalies = site.client.get("/api/v1/anomalies", params={"signal_id": "p1.vibration"}).json()["anomalies"]
    assert (anomalies[0]["detector"], anomalies[0]["detected_by"], anomalies[0]["severity"]) == (
        "edge",
        "edge_ml",
        "critical",
    )


def test_anomalies_that_cannot_be_read_are_counted(site: Site) -> None:
    wrong = [{"sensor_id": "nope", "timestamp": 1, "value": 1, "anomaly_score": 0.9}, 3, {"sensor_id": "p1.speed"}]
    sound = {"sensor_id": "p1.speed", "timestamp": 1_700_000_000_000, "value": 1, "anomaly_score": 0.9}
    wrong += [{**sound, field: 10**400} for field in ("timestamp", "value", "anomaly_score")]
    answer = site.post([reading()], anomalies=wrong)
    body = answer.json()
    assert (body["anomalies_accepted"], body["anomalies_rejected"], body["readings_accepted"]) == (0, 6, 1)


BAD_READINGS = [
    (reading("nobody"), "unknown_signal"),
    ({k: v for k, v in reading().items() if k != "sensor_id"}, "unknown_signal"),
    ("text", "unknown_signal"),
    (reading(sensor_id=17), "unknown_signal"),
    (reading(value="0.4"), "not_a_number"),
    (reading(value=True), "not_a_number"),
    (reading(value=None), "not_a_number"),
    (reading(value=None, quality="uncertain"), "not_a_number"),
    (reading(value=[1]), "not_a_number"),
    ({k: v for k, v in reading().items() if k != "value"}, "not_a_number"),
    (reading(value=float("nan")), "not_finite"),
    (reading(value=float("inf")), "not_finite"),
    (reading(value=10**400), "not_finite"),
    (reading(timestamp=-5), "time_negative"),
    (reading(timestamp=int(time.time() * 1000) + 3_600_000), "time_in_future"),
    (reading(timestamp=10**30), "time_in_future"),
    (reading(timestamp=10**400), "time_in_future"),
    (reading(timestamp=None), "time_missing"),
    (reading(timestamp="yesterday"), "time_missing"),
    (reading(timestamp={}), "time_missing"),
    (reading(quality="fine"), "quality_unknown"),
    (reading(quality=-1), "quality_unknown"),
    (reading(quality=2**32), "quality_unknown"),
]


@pytest.mark.parametrize(("bad", "reason"), BAD_READINGS)
def test_one_bad_reading_leaves_the_rest(site: Site, bad: object, reason: str) -> None:
    before, after = reading(), reading("p1.temperature")
    body = json.dumps({"gateway_id": "bad", "readings": [before, bad, after]})
    answer = site.client.post(URL, content=body, headers={"Content-Type": "application/json"})
    assert verdicts(answer) == [(1, "rejected", reason)]
    assert (answer.json()["status"], answer.json()["readings_accepted"]) == ("partial", 2)
    assert stored(site, "p1.temperature", after["timestamp"]) == [0.45]


def test_null_is_fine_where_the_quality_is_bad(site: Site) -> None:
    lost = reading(value=None, quality="bad")
    assert verdicts(site.post([lost])) == []
    assert np.isnan(stored(site, "p1.vibration", lost["timestamp"])).all()


def test_all_rejected_says_so(site: Site) -> None:
    body = site.post([reading("a"), reading("b")]).json()
    assert (body["status"], body["rejected"], body["readings_accepted"]) == ("rejected", 2, 0)


def test_times_as_text_and_fractions(site: Site) -> None:
    at = fresh_ms()
    rows = [reading("p2.s1", timestamp=at + 0.25), reading("p2.s2", timestamp="2026-01-31T08:00:00.250Z")]
    assert verdicts(site.post(rows)) == []
    site.settle()
    keys = site.parts.plant.table.key_of
    newest = site.parts.historian.latest(np.array([keys["p2.s1"], keys["p2.s2"]], np.int32))
    assert newest.time.tolist() == [at * 1000 + 250, 1_769_846_400_250_000]


def test_the_same_batch_again_is_a_repeat(site: Site) -> None:
    rows = [reading(), reading("p1.temperature")]
    first, again = site.post(rows, sequence=7, gateway="rep"), site.post(rows, sequence=7, gateway="rep")
    assert not first.json()["batch_repeated"]
    assert again.json()["batch_repeated"]
    assert (again.json()["readings_accepted"], again.json()["duplicate"], again.json()["status"]) == (0, 2, "accepted")


def test_a_number_used_again_for_other_readings_loses_nothing(site: Site) -> None:
    ahead = reading(timestamp=int(time.time() * 1000) + 3_600_000)
    assert site.post([ahead], sequence=5, gateway="anew").json()["rejected"] == 1
    mended = reading()
    answers = [site.post([mended], sequence=5, gateway="anew").json() for _ in range(2)]
    assert [(a["readings_accepted"], a["sequence_reused"], a["batch_repeated"]) for a in answers] == [
        (1, True, False),
        (0, False, True),
    ]
    assert stored(site, "p1.vibration", mended["timestamp"]) == [0.45]


def test_without_a_sequence_the_content_names_the_batch(site: Site) -> None:
    rows = [reading()]
    assert not site.post(rows, gateway="digest").json()["batch_repeated"]
    assert site.post(rows, gateway="digest").json()["batch_repeated"]


def test_out_of_order_is_late_and_stored(site: Site) -> None:
    old, new = reading("p2.s3", value=1.0), reading("p2.s3", value=2.0)
    site.post([new])
    assert verdicts(site.post([old])) == [(0, "late", "older_than_latest")]
    assert stored(site, "p2.s3", old["timestamp"]) == [1.0]


def test_a_repeated_reading_in_another_batch_is_a_duplicate(site: Site) -> None:
    row = reading("p2.s4")
    site.post([row], sequence=1, gateway="dup")
    assert verdicts(site.post([row], sequence=2, gateway="dup")) == [(0, "duplicate", "already_stored")]


def test_only_a_thousand_verdicts_are_listed(site: Site) -> None:
    body = site.post([reading("nobody") for _ in range(1_200)]).json()
    assert (len(body["verdicts"]), body["verdicts_omitted"], body["rejected"]) == (1_000, 200, 1_200)


WHOLE = {"gateway_id": "gw", "readings": []}
UNREADABLE = [
    (b"", 400, "body"),
    (b"{", 400, "body"),
    (b"[]", 400, "body"),
    (b'"x"', 400, "body"),
    (b"\xff\xfe", 400, "body"),
    (b"[" * 200_000, 400, "body"),
    (b'{"gateway_id":"g","readings":[],"anomalies":' + b"[" * 200_000, 400, "body"),
    (b'{"readings":[]}', 400, "gateway_id"),
    (json.dumps({**WHOLE, "gateway_id": ""}).encode(), 400, "gateway_id"),
    (json.dumps({**WHOLE, "gateway_id": "a\nb"}).encode(), 400, "gateway_id"),
    (json.dumps({**WHOLE, "gateway_id": "\ud800"}).encode(), 400, "gateway_id"),
    (json.dumps({**WHOLE, "gateway_id": "x" * 129}).encode(), 400, "gateway_id"),
    (json.dumps({**WHOLE, "gateway_id": 5}).encode(), 400, "gateway_id"),
    (json.dumps({**WHOLE, "sequence": -1}).encode(), 400, "sequence"),
    (json.dumps({**WHOLE, "sequence": 2**63}).encode(), 400, "sequence"),
    (json.dumps({**WHOLE, "sequence": 1.5}).encode(), 400, "sequence"),
    (b'{"gateway_id":"g"}', 400, "readings"),
    (b'{"gateway_id":"g","readings":{}}', 400, "readings"),
    (b'{"gateway_id":"g","readings":[],"anomalies":1}', 400, "anomalies"),
]


@pytest.mark.parametrize(("body", "status", "field"), UNREADABLE, ids=range(len(UNREADABLE)))
def test_what_cannot_be_read_at_all(site: Site, body: bytes, status: int, field: str) -> None:
    answer = site.client.post(URL, content=body, headers={"Content-Type": "application/json"})
    problem = answer.json()
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert (problem["status"], problem["field"]) == (status, field)
    assert problem["trace_id"] == answer.headers["x-trace-id"]


def test_a_malformed_body_is_named_by_position(site: Site) -> None:
    answer = site.client.post(URL, content=b'{"gateway_id": "g",\n  oops}')
    assert "line 2 column 3" in answer.json()["detail"]


def test_a_body_of_ten_megabytes(site: Site) -> None:
    answer = site.client.post(URL, content=b" " * 10_000_000)
    assert (answer.status_code, answer.json()["type"]) == (413, "urn:forewarn:problem:body-too-large")


def test_a_chunked_body_of_ten_megabytes(site: Site) -> None:
    answer = site.client.post(URL, content=iter([b" " * 1_000_000] * 10))
    assert answer.status_code == 413


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_compressed_bodies(site: Site, encoding: str) -> None:
    pack = gzip.compress if encoding == "gzip" else zstandard.compress
    rows = [reading(f"p2.s{i}") for i in range(100, 200)]
    plain = json.dumps({"gateway_id": encoding, "readings": rows}).encode()
    headers = {"Content-Encoding": encoding}
    assert site.client.post(URL, content=pack(plain), headers=headers).json()["readings_accepted"] == 100
    halves = pack(plain[:50]) + pack(plain[50:])
    assert site.client.post(URL, content=halves, headers=headers).json()["batch_repeated"]
    for broken in (pack(plain)[:-5], b"nonsense", pack(plain)[:40] + b"\0" * 40, b""):
        answer = site.client.post(URL, content=broken, headers=headers)
        assert (answer.status_code, answer.json()["field"]) == (400, "body")


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_body_of_very_many_pieces(site: Site, encoding: str) -> None:
    piece = (gzip.compress if encoding == "gzip" else zstandard.compress)(b"")
    answer = site.client.post(URL, content=piece * 200_000, headers={"Content-Encoding": encoding})
    assert (answer.status_code, "pieces" in answer.json()["detail"]) == (400, True)


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_bombs(site: Site, encoding: str) -> None:
    bomb = (gzip.compress if encoding == "gzip" else zstandard.compress)(b" " * 200_000_000)
    assert len(bomb) < 1_000_000
    answer = site.client.post(URL, content=bomb, headers={"Content-Encoding": encoding})
    assert answer.status_code == 413


def test_other_encodings_and_types(site: Site) -> None:
    assert site.client.post(URL, content=b"{}", headers={"Content-Encoding": "br"}).status_code == 415
    assert site.client.post(URL, content=b"{}", headers={"Content-Type": "text/csv"}).status_code == 415


class RefusingDoor:
    """A door whose log refuses, at once or after a while."""

    def __init__(self, error: Exception, at_once: bool) -> None:
        self._error, self._at_once = error, at_once

    def submit(self, batch: ReadingBatch, reason: object = None) -> Submission:
        if self._at_once:
            raise self._error
        refused: Future[Appended] = Future()
        refused.set_exception(self._error)
        return Submission(None, refused)  # type: ignore[arg-type]


def test_a_full_log_and_a_failed_disk(tmp_path_factory: pytest.TempPathFactory) -> None:
    full = RefusingDoor(BatchLogFull("the log is full", retry_after_s=2.3), at_once=True)
    failed = RefusingDoor(StorageFailed("no space left"), at_once=False)
    with open_parts(tmp_path_factory.mktemp("full")) as parts:
        with serving(parts.but(door=full)) as site:
            answer = site.post([reading()])
            assert (answer.status_code, answer.headers["retry-after"]) == (429, "3")
        with serving(parts.but(door=failed)) as site:
            assert site.post([reading()]).status_code == 503


def test_many_gateways_at_once(site: Site) -> None:
    def push(i: int) -> int:
        rows = [reading(f"p2.s{i + 20}", timestamp=1_700_000_000_000 + i * 1_000 + k) for k in range(50)]
        accepted = site.post(rows, gateway=f"crowd-{i}").json()["readings_accepted"]
        assert isinstance(accepted, int)
        return accepted

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(push, range(40))) == 2_000


def arrow_body(**columns: pa.Array) -> bytes:
    table = pa.table(columns)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def push_arrow(site: Site, body: bytes, gateway: str = "arrow", **headers: str) -> httpx.Response:
    key = site.opened.gateway(gateway) if gateway else site.opened.admin
    wire = {"Content-Type": "application/vnd.apache.arrow.stream", "Forewarn-Gateway": gateway, **headers}
    return site.client.post(URL, content=body, headers=wire, auth=key)


def test_the_same_columns_as_arrow(site: Site) -> None:
    at = fresh_ms() * 1_000
    ids = pa.array(["p1.speed", "nobody", "p2.s5", None, "p2.s5"])
    body = arrow_body(
        sensor_id=ids.dictionary_encode(),
        timestamp=pa.array([at, at, at, at, at + 1], pa.timestamp("us", tz="UTC")),
        value=pa.array([1480.0, 1.0, None, 1.0, float("nan")]),
        quality=pa.array([0, 0, 0, 0, 0x8000_0000], pa.uint32()),
    )
    assert verdicts(push_arrow(site, body, **{"Forewarn-Sequence": "4"})) == [
        (1, "rejected", "unknown_signal"),
        (2, "rejected", "not_a_number"),
        (3, "rejected", "unknown_signal"),
    ]
    assert push_arrow(site, body, **{"Forewarn-Sequence": "4"}).json()["batch_repeated"]
    assert stored(site, "p1.speed", at // 1000) == [1480.0]


def test_arrow_with_plain_columns(site: Site) -> None:
    at = fresh_ms() * 1_000
    body = arrow_body(
        sensor_id=pa.array(["p2.s6", "p2.s7"]),
        timestamp=pa.array([at, None], pa.int64()),
        value=pa.array([1.5, 2.5], pa.float32()),
        quality=pa.array([-1, 0], pa.int64()),
    )
    assert verdicts(push_arrow(site, body)) == [
        (0, "rejected", "quality_unknown"),
        (1, "rejected", "time_missing"),
    ]


def good_arrow() -> bytes:
    at = fresh_ms() * 1_000
    return arrow_body(
        sensor_id=pa.array(["p2.s8"] * 100).dictionary_encode(),
        timestamp=pa.array(range(at, at + 100), pa.int64()),
        value=pa.array(np.arange(100.0)),
    )


def test_truncated_and_garbled_arrow(site: Site) -> None:
    body = good_arrow()
    assert push_arrow(site, body).json()["readings_accepted"] == 100
    garbled = bytearray(body)
    garbled[200:260] = bytes(60)
    for broken in (b"", b"ARROW1", body[: len(body) // 2], body[:30], bytes(range(256)) * 20, bytes(garbled)):
        answer = push_arrow(site, broken)
        assert answer.status_code in (202, 400), answer.text
        if answer.status_code == 400:
            assert answer.json()["field"] == "body" or "column" in answer.json()["detail"]
    assert push_arrow(site, body[: len(body) // 2]).status_code == 400


def test_an_arrow_bomb(site: Site) -> None:
    table = pa.table({"sensor_id": pa.array(["p2.s8"] * 9_000_000).dictionary_encode()})
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    assert sink.tell() < 1_000_000
    assert push_arrow(site, sink.getvalue().to_pybytes()).status_code == 413


@pytest.mark.parametrize("missing", ["sensor_id", "timestamp", "value"])
def test_arrow_without_a_column(site: Site, missing: str) -> None:
    columns = {"sensor_id": pa.array(["p1.speed"]), "timestamp": pa.array([1]), "value": pa.array([1.0])}
    del columns[missing]
    answer = push_arrow(site, arrow_body(**columns))
    assert (answer.status_code, answer.json()["field"]) == (400, missing)


@pytest.mark.parametrize(
    ("column", "wrong"), [("sensor_id", [1]), ("timestamp", ["x"]), ("value", ["x"]), ("quality", [1.5])]
)
def test_arrow_with_a_column_of_the_wrong_type(site: Site, column: str, wrong: list[object]) -> None:
    columns = {"sensor_id": pa.array(["p1.speed"]), "timestamp": pa.array([1]), "value": pa.array([1.0])}
    answer = push_arrow(site, arrow_body(**{**columns, column: pa.array(wrong)}))
    assert (answer.status_code, answer.json()["field"]) == (400, column)


def test_arrow_headers(site: Site) -> None:
    assert push_arrow(site, good_arrow(), gateway="").json()["field"] == "gateway_id"
    answer = push_arrow(site, good_arrow(), **{"Forewarn-Sequence": "minus one"})
    assert (answer.status_code, answer.json()["field"]) == (400, "Forewarn-Sequence")
