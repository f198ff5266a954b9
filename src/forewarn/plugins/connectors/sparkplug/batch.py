"""What comes of some messages: readings, what was wrong, and what to ask of edge nodes."""

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.conditions import ConditionCode

Columns = tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.float64], NDArray[np.uint32]]


class Batch:
    """rebirths: (group, edge node) to be asked for a rebirth. later: data that is read together, see later.py."""

    def __init__(self) -> None:
        self.parts: list[Columns] = []
        self.later: list[Any] = []
        self.rejections: Counter[ConditionCode] = Counter()
        self.examples: dict[ConditionCode, str] = {}
        self.notes: dict[ConditionCode, str] = {}
        self.rebirths: list[tuple[str, str]] = []

    def reject(self, count: int, example: str, condition: ConditionCode) -> None:
        self.rejections[condition] += count
        self.examples.setdefault(condition, example)

    def note(self, condition: ConditionCode, text: str) -> None:
        self.notes.setdefault(condition, text)

    def __len__(self) -> int:
        return sum(len(part[0]) for part in self.parts)

    def columns(self) -> Columns:
        if not self.parts:
            return np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0), np.empty(0, np.uint32)
        signal, time, value, quality = (np.concatenate(column) for column in zip(*self.parts, strict=True))
        return signal, time, value, quality
