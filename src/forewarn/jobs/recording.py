"""A recording on disk (CSV or Parquet) as readings in time order, in chunks of columns."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from forewarn.domain.errors import InvalidInput

TIME_NAMES: Final = ("time", "timestamp", "datetime", "date")
LONG_COLUMNS: Final = {"time", "signal_id", "value"}
Wire: TypeAlias = pa.Table  # columns sensor_id, timestamp (us, UTC), value, quality, ordered by timestamp
_BAD: Final = 0x8000_0000


def read_recording(path: Path) -> pa.Table:
    """The file as it is. Raises InvalidInput naming the file and what is wrong with it."""
    if not path.is_file():
        raise InvalidInput(f"{path}: no such file", field="file")
    try:
        if path.suffix.lower() == ".parquet":
            return pq.read_table(path)
        delimiter = _delimiter(path)
        return pa_csv.read_csv(path, parse_options=pa_csv.ParseOptions(delimiter=delimiter))
    except (pa.ArrowException, UnicodeDecodeError, OSError) as error:
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
    Raises InvalidInput naming column and row: no time column, no column that matches, two for one signal, text where
    numbers belong, a mapping of what is not there.
    """
    twice = {name for name in table.column_names if table.column_names.count(name) > 1}
    if twice:
        raise InvalidInput(f"two columns are called {min(twice)!r}: rename one of them")
    if set(table.column_names) >= LONG_COLUMNS:
        return _ordered(_long(table)), []
    time_name = next((c for c in table.column_names if c.strip().lower() in TIME_NAMES), None)
    if time_name is None:
        raise InvalidInput(f"no time column: expected one of {', '.join(TIME_NAMES)}, found {table.column_names}")
    columns = [name for name in table.column_names if name != time_name]
    matched = _matched(columns, asset_id, signal_ids, mapping)
    if not matched:
        raise InvalidInput(
            f"no column of {columns} is a signal of {asset_id}; it has: {', '.join(signal_ids) or 'none'}. "
            "Name the pairs with --map 'column=signal'"
        )
    time = _microseconds(table, time_name)
    parts = [_part(signal_id, time, _numbers(table, column)) for column, signal_id in matched.items()]
    return _ordered(pa.concat_tables(parts)), [name for name in columns if name not in matched]


def _matched(
    columns: Sequence[str], asset_id: str, signal_ids: Sequence[str], mapping: Mapping[str, str]
) -> dict[str, str]:
    """Column -> signal id."""
    by_name = {_plain(s.removeprefix(f"{asset_id}.")): s for s in signal_ids} | {_plain(s): s for s in signal_ids}
    for column, signal in mapping.items():
        if column not in columns:
            raise InvalidInput(f"--map {column}={signal}: the file has no column {column!r}; it has {columns}")
        if _plain(signal) not in by_name:
            known = ", ".join(signal_ids) or "none"
            raise InvalidInput(f"--map {column}={signal}: {asset_id} has no signal {signal!r}; it has: {known}")
    wanted = {column: by_name.get(_plain(mapping.get(column, column))) for column in columns}
    found = {column: signal for column, signal in wanted.items() if signal is not None}
    for column, signal in found.items():
        others = [name for name, other in found.items() if other == signal and name != column]
        if others:
            raise InvalidInput(f"columns {column!r} and {others[0]!r} both mean {signal}: rename or --map one of them")
    return found


def _plain(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())


def _numbers(table: pa.Table, name: str) -> pa.ChunkedArray:
    """The column as doubles, null where the file says nothing."""
    column = table[name]
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.uint8())
    try:
        return column.cast(pa.float64())
    except pa.ArrowException:
        row = next((i for i, value in enumerate(column.to_pylist()) if not _is_number(value)), 0)
        raise InvalidInput(
            f"column {name!r} holds no numbers: {column[row].as_py()!r} in row {row + 1}. Leave the cell empty where "
            "there was no value, or take the column out",
            field=name,
        ) from None


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return value is None
    return True


def _microseconds(table: pa.Table, name: str) -> pa.ChunkedArray:
    column = table[name]
    empty = column.is_null(nan_is_null=True)
    if pc.any(empty).as_py():
        row = empty.index(True).as_py()
        raise InvalidInput(f"the time column {name!r} is empty in row {row + 1}", field=name)
    kind = column.type
    try:
        if pa.types.is_integer(kind) or pa.types.is_floating(kind):
            # Numbers are epoch seconds below 1e11 (year 5138), milliseconds above: the two never meet.
            scale = 1_000_000 if (pc.max(column).as_py() or 0) < 1e11 else 1_000
            return pc.multiply(column.cast(pa.float64()), scale).cast(pa.int64(), safe=False)
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            column = column.cast(pa.timestamp("us"))
        return column.cast(pa.timestamp("us", tz=getattr(column.type, "tz", None)), safe=False).cast(pa.int64())
    except pa.ArrowException as error:
        raise InvalidInput(
            f"the time column {name!r} cannot be read: {error}. Write 2026-11-21T08:00:00Z or epoch seconds", field=name
        ) from error


def _part(signal_id: str, time: pa.ChunkedArray, value: pa.ChunkedArray) -> pa.Table:
    ids = pa.DictionaryArray.from_arrays(np.zeros(len(value), np.int32), [signal_id])
    missing = pc.fill_null(pc.or_kleene(pc.is_null(value), pc.is_nan(value)).combine_chunks(), True)
    quality = pc.if_else(missing, pa.scalar(_BAD, pa.uint32()), pa.scalar(0, pa.uint32()))
    columns = [ids.dictionary_decode(), time, pc.fill_null(value, np.nan), quality]
    return pa.table(columns, names=["sensor_id", "timestamp", "value", "quality"])


def _long(table: pa.Table) -> pa.Table:
    value = pc.fill_null(_numbers(table, "value"), np.nan)
    columns = [_cast(table, "signal_id", pa.string()), _microseconds(table, "time"), value, _quality(table, value)]
    return pa.table(columns, names=["sensor_id", "timestamp", "value", "quality"])


def _quality(table: pa.Table, value: pa.ChunkedArray) -> pa.ChunkedArray:
    if "quality" in table.column_names:
        return _cast(table, "quality", pa.uint32())
    return pc.if_else(pc.is_nan(value), pa.scalar(_BAD, pa.uint32()), pa.scalar(0, pa.uint32()))


def _cast(table: pa.Table, name: str, kind: pa.DataType) -> pa.ChunkedArray:
    if table[name].null_count:
        row = table[name].is_null().index(True).as_py()
        raise InvalidInput(f"column {name!r} is empty in row {row + 1}", field=name)
    try:
        return table[name].cast(kind)
    except pa.ArrowException as error:
        what = "a 32-bit OPC UA StatusCode, 0 for good" if name == "quality" else "text"
        raise InvalidInput(f"column {name!r} cannot be read: {error}; each cell is {what}", field=name) from None


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
