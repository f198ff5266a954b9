"""Series put together."""

from collections.abc import Sequence

import numpy as np

from forewarn.domain.series import Series


def nothing() -> Series:
    """No rows."""
    return Series(np.zeros(0, np.int32), np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.uint32))


def together(parts: Sequence[Series]) -> Series:
    """All rows, ordered by (signal, time), equal pairs in the order of the parts."""
    parts = [p for p in parts if len(p)]
    if len(parts) < 2:
        return parts[0] if parts else nothing()
    signal = np.concatenate([p.signal for p in parts])
    time = np.concatenate([p.time for p in parts])
    order = np.lexsort((time, signal))
    value = np.concatenate([p.value for p in parts])
    quality = np.concatenate([p.quality for p in parts])
    return Series(signal[order], time[order], value[order], quality[order])


def last_told(rows: Series) -> Series:
    """Of equal (signal, time) the last, of rows ordered by them."""
    if not len(rows):
        return rows
    last = np.ones(len(rows), np.bool_)
    last[:-1] = (rows.signal[1:] != rows.signal[:-1]) | (rows.time[1:] != rows.time[:-1])
    return rows if last.all() else Series(rows.signal[last], rows.time[last], rows.value[last], rows.quality[last])
