"""The live feed: what the line judged, coalesced, encoded once per distinct filter, fanned out as bytes."""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog

from forewarn.api.live_events import EventEncoder, Filter, event
from forewarn.contracts.alarm_store import AlarmStore
from forewarn.contracts.anomaly_store import AnomalyStore
from forewarn.contracts.plant_view import PlantView
from forewarn.domain.alarms import AlarmEvent
from forewarn.domain.findings import Finding
from forewarn.domain.readings import ReadingBatch
from forewarn.kit.clock import now_us

_log = structlog.get_logger("forewarn.api")
_WINDOW_S: Final = 0.05
_KEEP_ALIVE_S: Final = 10.0
_MAX_QUEUE: Final = 400
_MAX_QUEUE_BYTES: Final = 16 << 20
_MAX_PENDING: Final = 2_000_000


class Listener:
    """One open stream. Only the event loop's thread touches it."""

    __slots__ = ("chunks", "closed", "dropped", "filter", "size", "wake")

    def __init__(self, wanted: Filter) -> None:
        self.filter = wanted
        self.chunks: deque[bytes] = deque()
        self.size = 0
        self.dropped = 0
        self.closed = False
        self.wake = asyncio.Event()

    def offer(self, chunk: bytes) -> None:
        """Queue `chunk`; a listener that is too far behind loses everything queued and is told how many events."""
        if len(self.chunks) >= _MAX_QUEUE or self.size + len(chunk) > _MAX_QUEUE_BYTES:
            self.dropped += len(self.chunks)
            self.chunks.clear()
            self.size = 0
        self.chunks.append(chunk)
        self.size += len(chunk)
        self.wake.set()

    def take(self) -> bytes:
        """Everything queued, a `lost` event first if there is something to tell."""
        lost = event("lost", {"dropped": self.dropped}) if self.dropped else b""
        taken = lost + b"".join(self.chunks)
        self.chunks.clear()
        self.size = self.dropped = 0
        self.wake.clear()
        return taken


@dataclass(slots=True)
class _Pending:
    """What was published since the last flush."""

    offset: int = 0
    rows: int = 0
    left_out: int = 0
    readings: list[ReadingBatch] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    alarm_events: list[AlarmEvent] = field(default_factory=list)


class LiveBroadcaster:
    """LiveFeed over server-sent events. Made before the server; `attach` and `bind` come with it.

    Until bound, and while nobody listens, publishing costs a lock.
    """

    def __init__(self, window_s: float = _WINDOW_S) -> None:
        self._window_s = window_s
        self._lock = threading.Lock()
        self._pending = _Pending()
        self._scheduled = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._encoder: EventEncoder | None = None
        self._groups: dict[Filter, set[Listener]] = {}
        self._offset = 0
        self._flushed_at = 0.0
        self._closed = False
        self._untold: tuple[list[Finding], list[AlarmEvent]] = ([], [])
        self._teller: asyncio.Task[None] | None = None

    def attach(self, plant: PlantView, anomalies: AnomalyStore, alarms: AlarmStore) -> None:
        self._encoder = EventEncoder(plant, anomalies, alarms)

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Called on the server's own loop as it starts."""
        self._loop = loop
        self._closed = False

    @property
    def listeners(self) -> int:
        return sum(len(group) for group in self._groups.values())

    @property
    def offset(self) -> int:
        return self._offset

    def publish(
        self,
        offset: int,
        readings: ReadingBatch,
        findings: Sequence[Finding],
        alarm_events: Sequence[AlarmEvent],
    ) -> None:
        self._offset = max(self._offset, offset)
        if self._loop is None or self._closed or not self._groups:
            return
        with self._lock:
            pending = self._pending
            pending.offset = self._offset
            if pending.rows >= _MAX_PENDING:
                pending.left_out += 1
            elif len(readings):
                pending.readings.append(readings)
                pending.rows += len(readings)
            pending.findings.extend(findings)
            pending.alarm_events.extend(alarm_events)
            wake, self._scheduled = not self._scheduled, True
        if wake:
            self._call(self._schedule)

    def close(self) -> None:
        """End every stream at once. Any thread; idempotent."""
        self._closed = True
        self._call(self._end_streams)

    def _call(self, what: Callable[[], None]) -> None:
        try:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(what)
        except RuntimeError:
            self._loop = None  # the server's loop is gone; so are the listeners

    def _end_streams(self) -> None:
        for group in self._groups.values():
            for listener in group:
                listener.closed = True
                listener.wake.set()

    def _schedule(self) -> None:
        assert self._loop is not None
        wait = self._flushed_at + self._window_s - self._loop.time()
        if wait > 0:
            self._loop.call_later(wait, self._flush)
        else:
            self._flush()

    def _flush(self) -> None:
        assert self._loop is not None
        with self._lock:
            pending, self._pending, self._scheduled = self._pending, _Pending(), False
        self._flushed_at = self._loop.time()
        try:
            if pending.readings:
                self._send_readings(pending.offset, ReadingBatch.concatenate(pending.readings))
        except Exception:
            _log.exception("live_encoding_failed")
        if pending.left_out:
            for listener in [listener for group in self._groups.values() for listener in group]:
                listener.dropped += pending.left_out
                listener.wake.set()
        self._untold[0].extend(pending.findings)
        self._untold[1].extend(pending.alarm_events)
        if any(self._untold) and (self._teller is None or self._teller.done()):
            self._teller = self._loop.create_task(self._tell(pending.offset))

    def _send_readings(self, offset: int, readings: ReadingBatch) -> None:
        assert self._encoder is not None
        for wanted, group in list(self._groups.items()):
            chunk = self._encoder.readings(offset, readings, wanted)
            if chunk:
                for listener in group:
                    listener.offer(chunk)

    async def _tell(self, offset: int) -> None:
        """Findings and alarms want their ids and standing from the catalog; one look-up at a time, off the loop."""
        assert self._encoder is not None
        while any(self._untold):
            (findings, alarm_events), self._untold = self._untold, ([], [])
            try:
                told = await asyncio.to_thread(self._encoder.told, max(offset, self._offset), findings, alarm_events)
            except Exception:
                _log.exception("live_lookup_failed")
                continue
            for asset_id, signal_id, chunk in told:
                self._send(asset_id, signal_id, chunk)

    def _send(self, asset_id: str, signal_id: str, chunk: bytes) -> None:
        assert self._encoder is not None
        for wanted, group in list(self._groups.items()):
            if wanted.asset_id not in (None, asset_id) or not self._encoder.shows(asset_id, wanted.within):
                continue
            if wanted.signals is not None and signal_id not in wanted.signals:
                continue
            for listener in group:
                listener.offer(chunk)

    async def stream(self, wanted: Filter, last_event_id: int | None = None) -> AsyncGenerator[bytes, None]:
        """The bytes of one listener's stream, until it goes away or the server closes."""
        listener = Listener(wanted)
        self._groups.setdefault(wanted, set()).add(listener)
        try:
            hello: dict[str, object] = {"offset": self._offset, "now_ms": now_us() // 1_000}
            if last_event_id is not None:
                hello["missed"] = max(0, self._offset - last_event_id)
            yield event("hello", hello, self._offset)
            while not (listener.closed or self._closed):
                try:
                    await asyncio.wait_for(listener.wake.wait(), _KEEP_ALIVE_S)
                except TimeoutError:
                    yield b": keep-alive\n\n"
                    continue
                if chunk := listener.take():
                    yield chunk
        finally:
            group = self._groups.get(wanted, set())
            group.discard(listener)
            if not group:
                self._groups.pop(wanted, None)
