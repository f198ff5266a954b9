"""Skoltech Anomaly Benchmark v0.9: 34 experiments on a real pump, read from the user's own copy (GPL-3)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from forewarn.jobs.evaluate.data_files import find_file, parquet_columns, semicolon_columns

CHANNELS: Final = (
    "Accelerometer1RMS",
    "Accelerometer2RMS",
    "Current",
    "Pressure",
    "Temperature",
    "Thermocouple",
    "Voltage",
    "Volume Flow RateRMS",
)
HEALTHY_ROWS: Final = 400  # of each experiment: what the published protocol trains on
_COLUMNS: Final = ("datetime", *CHANNELS, "anomaly", "changepoint")
_FOLDERS: Final = ("other", "valve1", "valve2")
_FILE: Final = "skab_v0.9.parquet"
_FROM: Final = (
    "the Skoltech Anomaly Benchmark (SKAB) v0.9, repository waico/SKAB, its checkout as folder skab, or all its "
    "experiments in one Parquet file with a column file"
)


@dataclass(frozen=True, slots=True, eq=False)
class Experiment:
    """value: float64[n, 8], columns as CHANNELS. time: int64[n], microseconds, rows about 1 s apart, some missing.
    anomaly, changepoint: bool[n]. The first HEALTHY_ROWS rows train, the rest is scored."""

    name: str
    time: NDArray[np.int64]
    value: NDArray[np.float64]
    anomaly: NDArray[np.bool_]
    changepoint: NDArray[np.bool_]

    @property
    def number(self) -> int:
        """Of the file in its folder: even ones were tuned on, odd ones were not."""
        return int(self.name.rsplit("/", 1)[1])


def read_skab(folder: Path) -> list[Experiment]:
    """`folder` holds `skab/skab_v0.9.parquet` or a checkout as `skab/`, or is that folder. By name.
    Raises NotFound, InvalidInput."""
    paths = files_of_skab(folder)
    if paths[0].suffix == ".csv":
        return [_experiment(f"{path.parent.name}/{path.stem}", semicolon_columns(path, _COLUMNS)) for path in paths]
    table = parquet_columns(paths[0], ("file", *_COLUMNS))
    files = table["file"].astype(str)
    return [
        _experiment(str(name), {column: values[at] for column, values in table.items()})
        for name in np.unique(files)
        for at in [np.flatnonzero(files == name)]
    ]


def files_of_skab(folder: Path) -> list[Path]:
    """What `read_skab` reads. Raises NotFound."""
    for root in (folder / "skab" / "data", folder / "data"):
        found = sorted(path for kind in _FOLDERS for path in (root / kind).glob("*.csv"))
        if found:
            return found
    return [find_file(folder, "skab", _FILE, _FROM)]


def _experiment(name: str, columns: Mapping[str, NDArray[Any]]) -> Experiment:
    time = columns["datetime"].astype("datetime64[us]").astype(np.int64)
    value = np.stack([columns[channel].astype(np.float64) for channel in CHANNELS], axis=1)
    return Experiment(name, time, value, columns["anomaly"].astype(bool), columns["changepoint"].astype(bool))
