"""Numenta Anomaly Benchmark, the real series whose faults have a known cause, read from the user's own copy."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.errors import InvalidInput
from forewarn.jobs.evaluate.data_files import find_file, parquet_columns

_SERIES: Final = "realKnownCause.parquet"
_LABELS: Final = "labels.csv"
_FROM: Final = (
    "the Numenta Anomaly Benchmark (NAB), repository numenta/NAB, its checkout as folder nab, or "
    "data/realKnownCause as one Parquet file of series, timestamp, value with labels.csv of series, kind, start, end"
)
Windows = dict[str, list[tuple[int, int]]]


@dataclass(frozen=True, slots=True, eq=False)
class NabSeries:
    """time: int64[n], microseconds. value: float64[n]. windows: intp[k, 2], first and last row of each window."""

    name: str
    time: NDArray[np.int64]
    value: NDArray[np.float64]
    windows: NDArray[np.intp]


def read_nab(folder: Path) -> list[NabSeries]:
    """`folder` holds `nab/`, both files or a checkout, or is that folder. By name. Raises NotFound, InvalidInput."""
    *data, labels = files_of_nab(folder)
    if labels.suffix == ".json":
        labelled = _windows_of_checkout(labels)
        return [_series(path.stem, *_csv_series(path), labelled) for path in data]
    table, labelled = parquet_columns(data[0], ("series", "timestamp", "value")), _windows(labels)
    names = table["series"].astype(str)
    time = table["timestamp"].astype("datetime64[us]").astype(np.int64)
    value = table["value"].astype(np.float64)
    return [_series(str(name), time[at], value[at], labelled) for name in np.unique(names) for at in [names == name]]


def files_of_nab(folder: Path) -> list[Path]:
    """What `read_nab` reads, the labels last. Raises NotFound."""
    for root in (folder / "nab", folder):
        found, labels = (
            sorted((root / "data" / "realKnownCause").glob("*.csv")),
            root / "labels" / "combined_windows.json",
        )
        if found and labels.is_file():
            return [*found, labels]
    return [find_file(folder, "nab", _SERIES, _FROM), find_file(folder, "nab", _LABELS, _FROM)]


def _series(name: str, time: NDArray[np.int64], value: NDArray[np.float64], labelled: Windows) -> NabSeries:
    if name not in labelled:
        raise InvalidInput(f"the labels have no window of series {name!r}", field="series")
    limits = np.array(sorted(labelled[name]), np.int64).reshape(-1, 2)
    first, last = np.searchsorted(time, limits[:, 0]), np.searchsorted(time, limits[:, 1], side="right") - 1
    return NabSeries(name, time, value, np.stack((first, last), axis=1).astype(np.intp))


def _csv_series(path: Path) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    with path.open(newline="", encoding="utf-8") as file:
        try:
            rows = [(row["timestamp"], float(row["value"])) for row in csv.DictReader(file)]
            time = np.array([at for at, _ in rows], "datetime64[us]").astype(np.int64)
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidInput(f"{path} is no table of timestamp,value: {error}") from error
    return time, np.array([value for _, value in rows], np.float64)


def _windows_of_checkout(path: Path) -> Windows:
    try:
        stated = json.loads(path.read_bytes())
        return {Path(name).stem: [(_us(a), _us(b)) for a, b in limits] for name, limits in stated.items()}
    except (AttributeError, TypeError, ValueError) as error:
        raise InvalidInput(f"{path} does not map file names to pairs of times: {error}") from error


def _windows(path: Path) -> Windows:
    found: Windows = {}
    with path.open(newline="", encoding="utf-8") as file:
        for line, row in enumerate(csv.DictReader(file), 2):
            try:
                if row["kind"] == "window":
                    found.setdefault(row["series"], []).append((_us(row["start"]), _us(row["end"])))
            except (KeyError, TypeError, ValueError) as error:
                raise InvalidInput(
                    f"{path}:{line}: not a row of series,kind,start,end with times as 2014-01-27 14:20:00: {error}"
                ) from error
    return found


def _us(text: str) -> int:
    return int(np.datetime64(text, "us").astype(np.int64))
