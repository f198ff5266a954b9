"""Readings not yet in a segment: kept as they came, sorted into runs when many."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from forewarn.domain.readings import ReadingBatch
from forewarn.domain.series import Series
from forewarn.plugins.historians.parquet.rows import EMPTY, Keys, Mask, join, last_wins, ranges, take

RUN_READINGS: Final = 262_144
_FEW: Final = 4


class Part(NamedTuple):
    """Some rows, and the first and last time among them."""

    rows: Series
    low: int
    high: int

    @staticmethod
    def of(rows: ReadingBatch | Series) -> "Part":
        series = Series(rows.signal, rows.time, rows.value, rows.quality)
        return Part(series, int(rows.time.min()), int(rows.time.max()))

    def between(self, start: int, end: int, rows: Series) -> Series:
        """Those of `rows`, which are of this part, in [start, end)."""
        if start <= self.low and self.high < end:
            return rows
        return take(rows, (rows.time >= start) & (rows.time < end))


class Tail:
    """Readings in order of arrival. One thread appends; `view` is what readers hold."""

    def __init__(self) -> None:
        self._runs: tuple[Part, ...] = ()
        self._fresh: tuple[Part, ...] = ()
        self._fresh_readings = 0
        self.readings = 0

    def append(self, batch: ReadingBatch) -> None:
        """`batch` is not empty."""
        self._fresh = (*self._fresh, Part.of(batch))
        self._fresh_readings += len(batch)
        self.readings += len(batch)
        if self._fresh_readings >= RUN_READINGS or len(self._fresh) >= 256:
            self._runs = (*self._runs, Part.of(last_wins(join([part.rows for part in self._fresh]))))
            self._fresh, self._fresh_readings = (), 0

    def view(self) -> "TailView":
        return TailView(self._runs, self._fresh)


class TailView:
    """An unchanging picture of a tail."""

    def __init__(self, runs: Sequence[Part], fresh: Sequence[Part]) -> None:
        self._runs, self._fresh = runs, fresh
        self.readings = sum(len(part.rows) for part in (*runs, *fresh))

    def everything(self) -> Series:
        """All rows, last arrival wins."""
        return last_wins(join([part.rows for part in (*self._runs, *self._fresh)]))

    def parts(self, signals: Keys | None, start: int, end: int) -> list[Series]:
        """Rows of `signals` (ascending, unique; None = all) in [start, end), in order of arrival."""
        runs = [part for part in self._runs if part.low < end and part.high >= start]
        fresh = [part for part in self._fresh if part.low < end and part.high >= start]
        found = [part.between(start, end, _of_run(part.rows, signals)) for part in runs]
        wanted = _membership(signals) if fresh and signals is not None and len(signals) > _FEW else None
        found += [part.between(start, end, _of_batch(part.rows, signals, wanted)) for part in fresh]
        return [rows for rows in found if len(rows)]


def select(views: Sequence[TailView], signals: Keys | None, start: int, end: int) -> Series:
    """Rows of `signals` in [start, end) of tails in order of age, last arrival wins."""
    return last_wins(join([part for view in views for part in view.parts(signals, start, end)]))


def _membership(signals: Keys) -> Mask:
    wanted = np.zeros(int(signals[-1]) + 1, np.bool_)
    wanted[signals] = True
    return wanted


def _of_run(run: Series, signals: Keys | None) -> Series:
    if signals is None:
        return run
    first = np.searchsorted(run.signal, signals, "left")
    count = np.searchsorted(run.signal, signals, "right") - first
    if not count.any():
        return EMPTY
    return take(run, slice(first[0], first[0] + count[0]) if len(first) == 1 else ranges(first, count))


def _of_batch(rows: Series, signals: Keys | None, wanted: Mask | None) -> Series:
    """The rows of `signals`, by `wanted` (a flag per key) where it is given."""
    if signals is None:
        return rows
    if wanted is not None:
        inside = rows.signal < len(wanted)
        inside &= wanted[np.where(inside, rows.signal, 0)]
        return take(rows, inside)
    # Comparing is quicker than looking up in a table, for so few.
    inside = np.zeros(len(rows), np.bool_)
    for key in signals:
        inside |= rows.signal == key
    return take(rows, np.flatnonzero(inside)) if inside.any() else EMPTY
