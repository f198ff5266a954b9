"""What one poll group of one unit reads, and how far its present poll is."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from forewarn.domain.assets import Signal
from forewarn.domain.conditions import ConditionCode
from forewarn.domain.status import BAD_NO_COMMUNICATION
from forewarn.kit.clock import now_us
from forewarn.plugins.connectors.modbus.address import BIT_TABLES, Point
from forewarn.plugins.connectors.modbus.blocks import Block, Most, plan_blocks, split_block
from forewarn.plugins.connectors.modbus.complaints import Complaints
from forewarn.plugins.connectors.modbus.decode import Layout
from forewarn.plugins.connectors.modbus.frames import FUNCTIONS, Question
from forewarn.plugins.connectors.modbus.outlet import Columns

BAD_CONFIGURATION_ERROR: Final = 0x8089_0000
BAD_DEVICE_FAILURE: Final = 0x808B_0000
BAD_OUT_OF_SERVICE: Final = 0x808D_0000
BAD_NO_DATA: Final = 0x809B_0000
# Modbus exception code (V1.1b3, 7) -> its name, the StatusCode of the block's signals, the source's condition.
EXCEPTIONS: Final = {
    1: ("illegal function", BAD_CONFIGURATION_ERROR, ConditionCode.UNKNOWN_ADDRESS),
    2: ("illegal data address", BAD_CONFIGURATION_ERROR, ConditionCode.UNKNOWN_ADDRESS),
    3: ("illegal data value", BAD_CONFIGURATION_ERROR, ConditionCode.UNKNOWN_ADDRESS),
    4: ("server device failure", BAD_DEVICE_FAILURE, ConditionCode.READINGS_REJECTED),
    5: ("acknowledge", BAD_OUT_OF_SERVICE, ConditionCode.READINGS_REJECTED),
    6: ("server device busy", BAD_OUT_OF_SERVICE, ConditionCode.READINGS_REJECTED),
    8: ("memory parity error", BAD_DEVICE_FAILURE, ConditionCode.READINGS_REJECTED),
    10: ("gateway path unavailable", BAD_NO_COMMUNICATION, ConditionCode.UNREACHABLE),
    11: ("gateway target device failed to respond", BAD_NO_COMMUNICATION, ConditionCode.UNREACHABLE),
}
_REFUSED_RANGE: Final = (2, 3)
_REJOIN_S: Final = 60.0


def exception_of(code: int) -> tuple[str, int, ConditionCode]:
    return EXCEPTIONS.get(code, (f"exception {code}", BAD_DEVICE_FAILURE, ConditionCode.NONSENSE))


class Job:
    """Blocks are read in turn; a poll that was cut short goes on where it stopped. `due`, `started`: the loop's
    seconds. `line_s`: how long the present poll held the connection. `overruns`: polls in a row that took too long."""

    def __init__(
        self,
        unit: int,
        name: str,
        interval_s: float,
        rows: Sequence[tuple[Signal, Point]],
        max_gap: int,
        most: Most,
        complaints: Complaints,
    ) -> None:
        self.unit, self.name, self.interval_s = unit, name, interval_s
        self._signals = [signal for signal, _ in rows]
        self._points = [point for _, point in rows]
        self.keys = np.array([signal.key for signal in self._signals], np.int32)
        self._max_gap, self._most = max_gap, most
        self._complaints = complaints
        self._culprits: set[int] = set()
        self._rejoin = False
        self._rejoined_at = -_REJOIN_S
        self.due = self.line_s = self.flushed_at = 0.0
        self.overruns = 0
        self._set_blocks(plan_blocks(self._points, max_gap, most=most))

    def _set_blocks(self, blocks: Sequence[Block]) -> None:
        self._blocks = list(blocks)
        self._layout = Layout(self._points, blocks)
        n = len(self._blocks)
        self._memory = np.zeros(self._layout.size, np.uint16)
        self._quality = np.zeros(n, np.uint32)
        self._time = np.zeros(n, np.int64)
        self._fresh = np.zeros(n, np.bool_)
        self._refused: set[int] = set()
        self._cursor, self.left = 0, n

    def __str__(self) -> str:
        return f"unit {self.unit}" + (f", poll {self.name!r}" if self.name else "")

    @property
    def requests(self) -> int:
        return len(self._blocks)

    @property
    def has_news(self) -> bool:
        """Something was read since `columns`."""
        return bool(self._fresh.any())

    def restart(self) -> None:
        """The present poll is given up."""
        self.left, self.line_s = len(self._blocks), 0.0

    def question(self) -> Question:
        """The next one of the present poll."""
        block = self._blocks[self._cursor]
        return Question(block.unit, FUNCTIONS[block.table], block.start, block.count)

    def probe(self) -> Question:
        """The least that shows whether the unit lives."""
        point = self._points[self._blocks[0].points[0]]
        return Question(self.unit, FUNCTIONS[point.table], point.register, point.count)

    def take(self, answer: bytes | int) -> None:
        """The data that `question` brought, or the exception."""
        at = self._cursor
        block = self._blocks[at]
        self._time[at] = now_us()
        self._fresh[at] = True
        if isinstance(answer, int):
            self._refuse(at, answer)
        else:
            self._quality[at] = 0
            self._memory[self._layout.spans[at]] = _words(answer, block)
            if self._culprits or self._complaints.holds((self, at)):
                self._heal(at)
        self._cursor = (at + 1) % len(self._blocks)
        self.left -= 1

    def _refuse(self, at: int, code: int) -> None:
        block = self._blocks[at]
        name, self._quality[at], condition = exception_of(code)
        if code in _REFUSED_RANGE and len(block.points) > 1:
            self._refused.add(at)  # find out which of its points is to blame
        elif code in _REFUSED_RANGE:
            row = block.points[0]
            self._culprits.add(row)
            self._refused.add(at)
            signal = self._signals[row]
            text = f"signal {signal.id!r}: unit {block.unit} refuses {signal.address!r}: {name}"
            self._complaints.reject((self, "row", row), condition, text)
        else:
            where = f"{block.table} {block.start} to {block.end - 1}"
            self._complaints.reject((self, at), condition, f"unit {block.unit} refuses {where}: {name}")

    def _heal(self, at: int) -> None:
        self._complaints.over((self, at))
        for row in self._culprits.intersection(self._blocks[at].points):
            self._complaints.over((self, "row", row))
            self._culprits.discard(row)
            self._rejoin = True

    def columns(self) -> Columns:
        """What was read since it was last asked for."""
        value = self._layout.decode(self._memory)
        quality = self._quality[self._layout.block]
        # IEEE 754's NaN is how a device says that it has nothing to say.
        empty = (quality == 0) & np.isnan(value)
        found = Columns(
            self.keys,
            self._time[self._layout.block],
            np.where(quality == 0, value, np.nan),
            np.where(empty, np.uint32(BAD_NO_DATA), quality),
        )
        if not self._fresh.all():
            rows = self._fresh[self._layout.block]
            found = found.of(rows)
        self._fresh[:] = False
        self._tell_empty(np.flatnonzero(empty))
        return found

    def _tell_empty(self, rows: "np.ndarray[tuple[int], np.dtype[np.intp]]") -> None:
        if not len(rows):
            self._complaints.over((self, "empty"))
            return
        signal = self._signals[int(rows[0])]
        more = f", and {len(rows) - 1} more" if len(rows) > 1 else ""
        text = f"signal {signal.id!r}{more}: what {signal.address!r} holds is no number"
        self._complaints.reject((self, "empty"), ConditionCode.NOT_A_NUMBER, text, len(rows))

    def all_bad(self, status: int) -> Columns:
        n = len(self.keys)
        return Columns(self.keys, np.full(n, now_us()), np.full(n, np.nan), np.full(n, status, np.uint32))

    def end_poll(self, now: float) -> None:
        """Ready for the next one. Refused blocks are split for it; healed ones join again."""
        self.restart()
        if any(len(self._blocks[at].points) > 1 for at in self._refused):
            blocks = [
                part
                for at, block in enumerate(self._blocks)
                for part in (split_block(self._points, block, self._most) if at in self._refused else [block])
            ]
            self._set_blocks(blocks)
        elif self._rejoin and now - self._rejoined_at >= _REJOIN_S:
            self._rejoined_at, self._rejoin = now, False
            sound = [row for row in range(len(self._points)) if row not in self._culprits]
            joined = plan_blocks(self._points, self._max_gap, sound, self._most)
            alone = [part for row in sorted(self._culprits) for part in plan_blocks(self._points, 0, [row], self._most)]
            self._set_blocks([*joined, *alone])
        self._refused.clear()


def _words(answer: bytes, block: Block) -> "np.ndarray[tuple[int], np.dtype[np.uint16]]":
    if block.table in BIT_TABLES:
        bits = np.unpackbits(np.frombuffer(answer, np.uint8), count=block.count, bitorder="little")
        return bits.astype(np.uint16)
    return np.frombuffer(answer, ">u2")
