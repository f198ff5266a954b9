"""Whatever float64 goes in comes out, bit for bit, through a file."""

import struct
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from forewarn.domain.series import Series
from forewarn.plugins.historians.parquet import encoding
from forewarn.plugins.historians.parquet.manifest import FileEntry, Kind
from forewarn.plugins.historians.parquet.sorted_file import SegmentDamaged, SortedFile
from forewarn.plugins.historians.parquet.writing import FilePlace, write_segment

any_bits = st.integers(0, 2**64 - 1).map(lambda i: struct.unpack("<d", struct.pack("<Q", i))[0])
decimals = st.tuples(st.integers(-(2**40), 2**40), st.integers(0, 9)).map(lambda p: p[0] / 10.0 ** p[1])
edges = st.sampled_from(
    [-0.0, 0.0, 5e-324, -5e-324, 1.7e308, float("inf"), float("nan"), 2.0**24 + 1, 2.0**53 + 2, -(2.0**63), 0.1, 1e22]
)
whole = st.integers(-(2**60), 2**60).map(float)
columns = st.lists(st.lists(st.one_of(any_bits, decimals, decimals, edges, whole), min_size=1, max_size=40), max_size=6)


def through_a_file(series: Series) -> Series:
    with TemporaryDirectory() as folder:
        place = FilePlace(Path(folder), Kind.RAW, 0, 1, 1)
        entry = write_segment(place, series, overwrites=0)
        return read_back(Path(folder) / entry.path, entry)


def read_back(path: Path, entry: FileEntry) -> Series:
    (plan,) = SortedFile(path, entry.bytes, entry.footer_crc).chunks(None, 1 << 20)
    return encoding.decode(plan.read([*encoding.time_columns(plan.flags), *encoding.value_columns(plan.flags)]))


def assert_same_bits(found: Series, told: Series) -> None:
    np.testing.assert_array_equal(found.signal, told.signal)
    np.testing.assert_array_equal(found.time, told.time)
    np.testing.assert_array_equal(found.quality, told.quality)
    np.testing.assert_array_equal(found.value.view(np.int64), told.value.view(np.int64))


def series_of(values: NDArray[np.float64], per_signal: int, step_us: int = 1_000_000) -> Series:
    n = len(values)
    signal = (np.arange(n) // per_signal + 1).astype(np.int32)
    return Series(signal, np.arange(n, dtype=np.int64) * step_us, values, np.zeros(n, np.uint32))


@settings(max_examples=150, deadline=None)
@given(columns, st.integers(1, 10**6), st.sampled_from([0, 0x80000000, 0x40920000]))
def test_every_float_survives(runs: list[list[float]], step: int, quality: int) -> None:
    runs = runs or [[0.0]]
    value = np.array([v for run in runs for v in run], np.float64)
    signal = np.repeat(np.arange(1, len(runs) + 1), [len(run) for run in runs]).astype(np.int32)
    told = Series(signal, np.arange(len(value), dtype=np.int64) * step, value, np.full(len(value), quality, np.uint32))
    assert_same_bits(through_a_file(told), told)


@pytest.mark.parametrize("decimals", [0, 1, 2, 5])
def test_decimal_readings_are_kept_as_whole_numbers_though_some_are_bad(decimals: int) -> None:
    rng = np.random.default_rng(1)
    value = np.round(rng.normal(50, 9, 4000), decimals)
    value[::50] = np.nan
    told = series_of(value, 500)
    piece, shape = encoding.encode(told, np.full(8, 500))
    assert set(piece.scale.tolist()) == {decimals}
    assert not shape.wide
    assert piece.table["mantissa"].null_count == 80
    assert_same_bits(through_a_file(told), told)


def test_a_sample_that_misleads_costs_nothing_but_a_second_look() -> None:
    value = np.round(np.random.default_rng(2).normal(50, 9, 800), 3)
    value[np.arange(8) * 100] = 7.0  # what the sample sees
    piece, _ = encoding.encode(series_of(value, 800), np.array([800]))
    assert piece.scale.tolist() == [3]


def test_readers_of_plain_parquet_get_the_value_from_three_columns(tmp_path: Path) -> None:
    value = np.array([1.25, 2.5, np.pi, float(np.float32(0.1)), np.nan, -0.0] * 10)
    entry = write_segment(FilePlace(tmp_path, Kind.RAW, 0, 1, 1), series_of(value, 60), overwrites=0)
    rows = pq.read_table(tmp_path / entry.path).to_pylist()
    found = []
    for row in rows:
        power = 10 ** row["scale"] if row["scale"] < 10 else 2 ** (row["scale"] - 9)
        kept = [row["mantissa"] / power] if row["mantissa"] is not None else []
        kept += [row[name] for name in ("real32", "real64") if row[name] is not None]
        assert len(kept) == 1
        found += kept
    np.testing.assert_array_equal(np.array(found).view(np.int64), value.view(np.int64))


def test_only_the_row_groups_of_the_wanted_signals_are_read(tmp_path: Path) -> None:
    told = series_of(np.random.default_rng(4).normal(size=400_000), 1000)
    entry = write_segment(FilePlace(tmp_path, Kind.RAW, 0, 1, 1), told, overwrites=0)
    file = SortedFile(tmp_path / entry.path, entry.bytes, entry.footer_crc)
    (plan,) = file.chunks(np.array([2, 399, 900], np.int32), 1 << 20)
    assert plan.groups.tolist() == [0, 6]
    wanted = np.isin(told.signal, [2, 399])
    read = encoding.decode(plan.read([*encoding.time_columns(plan.flags), *encoding.value_columns(plan.flags)]))
    np.testing.assert_array_equal(read.value, told.value[wanted])
    np.testing.assert_array_equal(read.signal, told.signal[wanted])


@pytest.mark.parametrize("where", [0.02, 0.3, 0.6, 0.9, 0.999])
def test_one_flipped_byte_is_named_or_harmless_never_a_wrong_value(tmp_path: Path, where: float) -> None:
    told = series_of(np.random.default_rng(5).normal(size=50_000), 5000)
    entry = write_segment(FilePlace(tmp_path, Kind.RAW, 0, 1, 1), told, overwrites=0)
    path = tmp_path / entry.path
    data = bytearray(path.read_bytes())
    data[int(len(data) * where)] ^= 0x10
    path.write_bytes(data)
    with pytest.raises(SegmentDamaged, match=path.name):
        read_back(path, entry)


def test_a_truncated_file_is_named(tmp_path: Path) -> None:
    entry = write_segment(FilePlace(tmp_path, Kind.RAW, 0, 1, 1), series_of(np.ones(100), 10), overwrites=0)
    path = tmp_path / entry.path
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(SegmentDamaged, match="bytes"):
        SortedFile(path, entry.bytes, entry.footer_crc)


def test_readings_of_a_binary_converter_are_kept_as_whole_numbers() -> None:
    value = np.random.default_rng(6).integers(0, 65_536, 3000) / 4096
    value[::3] = np.float32(1 / 3)  # in a float32's last bit, not the converter's
    piece, shape = encoding.encode(series_of(value[1::3], 1000), np.array([1000]))
    assert piece.scale.tolist() == [9 + 12]
    assert not shape.wide
    assert piece.table["real32"].null_count == 1000
    assert_same_bits(through_a_file(series_of(value, 3000)), series_of(value, 3000))
