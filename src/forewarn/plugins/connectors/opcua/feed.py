"""The signals of one run: which node each is, what arrives for them, and what is told of those that go wrong."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from asyncua import ua
from asyncua.ua.status_codes import StatusCodes
from numpy.typing import NDArray

from forewarn.contracts.connector import ReadingSink
from forewarn.domain.assets import Signal
from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import ConfigurationError
from forewarn.domain.status import BAD_NO_COMMUNICATION
from forewarn.kit.clock import now_us
from forewarn.plugins.connectors.opcua.address import Address, parse_address
from forewarn.plugins.connectors.opcua.columns import Items
from forewarn.plugins.connectors.opcua.deadband import NOT_A_NUMBER, Reported
from forewarn.plugins.connectors.opcua.publish import Parts, Published, Refused
from forewarn.plugins.connectors.opcua.sampling import Item, Plan, plans
from forewarn.plugins.connectors.opcua.settings import OpcUaSettings

_TICKS_TO_1970: Final = 116_444_736_000_000_000
_BAD_NODE_ID_INVALID: Final = 0x8033_0000
_BAD_TYPE_MISMATCH: Final = 0x8074_0000
_BAD: Final = np.uint32(0x8000_0000)
_FAR: Final = np.iinfo(np.int64).max
_EXAMPLES: Final = 5
# A condition is over when it was not named for a minute.
_REMIND_S: Final = 20.0
_UNKNOWN: Final = (
    StatusCodes.BadNodeIdUnknown,
    StatusCodes.BadNodeIdInvalid,
    StatusCodes.BadAttributeIdInvalid,
    StatusCodes.BadIndexRangeInvalid,
)


def to_microseconds(source: NDArray[np.int64], server: NDArray[np.int64], received_us: int) -> NDArray[np.int64]:
    """Ticks of 100 ns since 1601 -> microseconds since 1970; the source's clock, else the server's, else ours."""
    ticks = np.where(source > 0, source, server)
    return np.where(ticks > 0, (ticks - _TICKS_TO_1970) // 10, received_us)


class Feed:
    """Rows are the signals whose address can be read, in the request's order. Raises ConfigurationError without any.

    keys: int32, the rows' signal keys. live_from: int64 microseconds, source time of the first live reading of each."""

    def __init__(self, signals: Sequence[Signal], settings: OpcUaSettings, sink: ReadingSink) -> None:
        self._sink = sink
        self.signals: list[Signal] = []
        self.addresses: list[Address] = []
        self._unreadable: list[Signal] = []
        complaints: list[str] = []
        for signal in signals:
            try:
                self.addresses.append(parse_address(signal))
                self.signals.append(signal)
            except ConfigurationError as error:
                complaints.append(str(error))
                self._unreadable.append(signal)
        if not self.signals:
            raise ConfigurationError(
                _joined(complaints) if complaints else "no signal names this source",
                condition=ConditionCode.UNKNOWN_ADDRESS if complaints else ConditionCode.MISCONFIGURED,
            )
        self._connected = False
        self._wrong: set[int] = set()
        self._told: dict[tuple[ConditionCode, int], str] = {}
        if complaints:
            sink.rejected(len(complaints), _joined(complaints), ConditionCode.UNKNOWN_ADDRESS)
            self._told[ConditionCode.UNKNOWN_ADDRESS, -1] = _joined(complaints)
        self.plans: list[Plan] = plans(self.signals, settings)
        self.keys = np.array([signal.key for signal in self.signals], np.int32)
        self.live_from = np.full(len(self.keys), _FAR, np.int64)
        self.band = np.array([plan.deadband for plan in self.plans])
        self._reported = Reported(self.band)

    def __len__(self) -> int:
        return len(self.signals)

    def use_ranges(self, ranges: Mapping[int, tuple[float, float] | None]) -> None:
        """The EURange of rows whose deadband is in percent; where the server has none the signal's own range serves."""
        for row, found in ranges.items():
            signal = self.signals[row]
            low, high = found or (signal.range_low, signal.range_high)
            self.band[row] = self.plans[row].band(low, high)
            if low is None or high is None:
                text = (
                    f"signal {signal.id!r}: deadband_percent has no effect, for neither the server (EURange) nor the "
                    "plant file (range_low, range_high) knows its range"
                )
                self._sink.note(ConditionCode.MISCONFIGURED, text)
        self._reported = Reported(self.band)

    def filter(self) -> Reported:
        """A deadband of its own, for what comes beside the live values."""
        return Reported(self.band)

    def plain_items(self, *, server_deadband: bool) -> list[Item]:
        """One a row whose whole value is asked for; the handle is the row."""
        return [
            Item(row, address.node, plan, float(self.band[row]) if server_deadband else 0.0)
            for row, (address, plan) in enumerate(zip(self.addresses, self.plans, strict=True))
            if not address.part
        ]

    def part_items(self) -> tuple[list[Item], Parts]:
        """One a node of whose value parts are asked for, and which rows they are."""
        parts: dict[ua.NodeId, list[int]] = {}
        for row, address in enumerate(self.addresses):
            if address.part:
                parts.setdefault(address.node, []).append(row)
        items = [Item(handle, node, self.plans[rows[0]]) for handle, (node, rows) in enumerate(parts.items())]
        wanted = [[(row, self.addresses[row].part) for row in rows] for rows in parts.values()]
        return items, dict(enumerate(wanted))

    def rows_of(self, item: Item, parts: Parts) -> list[int]:
        return [row for row, _ in parts[item.handle]] if parts else [item.handle]

    async def connected(self) -> None:
        """The first session stands. Signals without a usable address are shown as bad, not as nothing."""
        if self._connected:
            return
        self._connected = True
        self._sink.connected()
        keys = [signal.key for signal in self._unreadable]
        await self._put_bad(np.array(keys, np.int32), np.full(len(keys), _BAD_NODE_ID_INVALID, np.uint32))

    async def refused(self, rows: Sequence[int], codes: Sequence[ua.StatusCode]) -> None:
        """The server will not deliver these, for the reason in the code."""
        texts: dict[ConditionCode, list[str]] = {}
        for row, code in zip(rows, codes, strict=True):
            signal = self.signals[row]
            condition = ConditionCode.UNKNOWN_ADDRESS if code.value in _UNKNOWN else ConditionCode.READINGS_REJECTED
            text = f"signal {signal.id!r}: the server refuses {signal.address!r}: {code.name}"
            texts.setdefault(condition, []).append(text)
            self._told[condition, row] = text
        for condition, some in texts.items():
            self._sink.rejected(len(some), _joined(some), condition)
        await self._put_bad(self.keys[list(rows)], np.array([code.value for code in codes], np.uint32))

    def accepted(self, rows: Sequence[int]) -> None:
        """The server refused them before and does no more."""
        for row in rows:
            for condition in (ConditionCode.UNKNOWN_ADDRESS, ConditionCode.READINGS_REJECTED):
                self._told.pop((condition, row), None)

    async def lost(self, rows: Sequence[int]) -> None:
        """Their session is gone while others stand: charts break the line there."""
        if rows:
            keys = self.keys[list(rows)]
            await self._put_bad(keys, np.full(len(keys), BAD_NO_COMMUNICATION, np.uint32))

    async def _put_bad(self, keys: NDArray[np.int32], quality: NDArray[np.uint32]) -> None:
        n = len(keys)
        if n:
            await self._sink.put(keys, np.full(n, now_us()), np.full(n, np.nan), quality)

    async def take(self, published: Sequence[Published]) -> None:
        """Durable when it returns."""
        refused = [refusal for answer in published for refusal in answer.refused]
        parts = [part for answer in published for part in answer.items if len(part.handle)]
        if parts:
            await self._put(_joined_items(parts))
        else:
            self._sink.alive()
        if refused:
            await self.wrong_type(refused)

    async def wrong_type(self, refused: Sequence[Refused]) -> None:
        """Told, and shown as bad, once."""
        new: dict[int, str] = {}
        for refusal in refused:
            row, signal = refusal.handle, self.signals[refusal.handle]
            if (ConditionCode.WRONG_TYPE, row) not in self._told:
                new[row] = f"signal {signal.id!r}: {signal.address!r}: {refusal.why}"
        for row, text in new.items():
            self._told[ConditionCode.WRONG_TYPE, row] = text
        self._wrong |= new.keys()
        if new:
            self._sink.rejected(len(new), _joined(list(new.values())), ConditionCode.WRONG_TYPE)
            await self._put_bad(self.keys[list(new)], np.full(len(new), _BAD_TYPE_MISMATCH, np.uint32))

    async def _put(self, items: Items) -> None:
        row = items.handle.astype(np.intp)
        time = to_microseconds(items.source, items.server, now_us())
        value, status = items.value, marked(items)
        kept = self._reported.keep(row, value, status)
        np.minimum.at(self.live_from, row, time)
        for each in self._wrong.intersection(row.tolist()) if self._wrong else ():
            self._wrong.discard(each)
            del self._told[ConditionCode.WRONG_TYPE, each]
        if kept is not None:
            row, time, value, status = row[kept], time[kept], value[kept], status[kept]
            if (status == NOT_A_NUMBER).any():
                self._tell_not_numbers(row[status == NOT_A_NUMBER])
        if len(row):
            await self._sink.put(self.keys[row], time, value, status)
        else:
            self._sink.alive()

    async def remind(self) -> None:
        """What is wrong with single signals is told again and again, for as long as it is so."""
        while True:
            self.tell_conditions()
            await asyncio.sleep(_REMIND_S)

    def tell_conditions(self) -> None:
        texts: dict[ConditionCode, list[str]] = {}
        for (condition, _), text in self._told.items():
            texts.setdefault(condition, []).append(text)
        for condition, some in texts.items():
            self._sink.note(condition, _joined(some))
        self._tell_not_numbers(self._reported.not_numbers())

    def _tell_not_numbers(self, rows: NDArray[np.intp]) -> None:
        names = [f"signal {self.signals[row].id!r}" for row in rows[:_EXAMPLES]]
        if names:
            more = f", and {len(rows) - _EXAMPLES:,} more" if len(rows) > _EXAMPLES else ""
            self._sink.note(
                ConditionCode.NOT_A_NUMBER, f"{', '.join(names)}{more}: the server's value is not a number (NaN)"
            )


def marked(items: Items) -> NDArray[np.uint32]:
    """The items' status; bad where a value is called good and is none."""
    nonsense = np.isnan(items.value) & ((items.status & _BAD) == 0)
    return np.where(nonsense, NOT_A_NUMBER, items.status) if nonsense.any() else items.status


def _joined_items(parts: Sequence[Items]) -> Items:
    if len(parts) == 1:
        return parts[0]
    return Items(
        np.concatenate([part.handle for part in parts]),
        np.concatenate([part.value for part in parts]),
        np.concatenate([part.status for part in parts]),
        np.concatenate([part.source for part in parts]),
        np.concatenate([part.server for part in parts]),
    )


def _joined(texts: Sequence[str]) -> str:
    more = len(texts) - _EXAMPLES
    return "; ".join(texts[:_EXAMPLES]) + (f"; and {more:,} more" if more > 0 else "")
