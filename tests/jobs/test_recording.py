"""Recordings as people have them: wide and long, with gaps, text and mistakes."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forewarn.domain.errors import InvalidInput
from forewarn.jobs.recording import chunks, read_recording, to_wire

SIGNALS = ["rig.flow", "rig.bearing_temperature"]
BAD = 0x8000_0000


def read(folder: Path, text: str, name: str = "rig.csv") -> pa.Table:
    file = folder / name
    file.write_text(text)
    return read_recording(file)


def rows(wire: pa.Table) -> list[tuple[str, int, float, int]]:
    columns = (wire[name].to_pylist() for name in ("sensor_id", "timestamp", "value", "quality"))
    return list(zip(*columns, strict=True))


@pytest.mark.parametrize(
    "stamps",
    [
        ("2026-11-21T08:00:00Z", "2026-11-21T08:00:01Z"),
        ("2026-11-21 08:00:00", "2026-11-21 08:00:01"),
        ("2026-11-21T09:00:00+01:00", "2026-11-21T09:00:01+01:00"),
        ("1795248000", "1795248001"),
        ("1795248000.0", "1795248001.0"),
        ("1795248000000", "1795248001000"),
    ],
)
def test_a_wide_file_matches_names_and_orders_by_time(tmp_path: Path, stamps: tuple[str, str]) -> None:
    first, second = stamps
    table = read(tmp_path, f"Time;Bearing Temperature;Flow;note\n{second};61.5;;x\n{first};61;20;y\n")
    wire, unmatched = to_wire(table, "rig", SIGNALS, {})
    at = 1_795_248_000_000_000
    found = rows(wire)
    assert [(row[1], row[3]) for row in found] == [(at, 0), (at, 0), (at + 1_000_000, 0), (at + 1_000_000, BAD)]
    assert {row[:3] for row in found[:3]} == {
        ("rig.flow", at, 20.0),
        ("rig.bearing_temperature", at, 61.0),
        ("rig.bearing_temperature", at + 1_000_000, 61.5),
    }
    assert found[3][0] == "rig.flow"
    assert np.isnan(found[3][2])
    assert unmatched == ["note"]


def test_a_long_file_keeps_quality_and_ids(tmp_path: Path) -> None:
    table = read(tmp_path, "time,signal_id,value,quality\n2,rig.flow,,2147483648\n1,rig.flow,3,0\n")
    found = rows(to_wire(table, "rig", SIGNALS, {})[0])
    assert found[0] == ("rig.flow", 1_000_000, 3.0, 0)
    assert (found[1][1], found[1][3]) == (2_000_000, BAD)
    without = read(tmp_path, "time,signal_id,value\n2,rig.flow,\n")
    assert rows(to_wire(without, "rig", SIGNALS, {})[0])[0][3] == BAD


def test_columns_are_mapped_by_hand(tmp_path: Path) -> None:
    table = read(tmp_path, "time,Q\n1,20\n")
    assert rows(to_wire(table, "rig", SIGNALS, {"Q": "flow"})[0]) == [("rig.flow", 1_000_000, 20.0, 0)]
    assert rows(to_wire(table, "rig", SIGNALS, {"Q": "rig.flow"})[0]) == [("rig.flow", 1_000_000, 20.0, 0)]


@pytest.mark.parametrize(
    ("text", "mapping", "said"),
    [
        ("time,signal_id,value\n1,rig.flow,3\n2,rig.flow,off\n", {}, "column 'value' holds no numbers: 'off' in row 2"),
        ("time,signal_id,value,quality\n1,rig.flow,3,fine\n", {}, "column 'quality' cannot be read"),
        ("time,signal_id,value,quality\n1,rig.flow,3,-1\n", {}, "32-bit OPC UA StatusCode"),
        ("time,signal_id,value\n,rig.flow,3\n", {}, "is empty in row 1"),
        ("time,signal_id,value\nsoon,rig.flow,3\n", {}, "the time column 'time' cannot be read"),
        ("time,flow\n1,3\n2,off\n", {}, "column 'flow' holds no numbers: 'off' in row 2"),
        ("time,flow\n1,3\n,4\n", {}, "the time column 'time' is empty in row 2"),
        ("when,flow\n1,3\n", {}, "no time column: expected one of time, timestamp"),
        ("time,speed\n1,3\n", {}, "it has: rig.flow, rig.bearing_temperature"),
        ("time,flow,flow\n1,3,4\n", {}, "two columns are called 'flow'"),
        ("time,flow,Flow\n1,3,4\n", {}, "both mean rig.flow"),
        ("time,Q\n1,3\n", {"Q": "speed"}, "rig has no signal 'speed'; it has: rig.flow"),
        ("time,Q\n1,3\n", {"P": "flow"}, "the file has no column 'P'"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, mapping: dict[str, str], said: str) -> None:
    table = read(tmp_path, text)
    with pytest.raises(InvalidInput) as refused:
        to_wire(table, "rig", SIGNALS, mapping)
    assert said in str(refused.value)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no such file"):
        read_recording(tmp_path / "rig.csv")
    with pytest.raises(InvalidInput, match="Empty CSV"):
        read(tmp_path, "")
    with pytest.raises(InvalidInput, match="not a readable"):
        read(tmp_path, "nothing of the kind", "rig.parquet")
    with pytest.raises(InvalidInput, match="not a readable"):
        read(tmp_path, "time,flow\n1,2\n3\n")


def test_a_parquet_file_of_the_simulator_is_a_recording(tmp_path: Path) -> None:
    stamps = pa.array([1_795_248_000_000_000], pa.timestamp("us", tz="UTC"))
    ids = pa.array(["rig.flow"]).dictionary_encode()
    columns = [ids, stamps, pa.array([2.5]), pa.array([0], pa.uint32())]
    pq.write_table(pa.table(columns, names=["signal_id", "time", "value", "quality"]), tmp_path / "day.parquet")
    wire, _ = to_wire(read_recording(tmp_path / "day.parquet"), "rig", SIGNALS, {})
    assert rows(wire) == [("rig.flow", 1_795_248_000_000_000, 2.5, 0)]


@given(
    st.lists(st.integers(0, 10_000_000), min_size=1, max_size=200),
    st.integers(1, 3_000_000),
    st.integers(1, 50),
)
def test_chunks_are_the_whole_in_order(times: list[int], span_us: int, most: int) -> None:
    time = sorted(times)
    wire = pa.table({"timestamp": pa.array(time, pa.int64()), "n": np.arange(len(time))})
    parts = list(chunks(wire, span_us, most))
    assert pa.concat_tables(parts).equals(wire)
    for part in parts:
        held = part["timestamp"].to_pylist()
        assert held[-1] - held[0] < span_us
        assert len(held) <= most
