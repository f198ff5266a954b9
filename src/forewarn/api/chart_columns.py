"""Readings -> columns for a chart: spikes kept, bad data as gaps. Pure."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from tsdownsample import MinMaxLTTBDownsampler

_MOST_SPANS: Final = 500
_downsampler: Final = MinMaxLTTBDownsampler()  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True, eq=False)
class ChartColumns:
    """time: int64 us, ascending. value: NaN = draw a gap. bad: int64[k, 2] spans in us. total: rows there were."""

    time: NDArray[np.int64]
    value: NDArray[np.float64]
    bad: NDArray[np.int64]
    total: int
    downsampled: bool


def chart_columns(
    time: NDArray[np.int64], value: NDArray[np.float64], bad: NDArray[np.bool_], end: int, points: int, total: int
) -> ChartColumns:
    """At most `points` values of one signal plus one gap mark per bad span.

    time ascending; bad: rows whose value must not be drawn. A bad span lasts from its first bad row to the next
    row that is not, or to `end`.
    """
    bad = bad | ~np.isfinite(value)
    spans, starts = bad_spans(time, bad, end)
    drawn = np.flatnonzero(~bad)
    if len(drawn) > points:
        # LTTB wants an even number of points and at least four.
        picked = _downsampler.downsample(time[drawn], value[drawn], n_out=max(4, points - points % 2))
        drawn = drawn[np.unique(picked.astype(np.int64))]
    rows = np.sort(np.concatenate([drawn, starts]))
    shown = np.where(bad[rows], np.nan, value[rows])
    return ChartColumns(time[rows], shown, spans, total, len(drawn) < total - int(bad.sum()))


def bad_spans(time: NDArray[np.int64], bad: NDArray[np.bool_], end: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Spans int64[k, 2] and the first row of each; neighbours are joined when there are more than 500."""
    edges = np.diff(np.concatenate([[False], bad, [False]]).astype(np.int8))
    first, after = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    begin = time[first]
    until = np.where(after < len(time), time[np.minimum(after, max(len(time) - 1, 0))], end) if len(time) else begin
    if len(begin) > _MOST_SPANS:
        apart = begin[1:] - until[:-1]
        keep = np.sort(np.argpartition(apart, -(_MOST_SPANS - 1))[-(_MOST_SPANS - 1) :])
        begin = np.concatenate([begin[:1], begin[keep + 1]])
        first = np.concatenate([first[:1], first[keep + 1]])
        until = np.concatenate([until[keep], until[-1:]])
    return np.stack([begin, until], axis=1), first
