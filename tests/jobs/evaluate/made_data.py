"""Small data sets in the shape of the public ones, made here."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from forewarn.jobs.evaluate.skab_data import CHANNELS
from forewarn.jobs.evaluate.tep_data import FAULT_ROW, FAULTS, SIGNALS

HOUR = np.timedelta64(1, "h")


def make_skab(folder: Path, files: int = 4) -> None:
    """Experiments of 700 s; from row 550 to 650 the flow falls."""
    rng = np.random.default_rng(0)
    n, columns = 700, {}
    anomaly = (np.arange(n) >= 550) & (np.arange(n) < 650)
    value = rng.normal(50, 1, (files, n, len(CHANNELS)))
    value[:, anomaly, -1] -= 12
    start = np.datetime64("2020-03-09T12:00:00", "s")
    columns["file"] = np.repeat([f"valve1/{i}" for i in range(files)], n)
    columns["datetime"] = np.tile(start + np.arange(n), files).astype("datetime64[ns]")
    columns |= {channel: value[:, :, i].ravel() for i, channel in enumerate(CHANNELS)}
    columns["anomaly"] = np.tile(anomaly, files).astype(np.int8)
    columns["changepoint"] = np.tile(np.isin(np.arange(n), (550, 650)), files).astype(np.int8)
    (folder / "skab").mkdir()
    pq.write_table(pa.table(columns), folder / "skab" / "skab_v0.9.parquet")


def make_nab(folder: Path) -> None:
    """60 days of hours; the machine stands still for half a day in the middle of its only window."""
    rng = np.random.default_rng(0)
    n = 60 * 24
    hours = np.arange(n)
    value = 60 + 4 * np.sin(2 * np.pi * hours / 24) + rng.normal(0, 0.3, n)
    value[1000:1012] -= 30
    time = np.datetime64("2013-12-02T00:00:00", "ns") + hours * HOUR
    name = "machine_temperature_system_failure"
    (folder / "nab").mkdir()
    table = pa.table({"series": [name] * n, "timestamp": time, "value": value})
    pq.write_table(table, folder / "nab" / "realKnownCause.parquet")
    first, last = (str(time[row].astype("datetime64[s]")).replace("T", " ") for row in (980, 1020))
    labels = f"series,kind,start,end\n{name},window,{first},{last}\n{name},label,{first},{first}\n"
    (folder / "nab" / "labels.csv").write_text(labels)


def make_tep(folder: Path) -> None:
    """Signals that follow four hidden ones; the fault sets signal `number` off."""
    rng = np.random.default_rng(0)
    mix = rng.normal(0, 1, (4, SIGNALS))

    def run(rows: int) -> np.ndarray:
        return np.asarray(rng.normal(0, 1, (rows, 4)) @ mix + rng.normal(0, 0.1, (rows, SIGNALS)))

    (folder / "tep").mkdir()
    np.savetxt(folder / "tep" / "d00.dat", run(500).T, fmt="%.6e")  # on its side, as it is distributed
    for number in range(FAULTS + 1):
        test = run(300)
        if number:
            test[FAULT_ROW:, number] += 9
        np.savetxt(folder / "tep" / f"d{number:02d}_te.dat", test, fmt="%.6e")
