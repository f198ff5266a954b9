"""A batch of readings as columns: what every stage of the road carries."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.errors import InvalidInput

COLUMNS: Final = (("signal", np.int32), ("time", np.int64), ("value", np.float64), ("quality", np.uint32))


@dataclass(frozen=True, slots=True, eq=False)
class ReadingBatch:
    """n readings as four read-only columns of length n.

    signal: int32 dense key of the signal in the catalog.
    time: int64 microseconds since 1970 UTC, the source's own timestamp, never restamped.
    value: float64 in the signal's unit; NaN only where quality is bad.
    quality: uint32 OPC UA StatusCode.
    gateway, sequence: who sent the batch and its number there; together they name the batch for ever.

    Raises InvalidInput when a column has the wrong type or length.
    """

    signal: NDArray[np.int32]
    time: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.uint32]
    gateway: str
    sequence: int

    def __post_init__(self) -> None:
        n = len(self.signal)
        for name, dtype in COLUMNS:
            column: NDArray[Any] = getattr(self, name)
            if column.dtype != dtype or column.ndim != 1 or len(column) != n:
                raise InvalidInput(
                    f"column {name} is {column.dtype}[{column.shape}], wanted {np.dtype(dtype)}[{n}]", field=name
                )
            if column.flags.writeable:
                column = column.view()
                column.flags.writeable = False
                object.__setattr__(self, name, column)

    def __len__(self) -> int:
        return len(self.signal)

    def checksum(self) -> int:
        """CRC-32 over the columns: two batches of one name but different checksums are not the same batch."""
        crc = 0
        for column in (self.signal, self.time, self.value, self.quality):
            crc = zlib.crc32(np.ascontiguousarray(column).data, crc)
        return crc

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_] | slice) -> "ReadingBatch":
        """The same batch with only `rows` (indices, a mask or a slice)."""
        return ReadingBatch(
            self.signal[rows], self.time[rows], self.value[rows], self.quality[rows], self.gateway, self.sequence
        )

    @staticmethod
    def concatenate(batches: "Sequence[ReadingBatch]") -> "ReadingBatch":
        """One batch with all rows in order, named after the last. Raises InvalidInput when there is none."""
        if not batches:
            raise InvalidInput("no batch to concatenate")
        if len(batches) == 1:
            return batches[0]
        last = batches[-1]
        return ReadingBatch(
            np.concatenate([b.signal for b in batches]),
            np.concatenate([b.time for b in batches]),
            np.concatenate([b.value for b in batches]),
            np.concatenate([b.quality for b in batches]),
            last.gateway,
            last.sequence,
        )

    def sorted_by_signal(self) -> "ReadingBatch":
        """Rows ordered by (signal, time), equal pairs in order of arrival."""
        return self.take(np.lexsort((self.time, self.signal)))
