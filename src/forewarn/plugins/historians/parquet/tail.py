"""Readings not yet in a segment: kept as they came, sorted into runs when many."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from forewarn.domain.readings import ReadingBatch
from forewarn.domain.series import Series
from forewarn.plugins.historians.parquet.rows import EMPTY, Keys, join, last_wins, ranges, take

RUN_READINGS: Final = 262_144


class Tail:
    """Readings in order of arrival. One thread appends; `view` is what readers hold."""

    def __init__(self) -> None:
        self._runs: tuple[Series, ...] = ()
        self._fresh: tuple[ReadingBatch, ...] = ()
        self._fresh_readings = 0
        self.readings = 0

    def append(self, batch: ReadingBatch) -> None:
        self._fresh = (*self._fresh, batch)
        self._fresh_readings += len(batch)
        self.readings += len(batch)
        if self._fresh_readings >= RUN_READINGS or len(self._fresh) >= 256:
            self._runs = (*self._runs, last_wins(join(self._fresh)))
            self._fresh, self._fresh_readings = (), 0

    def view(self) -> "TailView":
        return TailView(self._runs, self._fresh)


class TailView:
    """An unchanging picture of tails."""

    def __init__(self, runs: Sequence[Series], fresh: Sequence[ReadingBatch]) -> None:
        self._runs, self._fresh = runs, fresh
        self.readings = sum(len(run) for run in runs) + sum(len(batch) for batch in fresh)

    def everything(self) -> Series:
        """All rows, last arrival wins."""
        return last_wins(join([*self._runs, *self._fresh]))

    def parts(self, signals: Keys | None, start: int, end: int) -> list[Series]:
        """Rows of `signals` (ascending, unique; None = all) in [start, end), in order of arrival."""
        wanted = None if signals is None else _membership(signals)
        found = [_of_run(run, signals, start, end) for run in self._runs]
        found += [_of_batch(batch, wanted, start, end) for batch in self._fresh]
        return [part for part in found if len(part)]


def select(views: Sequence[TailView], signals: Keys | None, start: int, end: int) -> Series:
    """Rows of `signals` in [start, end) of tails in order of age, last arrival wins."""
    return last_wins(join([part for view in views for part in view.parts(signals, start, end)]))


def _membership(signals: Keys) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    wanted = np.zeros(int(signals[-1]) + 1 if len(signals) else 1, np.bool_)
    wanted[signals] = True
    return wanted


def _of_run(run: Series, signals: Keys | None, start: int, end: int) -> Series:
    if signals is not None:
        first = np.searchsorted(run.signal, signals, "left")
        count = np.searchsorted(run.signal, signals, "right") - first
        if not count.any():
            return EMPTY
        run = take(run, ranges(first, count))
    return take(run, (run.time >= start) & (run.time < end))


def _of_batch(
    batch: ReadingBatch, wanted: np.ndarray[tuple[int], np.dtype[np.bool_]] | None, start: int, end: int
) -> Series:
    rows = (batch.time >= start) & (batch.time < end)
    if wanted is not None:
        rows &= batch.signal < len(wanted)
        rows &= wanted[np.where(rows, batch.signal, 0)]
    if not rows.any():
        return EMPTY
    return Series(batch.signal[rows], batch.time[rows], batch.value[rows], batch.quality[rows])
