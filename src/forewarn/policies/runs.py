"""Runs of equal signal in a batch ordered by (signal, time): the unit that columnar code works in."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.readings import ReadingBatch


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """Run i is rows start[i] : start[i] + length[i], all of signal[i]. No run is empty."""

    signal: NDArray[np.int32]
    start: NDArray[np.intp]
    length: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.signal)

    @property
    def last(self) -> NDArray[np.intp]:
        """The last row of each run."""
        return self.start + self.length - 1

    def spread(self, per_run: NDArray[Any]) -> NDArray[Any]:
        """One value a run -> one value a row."""
        return np.repeat(per_run, self.length)

    @staticmethod
    def of(batch: ReadingBatch) -> "Runs":
        return Runs.between(batch, np.flatnonzero(np.diff(batch.signal)) + 1)

    @staticmethod
    def between(batch: ReadingBatch, boundaries: NDArray[np.intp]) -> "Runs":
        """Runs that begin at row 0 and at each of `boundaries` (ascending, within the batch)."""
        n = len(batch)
        start = np.concatenate((np.zeros(min(n, 1), np.intp), boundaries))
        length = np.diff(np.append(start, n))
        return Runs(batch.signal[start], start, length)


def new_rows(batch: ReadingBatch, usable: NDArray[np.bool_], seen: NDArray[np.int64]) -> NDArray[np.intp]:
    """Usable rows newer than `seen` of their signal; of equal times only the first."""
    rows = np.flatnonzero(usable & (batch.time > seen[batch.signal]))
    signal, time = batch.signal[rows], batch.time[rows]
    fresh = np.ones(len(rows), np.bool_)
    fresh[1:] = (signal[1:] != signal[:-1]) | (time[1:] != time[:-1])
    return rows if fresh.all() else rows[fresh]


def since_last(mark: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Per row the index of the newest marked row at or before it. Row 0 must be marked."""
    return np.maximum.accumulate(np.where(mark, np.arange(len(mark)), 0))


def resized(column: NDArray[Any], size: int, fill: object) -> NDArray[Any]:
    """`column` with at least `size` entries, new ones holding `fill`."""
    if len(column) >= size:
        return column
    grown = np.full(size, fill, column.dtype)
    grown[: len(column)] = column
    return grown
