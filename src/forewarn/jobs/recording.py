"""A recording on disk (CSV or Parquet) as readings in time order, in chunks of columns."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from forewarn.domain.errors import InvalidInput

TIME_NAMES: Final = ("time", "timestamp", "datetime", "date")
LONG_COLUMNS: Final = {"time", "signal_id", "value"}
Wire: TypeAlias = pa.Table  # columns sensor_id, timestamp (us, UTC), value, quality, ordered by timestamp


def read_recording(path: Path) -> pa.Table:
    """The file as it is. Raises InvalidInput naming the file and what is wrong with it."""
    if not path.is_file():
        raise InvalidInput(f"{path}: no such file", field="file")
    try:
        if path.suffix.lower() == ".parquet":
            return pq.read_table(path)
        delimiter = _delimiter(path)
        return pa_csv.read_csv(path, parse_options=pa_csv.ParseOptions(delimiter=delimiter))
    except (pa.ArrowInvalid, pa.ArrowKeyError, UnicodeDecodeError, OSError) as error:
        raise InvalidInput(f"{path}: not a readable CSV or Parquet file: {error}", field="file") from error


def _delimiter(path: Path) -> str:
    with path.open(encoding="utf-8", errors="replace") as file:
        header = file.readline()
    return max(",;\t", key=header.count)


def to_wire(
    table: pa.Table, asset_id: str, signal_ids: Sequence[str], mapping: Mapping[str, str]
) -> tuple[Wire, list[str]]:
    """The recording as wire columns ordered by time, and the columns that matched no signal of the asset.

    Long files hold (time, signal_id, value[, quality]); in wide files every column but the time is a signal, matched by
    `mapping` (column -> signal name or id), else by name without regard to case, blanks and punctuation.
    Raises InvalidInput when there is no time column or no column matches.
    """
    if set(table.column_names) >= LONG_COLUMNS:
        return _ordered(_long(table)), []
    time_name = next((c for c in table.column_names if c.strip().lower() in TIME_NAMES), None)
    if time_name is None:
        raise InvalidInput(f"no time column: expected one of {', '.join(TIME_NAMES)}, found {table.column_names}")
    time = _microseconds(table[time_name])
    by_name = {_plain(s.removeprefix(f"{asset_id}.")): s for s in signal_ids} | {_plain(s): s for s in signal_ids}
    parts, unmatched = [], []
    for column in table.column_names:
        signal_id = by_name.get(_plain(mapping.get(column, column)))
        if column == time_name:
            continue
        if signal_id is None or not _is_number(table[column].type):
            unmatched.append(column)
            continue
        parts.append(_part(signal_id, time, table[column]))
    if not parts:
        raise InvalidInput(
            f"no column of {table.column_names} is a signal of {asset_id}; it has: {', '.join(signal_ids) or 'none'}. "
            "Name the pairs with --map 'column=signal'"
        )
    return _ordered(pa.concat_tables(parts)), unmatched


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))


def _plain(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())


def _microseconds(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type
    try:
        if pa.types.is_integer(kind) or pa.types.is_floating(kind):
            # Numbers are epoch seconds below 1e11 (year 5138), milliseconds above: the two never meet.
            scale = 1_000_000 if (pc.max(column).as_py() or 0) < 1e11 else 1_000
            return pc.multiply(column.cast(pa.float64()), scale).cast(pa.int64(), safe=False)
        if pa.types.is_string(kind):
            column = column.cast(pa.timestamp("us"))
        return column.cast(pa.timestamp("us")).cast(pa.int64())
    except pa.ArrowInvalid as error:
        raise InvalidInput(f"the time column cannot be read: {error}", field="time") from error


def _part(signal_id: str, time: pa.ChunkedArray, values: pa.ChunkedArray) -> pa.Table:
    value = values.cast(pa.float64())
    ids = pa.DictionaryArray.from_arrays(np.zeros(len(value), np.int32), [signal_id])
    missing = pc.or_kleene(pc.is_null(value), pc.is_nan(value)).combine_chunks()
    quality = pc.if_else(pc.fill_null(missing, True), pa.scalar(0x8000_0000, pa.uint32()), pa.scalar(0, pa.uint32()))
    columns = [ids.dictionary_decode(), time, pc.fill_null(value, np.nan), quality]
    return pa.table(columns, names=["sensor_id", "timestamp", "value", "quality"])


def _long(table: pa.Table) -> pa.Table:
    quality = (
        table["quality"].cast(pa.uint32())
        if "quality" in table.column_names
        else pa.array(np.zeros(table.num_rows, np.uint32))
    )
    value = pc.fill_null(table["value"].cast(pa.float64()), np.nan)
    columns = [table["signal_id"].cast(pa.string()), _microseconds(table["time"]), value, quality]
    return pa.table(columns, names=["sensor_id", "timestamp", "value", "quality"])


def _ordered(table: pa.Table) -> pa.Table:
    return table.sort_by("timestamp").combine_chunks()


def chunks(wire: Wire, span_us: int, most: int = 20_000) -> Iterator[pa.Table]:
    """Slices of at most `span_us` of source time and `most` readings, in order."""
    time = wire["timestamp"].to_numpy()
    start = 0
    while start < len(time):
        end = min(int(np.searchsorted(time, time[start] + span_us)), start + most)
        yield wire.slice(start, max(end, start + 1) - start)
        start = max(end, start + 1)
