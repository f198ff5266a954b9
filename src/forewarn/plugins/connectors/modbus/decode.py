"""Registers to float64, all points of one type in one numpy step."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from forewarn.plugins.connectors.modbus.address import BOOL, ORDERS, TYPES, Point
from forewarn.plugins.connectors.modbus.blocks import Block


class Layout:
    """Where each point's words lie when the blocks' answers are put behind one another.

    A register takes one uint16 of that memory, so does a bit (0 or 1). `block`: intp[n], the block of each point.
    """

    def __init__(self, points: Sequence[Point], blocks: Sequence[Block]) -> None:
        n = len(points)
        starts = np.concatenate([[0], np.cumsum([block.count for block in blocks])]).astype(np.intp)
        self.size = int(starts[-1])
        self.spans = [slice(int(starts[i]), int(starts[i + 1])) for i in range(len(blocks))]
        self.block = np.zeros(n, np.intp)
        first = np.zeros(n, np.intp)
        for i, block in enumerate(blocks):
            for row in block.points:
                self.block[row] = i
                first[row] = starts[i] + points[row].register - block.start
        self._scale = np.array([point.scale for point in points])
        self._offset = np.array([point.offset for point in points])
        self._groups = _groups(points, first)

    def decode(self, memory: NDArray[np.uint16]) -> NDArray[np.float64]:
        """The n points' values from memory uint16[size]."""
        values: NDArray[np.float64] = np.empty(len(self.block))
        for rows, words, kind, bytes_swapped in self._groups:
            raw = memory[words].astype(">u2")
            if bytes_swapped:
                raw = raw.byteswap()
            with np.errstate(invalid="ignore"):  # a signalling NaN is a NaN
                values[rows] = _numbers(raw, kind)
        values *= self._scale
        values += self._offset
        return values


def _numbers(raw: NDArray[np.uint16], kind: str) -> NDArray[np.float64]:
    """The values of registers >u2[n, words], most significant first; NaN for what is no binary-coded decimal."""
    if kind.startswith("bit"):
        return ((raw[:, 0] >> int(kind[3:])) & 1).astype(np.float64)
    whole = raw.view(">u2" if kind == BOOL else TYPES[kind][0])[:, 0]
    if not kind.startswith("bcd"):
        return whole.astype(np.float64)
    digits = (whole.astype(np.int64)[:, None] >> np.arange(0, int(kind[3:]), 4)) & 0xF
    decimal = (digits * 10 ** np.arange(digits.shape[1])).sum(axis=1)
    return np.where((digits > 9).any(axis=1), np.nan, decimal)


_Group = tuple[NDArray[np.intp], NDArray[np.intp], str, bool]


def _groups(points: Sequence[Point], first: NDArray[np.intp]) -> list[_Group]:
    """Per type and byte order: the points' rows, the index of each of their words (most significant first)."""
    rows_of: dict[tuple[str, str], list[int]] = {}
    for row, point in enumerate(points):
        rows_of.setdefault((point.type, point.order), []).append(row)
    groups = []
    for (kind, order), rows in rows_of.items():
        count = 1 if kind == BOOL else TYPES[kind][1]
        words_swapped, bytes_swapped = ORDERS[order]
        step = np.arange(count)[::-1] if words_swapped else np.arange(count)
        groups.append((np.array(rows, np.intp), first[rows][:, None] + step, kind, bytes_swapped))
    return groups
