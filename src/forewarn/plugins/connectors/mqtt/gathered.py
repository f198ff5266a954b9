"""Readings of many messages on their way into one batch, and what was wrong with the others."""

from collections import Counter
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.conditions import ConditionCode
from forewarn.domain.status import is_bad

BAD_NO_DATA: Final = 0x809B_0000
Columns = tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.float64], NDArray[np.uint32]]


class Gathered:
    """Whole columns of a message, or single readings, in order of arrival.

    missing: readings that said neither a number nor why there is none, known once the columns are made; BadNoData."""

    def __init__(self) -> None:
        self._parts: list[Columns] = []
        self._rows: list[tuple[int, int, float, int]] = []
        self.missing = 0
        self.rejections: Counter[ConditionCode] = Counter()
        self.examples: dict[ConditionCode, str] = {}

    def reject(self, count: int, example: str, condition: ConditionCode) -> None:
        self.rejections[condition] += count
        self.examples.setdefault(condition, example)

    def add(self, key: int, time: int, value: float, quality: int) -> None:
        self._rows.append((key, time, value, quality))

    def extend(self, columns: Columns) -> None:
        self._flush()
        self._parts.append(columns)

    def __len__(self) -> int:
        return sum(len(part[0]) for part in self._parts) + len(self._rows)

    def columns(self) -> Columns:
        self._flush()
        if not self._parts:
            return np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0), np.empty(0, np.uint32)
        parts = self._parts
        value = np.concatenate([part[2] for part in parts])
        quality = np.concatenate([part[3] for part in parts])
        missing = np.isnan(value) & ~is_bad(quality)
        quality[missing] = BAD_NO_DATA
        self.missing = int(missing.sum())
        return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts]), value, quality

    def _flush(self) -> None:
        if self._rows:
            key, time, value, quality = zip(*self._rows, strict=True)
            self._parts.append(
                (np.array(key, np.int32), np.array(time, np.int64), np.array(value), np.array(quality, np.uint32))
            )
            self._rows = []
