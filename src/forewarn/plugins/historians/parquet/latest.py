"""The newest reading of every signal, as arrays indexed by signal key."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from forewarn.domain.readings import ReadingBatch
from forewarn.domain.series import Series
from forewarn.plugins.historians.parquet.rows import Keys, Mask, Rows

NEVER: Final = np.iinfo(np.int64).min


@dataclass(slots=True, eq=False)
class LatestTable:
    """time[key] is NEVER for a signal without a reading. Not thread-safe."""

    time: Rows
    value: NDArray[np.float64]
    quality: NDArray[np.uint32]

    @staticmethod
    def empty() -> "LatestTable":
        return LatestTable(np.empty(0, np.int64), np.empty(0), np.empty(0, np.uint32))

    def copy(self) -> "LatestTable":
        return LatestTable(self.time.copy(), self.value.copy(), self.quality.copy())

    def take_in(self, batch: ReadingBatch | Series) -> None:
        """Learn rows in order of arrival: of two with the newest time the later one counts."""
        if not len(batch):
            return
        self._grow(int(batch.signal.max()) + 1)
        np.maximum.at(self.time, batch.signal, batch.time)
        newest = batch.time >= self.time[batch.signal]
        key = batch.signal[newest]
        # Of repeated indices numpy keeps the last assignment.
        self.value[key] = batch.value[newest]
        self.quality[key] = batch.quality[newest]

    def of(self, signals: Keys) -> Series:
        keys = np.unique(signals)
        keys = keys[(keys >= 0) & (keys < len(self.time))]
        keys = keys[self.time[keys] != NEVER]
        return Series(keys, self.time[keys], self.value[keys], self.quality[keys])

    def not_newer(self, series: Series) -> Mask:
        """Rows whose time is not after the signal's newest."""
        if not len(self.time):
            return np.zeros(len(series), np.bool_)
        known = series.signal < len(self.time)
        newest = self.time[np.where(known, series.signal, 0)]
        return known & (series.time <= newest)

    def to_bytes(self) -> bytes:
        keys = np.flatnonzero(self.time != NEVER).astype(np.int32)
        parts = (keys, self.time[keys], self.value[keys], self.quality[keys])
        data = b"".join(p.tobytes() for p in parts)
        packed: bytes = pa.compress(data, codec="zstd", asbytes=True)
        return len(data).to_bytes(8, "little") + packed

    @staticmethod
    def from_bytes(blob: bytes) -> "LatestTable":
        size = int.from_bytes(blob[:8], "little")
        data = pa.decompress(blob[8:], decompressed_size=size, codec="zstd", asbytes=True)
        n = size // 24
        table = LatestTable.empty()
        table.take_in(
            Series(
                np.frombuffer(data, np.int32, n),
                np.frombuffer(data, np.int64, n, 4 * n),
                np.frombuffer(data, np.float64, n, 12 * n),
                np.frombuffer(data, np.uint32, n, 20 * n),
            )
        )
        return table

    def _grow(self, size: int) -> None:
        missing = size - len(self.time)
        if missing > 0:
            missing = max(missing, len(self.time) // 2)
            self.time = np.concatenate((self.time, np.full(missing, NEVER)))
            self.value = np.concatenate((self.value, np.full(missing, np.nan)))
            self.quality = np.concatenate((self.quality, np.zeros(missing, np.uint32)))
