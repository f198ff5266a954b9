"""One edge node as a host application must see it: births, sequence, deaths. No I/O; time is given."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from forewarn.domain.conditions import ConditionCode
from forewarn.domain.status import BAD_NO_COMMUNICATION
from forewarn.kit.clock import HOUR
from forewarn.plugins.connectors.sparkplug.address import Origin, Wanted
from forewarn.plugins.connectors.sparkplug.batch import Batch
from forewarn.plugins.connectors.sparkplug.later import Later, flush
from forewarn.plugins.connectors.sparkplug.messages import Payload
from forewarn.plugins.connectors.sparkplug.metrics import MetricTable, Read
from forewarn.plugins.connectors.sparkplug.settings import SparkplugSettings
from forewarn.plugins.connectors.sparkplug.values import BAD_NO_DATA
from forewarn.plugins.connectors.sparkplug.wire import Scanned, scan

_SEQUENCES: Final = 256
_MOST_NAMED: Final = 50
_MOST_HELD: Final = 128  # half of them, so that an order can be told
_BD_SEQ: Final = "bdSeq"
_COMPRESSED: Final = "SPBV1.0_COMPRESSED"


@dataclass(frozen=True, slots=True)
class Message:
    """seq: None without one. scanned: of data that needs no parser. payload: of anything else, parsed."""

    kind: str
    origin: Origin
    raw: bytes
    received_us: int
    seq: int | None
    scanned: Scanned | None = None
    payload: Any = None

    @property
    def metrics(self) -> int:
        return len(self.scanned.start if self.scanned is not None else self.payload.metrics)


def message_of(kind: str, origin: Origin, raw: bytes, received_us: int) -> Message:
    """Raises DecodeError."""
    scanned = scan(raw) if kind in ("NDATA", "DDATA") else None
    if scanned is not None:
        return Message(kind, origin, raw, received_us, scanned.seq, scanned)
    payload = Payload.FromString(raw)
    if payload.uuid == _COMPRESSED:
        raise DecodeError("it is compressed, which no version of the specification knows")
    seq = payload.seq if payload.HasField("seq") else None
    return Message(kind, origin, raw, received_us, seq, None, payload)


@dataclass(slots=True)
class _Born:
    """A node or device that has told its metrics. awaited: seconds (monotonic) by when it must have told them again, as
    its node began anew; None: it did."""

    table: MetricTable
    awaited: float | None = None


@dataclass(slots=True)
class _Waiting:
    """Messages that came before one that is missing, by sequence number."""

    held: dict[int, Message] = field(default_factory=dict)
    until: float = 0.0


class LastTimes:
    """Newest source time by key, so that a death comes after it."""

    def __init__(self, size: int) -> None:
        self._time = np.full(size, np.iinfo(np.int64).min, np.int64)

    def note(self, key: NDArray[np.int32], time: NDArray[np.int64]) -> None:
        np.maximum.at(self._time, key, time)

    def after(self, key: NDArray[np.int32], at_us: int) -> NDArray[np.int64]:
        """`at_us`, or just after the last reading where that is later (by an hour at most: no clock is so wrong)."""
        last = self._time[key]
        return np.where((last >= at_us) & (last < at_us + HOUR), last + 1, at_us)


class EdgeNode:
    """Reads the node's messages, in the order of their numbers, into batches."""

    def __init__(self, group: str, node: str, wanted: Wanted, settings: SparkplugSettings, last: LastTimes) -> None:
        self.group, self.node = group, node
        self.online = False
        self._wanted = wanted
        self._settings = settings
        self._last = last
        self._bd_seq: int | None = None
        self._next = 0
        self._born: dict[str, _Born] = {}
        self._waiting = _Waiting()
        self._asked_at = float("-inf")
        self._wants_rebirth = False
        self._now_s = 0.0

    def take(self, message: Message, now_s: float, into: Batch) -> None:
        """now_s: of a clock that nobody sets."""
        kind, seq, self._now_s = message.kind, message.seq, now_s
        if kind == "NDEATH":
            self._node_died(message, into)
        elif kind == "NBIRTH":
            self._node_was_born(message, now_s, into)
        elif not self.online:
            self._reject(message, "its edge node has told no birth yet", into)
            self.ask_rebirth(now_s, into)
        elif seq is None or seq >= _SEQUENCES:
            self._reject(message, "it has no sequence number within 0 to 255", into)
        elif seq != self._next:
            self._hold(seq, message, now_s, into)
        else:
            self._apply(message, now_s, into)
            self._apply_held(now_s, into)

    def tick(self, now_s: float, received_us: int, into: Batch) -> None:
        """What has waited long enough is done; to be called a few times a second."""
        waiting = self._waiting
        if waiting.held and now_s >= waiting.until:
            self._release(now_s, into)
            self._wants_rebirth = True
        late = [device for device, born in self._born.items() if born.awaited is not None and now_s >= born.awaited]
        for device in late:
            self._mark_stale(device, received_us, into)
            del self._born[device]
        if self._wants_rebirth:
            self.ask_rebirth(now_s, into)

    def ask_rebirth(self, now_s: float, into: Batch) -> None:
        """Now, or as soon as the last request is long enough ago."""
        if now_s - self._asked_at < self._settings.rebirth_interval_s:
            self._wants_rebirth = True
            return
        self._asked_at, self._wants_rebirth = now_s, False
        into.rebirths.append((self.group, self.node))

    def _hold(self, seq: int, message: Message, now_s: float, into: Batch) -> None:
        if not self._waiting.held:
            self._waiting.until = now_s + self._settings.reorder_timeout_s
        self._waiting.held[seq] = message
        if len(self._waiting.held) >= _MOST_HELD:
            self._release(now_s, into)
            self.ask_rebirth(now_s, into)

    def _release(self, now_s: float, into: Batch) -> None:
        """What is missing will not come any more: the rest is taken as it is."""
        held = self._waiting.held
        for seq in sorted(held, key=lambda seq: (seq - self._next) % _SEQUENCES):
            self._apply(held.pop(seq), now_s, into)

    def _apply_held(self, now_s: float, into: Batch) -> None:
        while (message := self._waiting.held.pop(self._next, None)) is not None:
            self._apply(message, now_s, into)

    def _apply(self, message: Message, now_s: float, into: Batch) -> None:
        self._next = ((message.seq or 0) + 1) % _SEQUENCES
        device = message.origin.device
        if message.kind == "DBIRTH":
            self._was_born(message, into)
        elif message.kind == "DDEATH":
            self._device_died(message, into)
        elif (born := self._born.get(device)) is None or born.awaited is not None:
            self._reject(message, "it has told no birth yet", into)
            self.ask_rebirth(now_s, into)
        else:
            into.later.append(
                Later(message.origin, message.raw, message.scanned, message.received_us, born.table, self._report)
            )

    def _node_was_born(self, message: Message, now_s: float, into: Batch) -> None:
        self._release(now_s, into)  # of the session before
        self._next = ((message.seq or 0) + 1) % _SEQUENCES
        self._bd_seq = _bd_seq(message.payload)
        self._wants_rebirth, self.online = False, True
        for device, born in self._born.items():
            if device:
                born.awaited = now_s + self._settings.reorder_timeout_s
        self._was_born(message, into)

    def _was_born(self, message: Message, into: Batch) -> None:
        flush(into)
        origin = message.origin
        table = MetricTable(list(message.payload.metrics), self._wanted.metrics(origin))
        self._born[origin.device] = _Born(table)
        if table.missing:
            wanted = self._wanted.metrics(origin)
            named = self._named((wanted[name], name) for name in table.missing)
            text = f"{named}: not in the birth of {origin}"
            into.reject(len(table.missing), text, ConditionCode.UNKNOWN_ADDRESS)
        self._report(origin, table.read(message.payload, message.received_us), into)

    def _report(self, origin: Origin, read: Read, into: Batch) -> None:
        if len(read.columns[0]):
            self._last.note(read.columns[0], read.columns[1])
            into.parts.append(read.columns)
            if missing := int((read.columns[3] == BAD_NO_DATA).sum()):
                into.note(ConditionCode.NOT_A_NUMBER, f"{origin}: {missing} metrics are null or NaN: kept as bad")
        if read.strange:
            text = f"{self._named(read.strange)}: no numbers, told by {origin}"
            into.reject(len(read.strange), text, ConditionCode.WRONG_TYPE)
        if read.wrong:
            text = f"{origin}: a value out of its type's range, or an impossible time"
            into.reject(read.wrong, text, ConditionCode.NONSENSE)
        if read.unknown:
            text = f"{origin}: {read.unknown} metrics that its birth did not tell"
            into.reject(read.unknown, text, ConditionCode.UNKNOWN_ADDRESS)
            self.ask_rebirth(self._now_s, into)

    def _named(self, metrics: Iterable[tuple[int, str]]) -> str:
        """Our signals by id and what they are there."""
        return ", ".join(f"{self._wanted.id_of[key]!r} ({name})" for key, name in islice(metrics, _MOST_NAMED))

    def _device_died(self, message: Message, into: Batch) -> None:
        told_us = message.payload.timestamp * 1_000
        at_us = told_us if 0 < told_us <= message.received_us + HOUR else message.received_us
        self._mark_stale(message.origin.device, at_us, into)
        self._born.pop(message.origin.device, None)

    def _node_died(self, message: Message, into: Batch) -> None:
        """A death of an earlier session (another bdSeq) says nothing of this one."""
        told = _bd_seq(message.payload)
        if not self.online or (told is not None and self._bd_seq is not None and told != self._bd_seq):
            return
        self._release(self._now_s, into)
        for device in self._born:
            self._mark_stale(device, message.received_us, into)
        self.online, self._born = False, {}
        self._wants_rebirth = False

    def _mark_stale(self, device: str, at_us: int, into: Batch) -> None:
        """One bad reading a signal, after its last."""
        flush(into)
        born = self._born.get(device)
        if born is None or not len(born.table.keys):
            return
        key = born.table.keys
        time, n = self._last.after(key, at_us), len(key)
        into.parts.append((key, time, np.full(n, np.nan), np.full(n, BAD_NO_COMMUNICATION, np.uint32)))
        self._last.note(key, time)

    def _reject(self, message: Message, why: str, into: Batch) -> None:
        into.reject(max(1, message.metrics), f"{message.kind} of {message.origin}: {why}", ConditionCode.NONSENSE)


def _bd_seq(payload: Any) -> int | None:
    for metric in payload.metrics:
        if metric.name == _BD_SEQ:
            return int(metric.long_value or metric.int_value)
    return None
