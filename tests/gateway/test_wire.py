"""What goes over the wire comes back bit for bit, and a site with another Arrow library can read it."""

import io

import numpy as np
import pyarrow as pa
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from forewarn.domain.alarms import AlarmEvent, AlarmState
from forewarn.domain.errors import InvalidInput
from forewarn.domain.findings import Finding, Severity
from forewarn.domain.series import Aggregates, Series
from forewarn.gateway import wire

_LONG = st.integers(-(2**63), 2**63 - 1)


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    return a.dtype == b.dtype and a.tobytes() == b.tobytes()


@st.composite
def any_series(draw: st.DrawFn) -> Series:
    n = draw(st.integers(0, 90))
    signal = np.sort(draw(hnp.arrays(np.int32, n, elements=st.integers(0, 2**31 - 1))))
    time = draw(hnp.arrays(np.int64, n, elements=_LONG))
    bits = draw(hnp.arrays(np.int64, n, elements=_LONG))
    decimal = draw(hnp.arrays(np.int64, n, elements=st.integers(-(10**7), 10**7))) / 10 ** draw(st.integers(0, 6))
    value = draw(st.sampled_from((bits.view(np.float64), decimal, np.where(bits % 7, decimal, -0.0))))
    quality = draw(hnp.arrays(np.uint32, n, elements=st.integers(0, 2**32 - 1)))
    return Series(signal, time, value, quality if draw(st.booleans()) else np.zeros(n, np.uint32))


@settings(deadline=None)
@given(any_series())
def test_any_readings_come_back_bit_for_bit(readings: Series) -> None:
    back = wire.decode_readings(wire.encode_readings(readings))
    assert _same(back.signal, readings.signal)
    assert _same(back.time, readings.time)
    assert _same(back.value, readings.value)
    assert _same(back.quality, readings.quality)


@settings(deadline=None)
@given(st.integers(0, 50), st.data())
def test_any_minutes_come_back_bit_for_bit(n: int, data: st.DataObject) -> None:
    def column(dtype: type, elements: st.SearchStrategy[int]) -> np.ndarray:
        return data.draw(hnp.arrays(dtype, n, elements=elements))

    floats = [column(np.int64, _LONG).view(np.float64) for _ in range(4)]
    counts = [column(np.int64, st.integers(0, 2**32 - 1)) for _ in range(2)]
    minutes = Aggregates(column(np.int32, st.integers(0, 2**31 - 1)), column(np.int64, _LONG), *floats, *counts)
    back = wire.decode_minutes(wire.encode_minutes(minutes))
    for name in ("signal", "start", "mean", "minimum", "maximum", "stddev", "count", "good"):
        assert _same(getattr(back, name), getattr(minutes, name)), name


def test_pyarrow_reads_it_as_documented() -> None:
    readings = Series(
        np.array([1, 1, 7], np.int32),
        np.array([1_000, 900, 5_000], np.int64),
        np.array([0.1, np.pi, -2.5]),
        np.array([0, 2**31, 0], np.uint32),
    )
    stream = zstandard.ZstdDecompressor().decompress(wire.encode_readings(readings))
    with pa.ipc.open_stream(io.BytesIO(stream)) as reader:
        rows = reader.read_next_batch()
    assert rows.schema.metadata == {b"format": b"forewarn.readings.1", b"value": b"float64"}
    planes = rows["time"].flatten().to_numpy().reshape(8, -1).T.copy().view("<u8").ravel()
    assert planes.tolist() == [2_000, 199, 8_200]  # zigzag of 1000, -100, 4100
    value = rows["value"].flatten().to_numpy().reshape(8, -1).T.copy().view("<f8").ravel()
    assert value.tolist() == [0.1, np.pi, -2.5]
    assert rows["quality"].flatten().to_numpy().reshape(4, -1).T.copy().view("<u4").ravel().tolist() == [0, 2**31, 0]


def test_findings_are_json_without_the_gateways_own_key() -> None:
    finding = Finding(3, "p1.t", "p1", "limits", "limit", Severity.HIGH, 0.9, 81.5, None, "above 80", 10, 20, None, 4)
    event = AlarmEvent("p1", "t_high", 30, "raised", AlarmState.UNACKNOWLEDGED, value=81.5)
    findings, events = wire.decode_findings(wire.encode_findings([finding], [event]))
    assert "signal_key" not in findings[0]
    assert findings[0]["signal_id"] == "p1.t"
    assert findings[0]["severity"] == "high"
    assert events[0]["state"] == "unacknowledged"


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_nonsense_is_refused_by_name(body: bytes) -> None:
    for decode in (wire.decode_readings, wire.decode_minutes, wire.decode_findings):
        with pytest.raises(InvalidInput):
            decode(body)
        with pytest.raises(InvalidInput):
            decode(zstandard.ZstdCompressor().compress(body))


def test_a_parcel_of_another_format_is_refused() -> None:
    empty = Aggregates(np.zeros(0, np.int32), np.zeros(0, np.int64), *[np.zeros(0)] * 4, *[np.zeros(0, np.int64)] * 2)
    with pytest.raises(InvalidInput, match=r"forewarn\.minutes\.1"):
        wire.decode_readings(wire.encode_minutes(empty))


def _plant_seconds(seconds: int, decimals: int | None) -> Series:
    """1,000 signals at 1 Hz, each with a phase of its own and 20 ms of jitter, 1 % noise."""
    rng = np.random.default_rng(1)
    signal = np.repeat(np.arange(1, 1001, dtype=np.int32), seconds)
    at = np.tile(np.arange(seconds) * 1_000_000, 1000) + np.repeat(rng.integers(0, 1_000_000, 1000), seconds)
    time = 1_767_225_600_000_000 + at + rng.normal(0, 20_000, len(signal)).astype(np.int64)
    value = np.repeat(rng.uniform(1, 500, 1000), seconds) * (1 + 0.01 * rng.normal(size=len(signal)))
    value = value.astype(np.float32).astype(np.float64) if decimals is None else np.round(value, decimals)
    return Series(signal, time, value, np.zeros(len(signal), np.uint32))


@pytest.mark.parametrize("seconds", [1, 10])
@pytest.mark.parametrize("decimals", [None, 2])
def test_a_raw_reading_takes_at_most_eight_bytes(seconds: int, decimals: int | None) -> None:
    readings = _plant_seconds(seconds, decimals)
    assert len(wire.encode_readings(readings)) <= 8 * len(readings)
