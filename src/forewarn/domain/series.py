"""What the historian answers: readings and aggregates as columns."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Readings ordered by (signal, time), one row per (signal, time). Columns as in ReadingBatch."""

    signal: NDArray[np.int32]
    time: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.uint32]

    def __len__(self) -> int:
        return len(self.signal)


@dataclass(frozen=True, slots=True, eq=False)
class Aggregates:
    """One row per (signal, bucket) that holds a reading, ordered so.

    start: int64 microseconds UTC, the bucket's first instant; buckets are aligned to 1970-01-01T00:00Z.
    mean, minimum, maximum, stddev: of good readings only, in the signal's unit; NaN where there is none
    (stddev is the sample deviation: NaN below two good readings).
    count: int64, readings of any quality; good: int64, good ones among them.
    """

    signal: NDArray[np.int32]
    start: NDArray[np.int64]
    mean: NDArray[np.float64]
    minimum: NDArray[np.float64]
    maximum: NDArray[np.float64]
    stddev: NDArray[np.float64]
    count: NDArray[np.int64]
    good: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.signal)

    def take(self, rows: NDArray[Any] | slice) -> "Aggregates":
        """The rows that an index array, a mask or a slice names."""
        return Aggregates(*(getattr(self, f.name)[rows] for f in fields(self)))
