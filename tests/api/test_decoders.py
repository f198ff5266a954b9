"""The fast JSON path and the tolerant one must say the same of every body; no body may crash a decoder."""

import json
import math
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forewarn.api import telemetry_columns, telemetry_json, telemetry_layout
from forewarn.api.arrow_bound import decompressed_size
from forewarn.api.body import decompress
from forewarn.api.problems import BodyTooLarge
from forewarn.api.telemetry_arrow import ArrowDecoder
from forewarn.api.telemetry_batch import Telemetry
from forewarn.api.telemetry_columns import JsonDecoder
from forewarn.domain.assets import Signal
from forewarn.domain.errors import InvalidInput
from forewarn.domain.signal_table import SignalTable

# The last two are ids that a plant file may give and that JSON writes with escapes.
IDS = ("s1", "s2", "s3", "s4", "s5", 'a"b', "c\x01d")
TABLE = SignalTable.of([Signal(name, "a", name, "pressure", "bar", key=k) for k, name in enumerate(IDS, 1)])

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


PLAIN = {
    "sensor_id": ['"s1"', '"s2"', '"s5"'],
    "timestamp": ["1700000000000", "1700000000001", "0", "-5", "99999999999999", "1700000000000.25"],
    "value": ["1", "-2.5", "0", "-0", "0.1", "1e-05", "-1.5E+3", "123456789.12345678", "null", "9007199254740993"],
    "quality": ['"good"', '"bad"', '"uncertain"', "0", "2147483648"],
}
ODD = {
    "sensor_id": ['"s9"', '"s1,"', '"s1]"', '"\\u0073\\u0031"', "1", '"é"', '""', '"s1\x01"', '"a"b"', '"c\x01d"'],
    "timestamp": [
        '"2026-01-01T00:00:00Z"',
        '"x"',
        "true",
        "1e400",
        "01",
        "0x18BCFE56800",
        "0X9",
        "123456789012345678901",
        '""',
    ],
    "value": [
        "01",
        ".5",
        "5.",
        "1.e3",
        "inf",
        "NaN",
        "-",
        "--1",
        "+1",
        "1e999",
        '"3"',
        "true",
        "[1]",
        "{}",
        "",
        "nul",
        "1 2",
    ],
    "quality": ['"Good"', '"goo"', "-1", "4294967296", "null", '"good" ', "01", "1.0", "0x80"],
}
SPACING = [(",", ":", ""), (", ", ": ", ""), (",\n    ", ": ", "\n  "), (" ,", " :", " ")]
ENVELOPES = [
    b'{"gateway_id":"g","sequence":7,"readings":[%s]}',
    b'{"readings": [%s], "gateway_id": "g"}',
    b'{"gateway_id":"g","readings":[%s],"anomalies":[{"readings":[]}]}',
    b'{"gateway_id":"g","anomalies":[{"readings":[%s]}],"readings":[]}',
    b'{"gateway_id":"g","readings":[%s],"readings":[]}',
    b'{"gateway_id":"g","note":"\\"readings\\":[","readings":[%s]}',
    b'{"gateway_id":1,"readings":[%s]}',
    b'{"gateway_id":"g","readings":[%s',
]


@st.composite
def alike(draw: st.DrawFn) -> bytes:
    """A body as a serialiser writes it, with a constant column here and there, and seldom something odd in it."""
    names = draw(st.permutations(list(PLAIN)))[: draw(st.sampled_from([4, 4, 3]))]
    comma, colon, pad = draw(st.sampled_from(SPACING))
    constant = {name: draw(st.sampled_from([None, *PLAIN[name]])) for name in names}
    n = draw(st.integers(1, 30))
    rows = [[constant[name] or draw(st.sampled_from(PLAIN[name])) for name in names] for _ in range(n)]
    for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
        at = draw(st.integers(0, len(names) - 1))
        rows[draw(st.integers(0, n - 1))][at] = draw(st.sampled_from(ODD[names[at]]))
    written = [
        "{" + pad + comma.join(f'"{name}"{colon}{token}' for name, token in zip(names, row, strict=True)) + pad + "}"
        for row in rows
    ]
    body = draw(st.sampled_from(ENVELOPES)) % comma.join(written).encode()
    if draw(st.integers(0, 4)) == 0:
        at = draw(st.integers(0, len(body) - 1))
        body = (
            body[:at]
            + draw(st.sampled_from([b"", b" ", b",", b'"', b"}", b"]", b"\xff", b"0", b"\\"]))
            + body[at + 1 :]
        )
    return body


def said(decode: Callable[[bytes, SignalTable], Telemetry], body: bytes) -> object:
    try:
        decoded = decode(body, TABLE)
    except InvalidInput as refused:
        return str(refused)
    return columns(decoded), decoded.anomalies, decoded.batch.gateway


REMEMBERING = JsonDecoder(0)


@given(alike())
@settings(max_examples=1_500, deadline=None)
def test_columns_say_what_structs_say(body: bytes) -> None:
    general = said(telemetry_json.decode, body)
    assert said(JsonDecoder(0).decode, body) == general
    # What it remembers of earlier bodies changes nothing.
    assert said(REMEMBERING.decode, body) == general


def test_a_reading_of_many_names_is_not_taken_apart() -> None:
    fields = ",".join(f'"n{i}":1' for i in range(20_000))
    body = f'{{"gateway_id":"g","readings":[{{{fields}}},{{{fields}}}]}}'.encode()
    assert said(JsonDecoder(0).decode, body) == said(telemetry_json.decode, body)
    text = telemetry_layout.text_of(body)
    assert text is not None
    assert telemetry_layout.cut(text) is None


def test_the_names_of_unknown_gateways_are_not_kept() -> None:
    decoder = JsonDecoder(0)
    readings = [{"sensor_id": "s1", "timestamp": 1, "value": 1.0}] * 3
    with pytest.raises(InvalidInput, match="1 to 128"):
        decoder.decode(json.dumps({"gateway_id": "g" * 1_000, "readings": readings}).encode(), TABLE)
    words = decoder._words_of(TABLE)
    assert not words._guesses


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
@pytest.mark.parametrize("quality", [None, "good", 0x8000_0000])
def test_a_plain_body_needs_no_struct(
    separators: tuple[str, str], quality: str | int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telemetry_columns, "decode", None)
    readings = [{"sensor_id": f"s{i % 5 + 1}", "timestamp": 1_700_000_000_000 + i, "value": i / 7} for i in range(300)]
    given = [r if quality is None else {**r, "quality": quality} for r in readings]
    body = json.dumps({"gateway_id": "g", "readings": given}, separators=separators).encode()
    decoder = JsonDecoder(0)
    for _ in range(2):
        batch = decoder.decode(body, TABLE).batch
        assert batch.value.tolist() == [i / 7 for i in range(300)]
        assert batch.time.tolist() == [(1_700_000_000_000 + i) * 1_000 for i in range(300)]
        assert batch.signal.tolist() == [i % 5 + 1 for i in range(300)]


def test_ids_longer_than_a_window_are_found() -> None:
    names = ["m" * 60 + str(k) for k in range(1, 20)] + ["short"]
    table = SignalTable.of([Signal(name, "a", name, "pressure", "bar", key=k) for k, name in enumerate(names, 1)])
    decoder = JsonDecoder(0)
    for order in (names, names[::-1], names):
        readings = [{"sensor_id": name, "timestamp": 1, "value": 1.0} for name in order]
        body = json.dumps({"gateway_id": "g", "readings": readings}).encode()
        assert decoder.decode(body, table).batch.signal.tolist() == [table.key_of[name] for name in order]


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
