"""Which blocks to read so that every point is covered by few requests (Modbus Application Protocol V1.1b3, 6)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from forewarn.plugins.connectors.modbus.address import BIT_TABLES, Point

MAX_REGISTERS: Final = 125
MAX_BITS: Final = 2000
_BITS_PER_REGISTER: Final = 16


@dataclass(frozen=True, slots=True)
class Block:
    """One request: `count` registers (or bits) of `table` of `unit` from `start`, for the points in rows `points`."""

    unit: int
    table: str
    start: int
    count: int
    points: tuple[int, ...]

    @property
    def end(self) -> int:
        return self.start + self.count


@dataclass(frozen=True, slots=True)
class Most:
    """What one request may ask for at the most."""

    registers: int = MAX_REGISTERS
    bits: int = MAX_BITS


def plan_blocks(
    points: Sequence[Point], max_gap: int, rows: Iterable[int] | None = None, most: Most = Most()
) -> list[Block]:
    """Blocks that cover the points (those in `rows`, all by default). A point always lies in one block whole,
    so that its words are of one moment; unused registers are read along where at most `max_gap` lie between."""
    chosen = range(len(points)) if rows is None else rows
    in_order = sorted(chosen, key=lambda row: (points[row].unit, points[row].table, points[row].register))
    blocks: list[Block] = []
    for row in in_order:
        point = points[row]
        grown = _grow(blocks[-1], point, row, max_gap, most) if blocks else None
        if grown is None:
            blocks.append(Block(point.unit, point.table, point.register, point.count, (row,)))
        else:
            blocks[-1] = grown
    return blocks


def _grow(block: Block, point: Point, row: int, max_gap: int, most: Most) -> Block | None:
    """`block` with the point in it, or None when it does not fit."""
    bits = point.table in BIT_TABLES
    gap = max_gap * _BITS_PER_REGISTER if bits else max_gap
    end = max(block.end, point.register + point.count)
    fits = (
        (block.unit, block.table) == (point.unit, point.table)
        and point.register - block.end <= gap
        and end - block.start <= (most.bits if bits else most.registers)
    )
    return Block(block.unit, block.table, block.start, end - block.start, (*block.points, row)) if fits else None


def split_block(points: Sequence[Point], block: Block, most: Most = Most()) -> list[Block]:
    """The same points in smaller blocks, for a device that refuses some register of the block: first without
    gaps, then one a point. A block of a single point stays as it is."""
    tight = plan_blocks(points, 0, block.points, most)
    if len(tight) > 1 or tight[0].count < block.count:
        return tight
    return [blocks for row in block.points for blocks in plan_blocks(points, 0, [row], most)]
