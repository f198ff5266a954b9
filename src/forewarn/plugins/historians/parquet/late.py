"""Readings that are not newer than what is stored: new after all, told twice, or corrected?"""

import numpy as np

from forewarn.domain.series import Series
from forewarn.plugins.historians.parquet.latest import LatestTable
from forewarn.plugins.historians.parquet.manifest import PARTITION_US, Kind
from forewarn.plugins.historians.parquet.rows import Mask, join, run_starts, take
from forewarn.plugins.historians.parquet.store import CHUNK_ROWS, Store

_HOUR_US = PARTITION_US[Kind.RAW]


def reconcile(store: Store, newest: LatestTable, series: Series) -> tuple[Series, Mask]:
    """The rows that change something, and which of them overwrite a stored reading with another.

    `series` is ordered and unique. A late reading that nobody stored is as additive as a new one; an exact repeat
    changes nothing; only an overwrite makes statistics that were already written wrong."""
    late = np.flatnonzero(newest.not_newer(series))
    if not len(late):
        return series, np.zeros(len(series), np.bool_)
    stored = np.zeros(len(series), np.bool_)
    same = np.zeros(len(series), np.bool_)
    hour = series.time[late] // _HOUR_US
    by_hour = late[np.argsort(hour, kind="stable")]
    for rows in np.split(by_hour, run_starts(np.sort(hour))[1:]):
        for part in np.array_split(rows, max(1, len(rows) // CHUNK_ROWS)):
            found, equal = _look_up(store, take(series, part))
            stored[part], same[part] = found, equal
    kept = ~same
    return take(series, kept), stored[kept]


def _look_up(store: Store, asked: Series) -> tuple[Mask, Mask]:
    """Which rows are stored under their (signal, time), and which of these with the very same bits."""
    start, end = int(asked.time.min()), int(asked.time.max()) + 1
    old = store.readings(np.unique(asked.signal), start, end)
    found = np.zeros(len(asked), np.bool_)
    equal = np.zeros(len(asked), np.bool_)
    if not len(old):
        return found, equal
    both = join([old, asked])
    order = np.lexsort((both.time, both.signal))
    signal, time = both.signal[order], both.time[order]
    second = np.flatnonzero((signal[1:] == signal[:-1]) & (time[1:] == time[:-1])) + 1
    before, after = order[second - 1], order[second]
    found[after - len(old)] = True
    bits = both.value.view(np.int64)
    equal[after - len(old)] = (bits[before] == bits[after]) & (both.quality[before] == both.quality[after])
    return found, equal
