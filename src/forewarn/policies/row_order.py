"""The order (signal, time) of a batch's rows, without paying for a comparison sort where none is needed."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Order = NDArray[np.intp]


def by_signal(signal: NDArray[np.int32]) -> Order | None:
    """Rows in order of signal, equal signals as they came; None when they are already so. Keys >= 0.

    numpy sorts 16-bit keys by radix: 5 ns a row against 60 ns for a comparison sort."""
    if not np.any(signal[1:] < signal[:-1]):
        return None
    low = np.argsort(signal.astype(np.uint16), kind="stable")
    if int(signal.max()) < 65_536:
        return low
    high = (signal[low] >> 16).astype(np.uint16)
    return low[np.argsort(high, kind="stable")]


def by_signal_and_time(signal: NDArray[np.int32], time: NDArray[np.int64]) -> Order | None:
    """Rows ordered by (signal, time), equal pairs as they came; None when they are already so."""
    order = by_signal(signal)
    if not _turns_back(_rows(signal, order), _rows(time, order)):
        return order
    in_time = np.argsort(time, kind="stable")
    then = by_signal(signal[in_time])
    return in_time if then is None else in_time[then]


def _rows(column: NDArray[Any], order: Order | None) -> NDArray[Any]:
    return column if order is None else column[order]


def _turns_back(signal: NDArray[np.int32], time: NDArray[np.int64]) -> bool:
    """Whether time falls within a signal."""
    falls = time[1:] < time[:-1]
    return bool(np.any(falls)) and bool(np.any(falls & np.equal(signal[1:], signal[:-1])))


def last_of_each_signal(signal: NDArray[np.int32]) -> NDArray[np.intp]:
    """The last row of each signal, of rows ordered by signal."""
    last = np.ones(len(signal), np.bool_)
    last[:-1] = np.not_equal(signal[1:], signal[:-1])
    return np.flatnonzero(last)
