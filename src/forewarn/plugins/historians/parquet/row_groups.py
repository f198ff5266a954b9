"""Row groups as numpy columns; those that small answers needed stay in memory."""

import threading
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from forewarn.plugins.historians.parquet.rows import Mask


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """Read-only. values: nulls are 0, instants int64 microseconds. present: None = no row is null."""

    values: NDArray[Any]
    present: Mask | None

    @property
    def bytes(self) -> int:
        return self.values.nbytes + (0 if self.present is None else self.present.nbytes)


def columns_of(table: pa.Table) -> dict[str, Column]:
    return {name: _column(table[name]) for name in table.column_names}


def joined(parts: Sequence[Mapping[str, Column]], names: Sequence[str]) -> Mapping[str, Column]:
    """Columns of row groups, one after the other."""
    return parts[0] if len(parts) == 1 else {name: _joined([part[name] for part in parts]) for name in names}


class GroupCache:
    """Decoded columns by file and row group, the least recently used dropped beyond `capacity` bytes. Thread-safe.

    A file never changes under its name, so nothing in here can be out of date: which files count, the inventory says.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._lock = threading.Lock()
        self._groups: OrderedDict[tuple[Path, int], Mapping[str, Column]] = OrderedDict()
        self._bytes = 0

    @property
    def bytes(self) -> int:
        return self._bytes

    def get(self, path: Path, group: int, names: Collection[str]) -> Mapping[str, Column] | None:
        """None unless all of `names` are there."""
        with self._lock:
            found = self._groups.get((path, group))
            if found is None or not all(name in found for name in names):
                return None
            self._groups.move_to_end((path, group))
            return found

    def put(self, path: Path, group: int, columns: Mapping[str, Column]) -> None:
        with self._lock:
            known = self._groups.pop((path, group), {})
            every = {**known, **columns}
            self._groups[path, group] = every
            self._bytes += _bytes(every) - _bytes(known)
            while self._bytes > self._capacity:
                self._bytes -= _bytes(self._groups.popitem(last=False)[1])

    def forget(self, paths: Collection[Path]) -> None:
        with self._lock:
            for key in [key for key in self._groups if key[0] in paths]:
                self._bytes -= _bytes(self._groups.pop(key))


def _column(column: pa.ChunkedArray) -> Column:
    present = None
    if column.null_count:
        present = pc.is_valid(column).to_numpy()
        column = pc.fill_null(column, 0)
    coarse = pa.types.is_timestamp(column.type) and column.type.unit == "ms"
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64())
    values = column.to_numpy() * 1000 if coarse else column.to_numpy()
    # Answers are cut out of these arrays; whoever writes into one would change the next answer.
    values.flags.writeable = False
    return Column(values, present)


def _joined(parts: Sequence[Column]) -> Column:
    values = np.concatenate([part.values for part in parts])
    if all(part.present is None for part in parts):
        return Column(values, None)
    every = [np.ones(len(p.values), np.bool_) if p.present is None else p.present for p in parts]
    return Column(values, np.concatenate(every))


def _bytes(columns: Mapping[str, Column]) -> int:
    return sum(column.bytes for column in columns.values())
