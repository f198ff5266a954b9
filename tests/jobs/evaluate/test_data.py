"""Data sets that are there, not there, and not what they should be."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from forewarn.domain.errors import InvalidInput, NotFound
from forewarn.jobs.evaluate.data_files import data_folder, digest
from forewarn.jobs.evaluate.nab_data import read_nab
from forewarn.jobs.evaluate.skab_data import CHANNELS, read_skab
from forewarn.jobs.evaluate.tep_data import FAULT_ROW, FAULTS, read_tep
from tests.jobs.evaluate.made_data import make_nab, make_skab, make_tep


def test_skab(tmp_path: Path) -> None:
    make_skab(tmp_path, files=3)
    read = read_skab(tmp_path)
    assert [(one.name, one.number) for one in read] == [("valve1/0", 0), ("valve1/1", 1), ("valve1/2", 2)]
    assert read[0].value.shape == (700, len(CHANNELS))
    assert np.diff(read[1].time).tolist() == [1_000_000] * 699
    assert np.flatnonzero(read[2].changepoint).tolist() == [550, 650]
    assert int(read[0].anomaly.sum()) == 100
    assert [one.name for one in read_skab(tmp_path / "skab")] == [one.name for one in read]


def test_nab(tmp_path: Path) -> None:
    make_nab(tmp_path)
    (one,) = read_nab(tmp_path)
    assert one.windows.tolist() == [[980, 1020]]
    assert (len(one.time), one.value.dtype) == (1440, np.float64)


def test_tep_is_read_whichever_way_it_lies(tmp_path: Path) -> None:
    make_tep(tmp_path)
    data = read_tep(tmp_path)
    assert (data.healthy.shape, data.unseen.shape, sorted(data.faulty)) == (
        (500, 52),
        (300, 52),
        [*range(1, FAULTS + 1)],
    )
    assert data.faulty[5][FAULT_ROW:, 5].mean() > 8


def test_skab_as_it_is_checked_out_reads_the_same(tmp_path: Path) -> None:
    make_skab(tmp_path, files=2)
    table = pq.read_table(tmp_path / "skab" / "skab_v0.9.parquet")
    folder = tmp_path / "checkout" / "skab" / "data" / "valve1"
    folder.mkdir(parents=True)
    for i in range(2):
        rows = table.filter(pa.compute.equal(table["file"], f"valve1/{i}")).drop_columns(["file"])
        rows = rows.set_column(0, "datetime", rows["datetime"].cast(pa.timestamp("s")))
        pyarrow.csv.write_csv(rows, folder / f"{i}.csv", pyarrow.csv.WriteOptions(delimiter=";"))
    for one, other in zip(read_skab(tmp_path), read_skab(tmp_path / "checkout"), strict=True):
        assert one.name == other.name
        np.testing.assert_array_equal(one.time, other.time)
        np.testing.assert_allclose(one.value, other.value, rtol=1e-12)
        np.testing.assert_array_equal(one.changepoint, other.changepoint)
    (folder / "0.csv").write_text("datetime,Current\n2020-03-09 12:00:00,1\n")
    with pytest.raises(InvalidInput, match=r"0\.csv has no column 'datetime'"):
        read_skab(tmp_path / "checkout")


def test_nab_as_it_is_checked_out_reads_the_same(tmp_path: Path) -> None:
    make_nab(tmp_path)
    (one,) = read_nab(tmp_path)
    root = tmp_path / "checkout" / "nab"
    (root / "data" / "realKnownCause").mkdir(parents=True)
    (root / "labels").mkdir()
    times = [str(t).replace("T", " ") for t in one.time.astype("datetime64[us]").astype("datetime64[s]")]
    lines = [f"{t},{v!r}" for t, v in zip(times, one.value.tolist(), strict=True)]
    (root / "data" / "realKnownCause" / f"{one.name}.csv").write_text("\n".join(["timestamp,value", *lines]))
    labels = root / "labels" / "combined_windows.json"
    first, last = (f"{times[row]}.000000" for row in one.windows[0].tolist())
    labels.write_text(json.dumps({f"realKnownCause/{one.name}.csv": [[first, last]]}))
    (other,) = read_nab(tmp_path / "checkout")
    np.testing.assert_array_equal(one.value, other.value)
    np.testing.assert_array_equal(one.time, other.time)
    assert one.windows.tolist() == other.windows.tolist()
    labels.write_text('{"a": 3}')
    with pytest.raises(InvalidInput, match="pairs of times"):
        read_nab(tmp_path / "checkout")


@pytest.mark.parametrize("read", [read_skab, read_nab, read_tep])
def test_what_is_not_there_is_named_with_where_to_get_it(read: Callable[[Path], object], tmp_path: Path) -> None:
    with pytest.raises(NotFound) as told:
        read(tmp_path)
    assert str(tmp_path) in str(told.value)
    assert "repository" in str(told.value)
    assert "--data" in str(told.value)


def test_a_column_that_is_missing_is_named(tmp_path: Path) -> None:
    make_skab(tmp_path, files=1)
    path = tmp_path / "skab" / "skab_v0.9.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["Current"]), path)
    with pytest.raises(InvalidInput, match="no column 'Current'"):
        read_skab(tmp_path)


def test_no_parquet_at_all(tmp_path: Path) -> None:
    path = tmp_path / "skab_v0.9.parquet"
    path.write_bytes(b"file;datetime\n")
    with pytest.raises(InvalidInput, match=r"skab_v0\.9\.parquet"):
        read_skab(tmp_path)


def test_labels_that_cannot_be_read_name_their_line(tmp_path: Path) -> None:
    make_nab(tmp_path)
    labels = tmp_path / "nab" / "labels.csv"
    labels.write_text(labels.read_text() + "machine_temperature_system_failure,window,yesterday,today\n")
    with pytest.raises(InvalidInput, match=r"labels\.csv:4"):
        read_nab(tmp_path)
    labels.write_text("series,kind,start,end\n")
    with pytest.raises(InvalidInput, match="no window of series"):
        read_nab(tmp_path)


def test_a_run_of_another_plant_is_refused(tmp_path: Path) -> None:
    make_tep(tmp_path)
    np.savetxt(tmp_path / "tep" / "d07_te.dat", np.zeros((300, 51)))
    with pytest.raises(InvalidInput, match=r"d07_te\.dat holds 300 x 51"):
        read_tep(tmp_path)
    (tmp_path / "tep" / "d07_te.dat").write_text("no numbers here\n")
    with pytest.raises(InvalidInput, match=r"d07_te\.dat is no table"):
        read_tep(tmp_path)


def test_the_folder_is_named_by_option_or_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FOREWARN_DATA", raising=False)
    with pytest.raises(NotFound, match="FOREWARN_DATA"):
        data_folder(None)
    monkeypatch.setenv("FOREWARN_DATA", str(tmp_path))
    assert data_folder(None) == tmp_path
    with pytest.raises(NotFound, match="is no folder"):
        data_folder(tmp_path / "gone")


def test_digest(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert digest(tmp_path / "a").startswith("ba7816bf8f01cfea")


def test_empty_table(tmp_path: Path) -> None:
    names = ("file", "datetime", *CHANNELS, "anomaly", "changepoint")
    pq.write_table(pa.table({name: pa.array([], pa.float64()) for name in names}), tmp_path / "skab_v0.9.parquet")
    with pytest.raises(InvalidInput, match="holds no rows"):
        read_skab(tmp_path)
