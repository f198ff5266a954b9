"""The program that reads one Parquet file, in a process of its own: a damaged file may end the library's process.

Writes to standard output, for each batch of rows: the length (8 bytes, little endian) and msgpack of `Sent`."""

import sys
from typing import Any, Final

import msgspec
import numpy as np
from arro3.core import Array, DataType
from arro3.io import read_parquet
from numpy.typing import NDArray

NUMBER: Final = "number"
WHOLE: Final = "whole"
TEXT: Final = "text"
UTC: Final = "utc"
LOCAL: Final = "local"


class Sent(msgspec.Struct):
    """first: number of the first row, from 0. columns: name, kind, and the bytes of the values or the texts."""

    first: int
    columns: list[tuple[str, str, bytes | list[str]]]
    problem: str = ""


def main(path: str, first_row: int, most: int) -> None:
    """Rows before `first_row` are left out."""
    try:
        _send_all(path, first_row, most)
    except Exception as error:  # arro3 raises the plain class for everything
        _send(Sent(0, [], f"{error}"))


def _send_all(path: str, first_row: int, most: int) -> None:
    at = 0
    for batch in read_parquet(path, batch_size=most):
        skip = min(max(first_row - at, 0), batch.num_rows)
        if skip < batch.num_rows:
            columns = [
                (name, *_plain(column.slice(skip)))
                for name, column in zip(batch.column_names, batch.columns, strict=True)
            ]
            _send(Sent(at + skip, columns))
        at += batch.num_rows


def _plain(column: Array) -> tuple[str, bytes | list[str]]:
    kind = column.type
    if DataType.is_timestamp(kind):
        zone = UTC if getattr(kind, "tz", None) else LOCAL
        micro = column.cast(DataType.timestamp("us", tz="UTC" if zone == UTC else None)).cast(DataType.int64())
        return zone, _dense(micro, np.int64, np.iinfo(np.int64).min).tobytes()  # the least is numpy's NaT
    if DataType.is_integer(kind):
        if not column.null_count:
            return WHOLE, _dense(column.cast(DataType.int64()), np.int64, 0).tobytes()
        return NUMBER, _dense(column.cast(DataType.float64()), np.float64, np.nan).tobytes()
    if DataType.is_floating(kind) or DataType.is_boolean(kind) or DataType.is_decimal(kind):
        return NUMBER, _dense(column.cast(DataType.float64()), np.float64, np.nan).tobytes()
    return TEXT, ["" if value is None else str(value) for value in column.to_pylist()]


def _dense(column: Array, kind: Any, null: float) -> NDArray[Any]:
    if not column.null_count:
        return np.ascontiguousarray(column.to_numpy())
    return np.array([null if value is None else value for value in column.to_pylist()], kind)


def _send(sent: Sent) -> None:
    data = msgspec.msgpack.encode(sent)
    sys.stdout.buffer.write(len(data).to_bytes(8, "little") + data)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
