"""Questions about stored readings, for whoever only asks."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.series import Aggregates, Series

Keys = NDArray[np.int32]


class HistorianReads(Protocol):
    """Time ranges are half-open [start, end), microseconds UTC."""

    def raw(self, signals: Keys, start: int, end: int, limit: int | None = None) -> Series:
        """Readings of `signals`. With `limit`, only the newest `limit` per signal."""
        ...

    def aggregate(self, signals: Keys | None, start: int, end: int, bucket_us: int) -> Aggregates:
        """Statistics per signal and bucket; any bucket >= 1 us. None = every signal.

        Buckets are aligned to the epoch; the first and last are cut at start and end. Exact, whatever
        was late or repeated; answered from rollups wherever bucket and range allow, else from raw. In buckets of
        whole minutes a told minute stands in for the readings of it, where it is of as many or more."""
        ...

    def told_minutes(self, signals: Keys, start: int, end: int) -> Aggregates:
        """The minutes wholly within [start, end) that were told (`Historian.append_minutes`)."""
        ...
