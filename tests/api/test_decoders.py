"""The fast JSON path and the tolerant one must say the same of every body; no body may crash a decoder."""

import json
import math

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from forewarn.api import telemetry_json
from forewarn.api.arrow_bound import decompressed_size
from forewarn.api.body import decompress
from forewarn.api.problems import BodyTooLarge
from forewarn.api.telemetry_arrow import ArrowDecoder
from forewarn.api.telemetry_batch import Telemetry
from forewarn.domain.assets import Signal
from forewarn.domain.errors import InvalidInput
from forewarn.domain.signal_table import SignalTable

TABLE = SignalTable.of([Signal(f"s{k}", "a", f"s{k}", "pressure", "bar", key=k) for k in range(1, 6)])

numbers = st.one_of(st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False))
times = st.one_of(
    st.integers(1_600_000_000_000, 1_900_000_000_000),
    st.floats(0, 1e13),
    numbers,
    st.datetimes().map(lambda t: t.isoformat() + "Z"),
    st.text(max_size=5),
)
sound = st.fixed_dictionaries(
    {"sensor_id": st.sampled_from(["s1", "s2", "s5", "s9", "é"]), "timestamp": times, "value": numbers | st.none()},
    optional={"quality": st.sampled_from(["good", "bad", "uncertain"]) | st.integers(0, 2**32 - 1), "extra": st.none()},
)
anything = st.recursive(
    st.none() | st.booleans() | numbers | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
odd = st.fixed_dictionaries(
    {}, optional={"sensor_id": anything, "timestamp": anything, "value": anything, "quality": anything}
)
rows = st.lists(st.one_of(sound, sound, sound, odd, anything), max_size=8)


def columns(t: Telemetry) -> tuple[object, ...]:
    b = t.batch
    reason = np.zeros(len(b), np.uint8) if t.reason is None else t.reason
    value = [None if math.isnan(v) else v for v in b.value.tolist()]
    words = [t.sensor_id(i) for i in range(len(b))]
    return (b.signal.tolist(), b.time.tolist(), value, b.quality.tolist(), reason.tolist(), b.sequence, words)


@given(st.lists(sound, max_size=8), st.integers(0, 2**63 - 1) | st.none())
@settings(max_examples=400, deadline=None)
def test_the_two_paths_agree_on_sound_bodies(readings: list[object], sequence: int | None) -> None:
    body = json.dumps({"gateway_id": "g", "sequence": sequence, "readings": readings}).encode()
    assert columns(telemetry_json.decode(body, TABLE)) == columns(telemetry_json.decode_tolerant(body, TABLE))


@given(rows)
@settings(max_examples=400, deadline=None)
def test_every_reading_gets_a_row(readings: list[object]) -> None:
    body = json.dumps({"gateway_id": "g", "readings": readings}).encode()
    decoded = telemetry_json.decode(body, TABLE)
    assert len(decoded.batch) == len(readings)
    assert columns(decoded) == columns(telemetry_json.decode_tolerant(body, TABLE))


@given(st.binary(max_size=200) | anything.map(lambda v: json.dumps(v).encode()))
@settings(max_examples=400, deadline=None)
def test_any_json_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        decoded = telemetry_json.decode(body, TABLE)
    except InvalidInput:
        return
    assert len(decoded.batch) >= 0


def arrow_stream(compression: str | None) -> bytes:
    table = pa.table(
        {
            "sensor_id": pa.array(["s1", "s2", None, "s1"] * 50).dictionary_encode(),
            "timestamp": pa.array(range(200), pa.int64()),
            "value": pa.array([1.0, None, 3.0, 4.0] * 50),
            "quality": pa.array([0, 1, 2, 3] * 50, pa.uint32()),
        }
    )
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


STREAMS = [arrow_stream(None), arrow_stream("lz4"), arrow_stream("zstd")]


@given(
    st.sampled_from(STREAMS),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=6),
    st.integers(0, 10_000),
)
@settings(max_examples=500, deadline=None)
def test_damaged_arrow_is_read_or_refused(stream: bytes, damage: list[tuple[int, int]], cut: int) -> None:
    body = bytearray(stream)
    for at, byte in damage:
        body[at % len(body)] = byte
    if cut < len(body):
        del body[cut:]
    try:
        decoded = ArrowDecoder(1 << 20).decode(bytes(body), "g", "1", TABLE)
    except (InvalidInput, BodyTooLarge):
        return
    assert all(isinstance(decoded.sensor_id(i), str) for i in range(len(decoded.batch)))


def test_the_bound_of_a_compressed_message_is_exact() -> None:
    for stream in STREAMS[1:]:
        reader = pa.ipc.MessageReader.open_stream(stream)
        sizes = [decompressed_size(memoryview(m.metadata), memoryview(m.body)) for m in reader if m.body is not None]
        plain = pa.ipc.MessageReader.open_stream(STREAMS[0])
        bodies = [len(m.body) for m in plain if m.body is not None]
        # Uncompressed bodies are padded to 8 bytes a buffer.
        assert all(0 <= whole - size < 8 * 16 for size, whole in zip(sizes, bodies, strict=True))


def test_a_remembered_dictionary_is_looked_up_again_when_it_differs() -> None:
    decoder = ArrowDecoder(1 << 20)

    def signals(ids: list[str]) -> list[int]:
        table = pa.table({"sensor_id": pa.array(ids).dictionary_encode(), "timestamp": [1] * 3, "value": [1.0] * 3})
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        decoded: list[int] = decoder.decode(sink.getvalue().to_pybytes(), "g", "1", TABLE).batch.signal.tolist()
        return decoded

    assert signals(["s1", "s2", "s1"]) == signals(["s1", "s2", "s1"]) == [1, 2, 1]
    assert signals(["s2", "s1", "s3"]) == [2, 1, 3]


@given(st.binary(max_size=300), st.sampled_from(["gzip", "zstd"]))
@settings(max_examples=300, deadline=None)
def test_any_compressed_bytes_are_read_or_refused(body: bytes, encoding: str) -> None:
    try:
        decompress(body, encoding, 1_000)
    except (InvalidInput, BodyTooLarge):
        return
