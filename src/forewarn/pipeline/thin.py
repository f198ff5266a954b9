"""Thin: what is normal is reduced, what is not goes at once and whole; the outbox takes it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import numpy as np
import structlog
import zstandard
from numpy.typing import NDArray

from forewarn.contracts.batch_log import BatchLog
from forewarn.contracts.outbox import Outbox, Packed, Packer, Tally, Urgency
from forewarn.contracts.plant_view import PlantView
from forewarn.contracts.raw_ring import RawRing
from forewarn.contracts.stage import Carriage
from forewarn.domain.alarms import AlarmEvent
from forewarn.domain.errors import ConfigurationError
from forewarn.domain.findings import Finding
from forewarn.domain.gateways import Reduction
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.series import Aggregates, Series
from forewarn.domain.signal_table import SignalTable
from forewarn.pipeline.context import Recent
from forewarn.pipeline.line import coalesce
from forewarn.policies.series_rows import together
from forewarn.policies.thinning import Thinned, Thinning
from forewarn.policies.thinning_minutes import joined
from forewarn.policies.thinning_plan import ThinPlan
from forewarn.policies.thinning_windows import OpenFinding, Window, Windows
from forewarn.policies.whole_stretches import WholeStretches, turn_of, with_newest

_log = structlog.get_logger(__name__)
_PARCEL_ROWS: Final = 20_000
_READ_AT_ONCE: Final = 200_000
_RECENT_S: Final = 50.0
_LOOK_BACK_US: Final = 60_000_000  # a finding told anew after a restart may have begun days ago
# Events come in the order of source times that differ: the journal is asked for a minute more than was told.
_TOLD_US: Final = 60_000_000
_NEVER: Final = np.iinfo(np.int64).min
Keys = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class ThinSettings:
    """context_s: raw readings before and after what was found. finding_full_s: at most so long while a finding lasts.
    A parcel of normal readings waits flush_s, and until it holds fill_rows, but no longer than fill_s. whole: when all
    readings of a machine are sent though they are normal. thinned: as in Reduction, for those who ask."""

    context_s: float = 10.0
    finding_full_s: float = 300.0
    flush_s: float = 0.5
    fill_s: float = 10.0
    fill_rows: int = 100
    whole: WholeStretches = field(default_factory=WholeStretches)
    thinned: tuple[tuple[str, bool], ...] = (("*", True),)


@dataclass(slots=True)
class _Load:
    """What waits for the next flush, and what became of the readings that were read for it."""

    since: int
    read: int = 0
    kept: int = 0
    thinned: int = 0
    findings: list[Finding] = field(default_factory=list)
    events: list[AlarmEvent] = field(default_factory=list)
    urgent: list[Series] = field(default_factory=list)
    normal: list[Series] = field(default_factory=list)
    again: list[Series] = field(default_factory=list)
    over: list[Aggregates] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return sum(map(len, self.normal)) + sum(map(len, self.over))


class ThinStage:
    """The gateway's last stage but its outputs. Parcels, ledger, state and offset are one transaction of the outbox, so
    its offset is the stage's (`OutboxOffsets`); carriages that were not flushed come again after a crash.

    Carriages with findings or alarm events are flushed before `handle` returns. Raises StorageFailed when the outbox
    cannot be written: the line tries the carriage again, which is not thinned twice."""

    name = "thin"

    def __init__(
        self,
        outbox: Outbox,
        packer: Packer,
        plant: PlantView,
        plan: Callable[[SignalTable], ThinPlan],
        log: BatchLog,
        clock: Callable[[], int],
        settings: ThinSettings | None = None,
        ring: RawRing | None = None,
        missed: Callable[[int], Sequence[AlarmEvent]] | None = None,
    ) -> None:
        """plan: how the table's signals are thinned. log: what the line reads, to go back in when the outbox was begun
        anew. ring: where the context of a finding is read that is older than this process. clock: microseconds UTC.
        missed: the alarm journal's events from an instant on: what the judge stored just before a crash is told."""
        self._outbox, self._packer, self._plant, self._plan_of = outbox, packer, plant, plan
        self._log, self._clock, self._ring, self._missed = log, clock, ring, missed
        self._settings = settings or ThinSettings()
        self._revision, self._table = plant.revision, plant.table
        self._plan = plan(self._table)
        self._last: Carriage | None = None
        self._resume()

    def handle(self, carriage: Carriage) -> Carriage:
        self._go_back_if_begun_anew()
        if carriage is not self._last:
            self._follow_plant()
            self._catch_up(carriage.first - 1)
            self._note(carriage)
            self._take(carriage)
            self._last = carriage
        if self._due():
            self._flush()
        return carriage

    def tick(self, now_us: int) -> Carriage | None:
        """What was in hand of silent signals, and what waited long enough."""
        self._go_back_if_begun_anew()
        out = self._thinning.tick(now_us)
        self._book(out)
        self._recent.put(_no_rows(), out.kept, now_us)
        if self._due():
            self._flush()
        return None

    def close(self) -> None:
        """Flush; call it when the line has stopped. Raises StorageFailed."""
        self._flush()

    def _resume(self) -> None:
        """Begin where the outbox stands."""
        engine, self._windows, told, before = _unpacked(self._outbox.state, self._settings)
        self.reductions = self._reductions(before)
        self._told = told or {"": self._clock() + _TOLD_US}
        self._thinning = Thinning(self._plan, engine)
        self._spread()
        self._take_turns()
        self._taken = self._flushed = self._outbox.offset
        self._recent = Recent(self._settings.context_s + _RECENT_S)
        self._load = _Load(self._clock())
        if self._missed is not None:
            since = max(self._told.values()) - _TOLD_US
            self._load.events += [event for event in self._missed(since) if _name(event) not in self._told]
        self._last = None

    def _reductions(self, before: Sequence[Reduction]) -> tuple[Reduction, ...]:
        whole = self._settings.whole
        # Of what it sent before its first state nobody need know: that is nothing.
        since = self._clock() if self._outbox.state else 0
        return with_newest(before, Reduction(since, self._settings.thinned, whole.seconds, whole.every_s))

    def _go_back_if_begun_anew(self) -> None:
        if self._outbox.offset < self._flushed:
            _log.error("outbox_begun_anew", thinned_up_to=self._flushed, outbox=self._outbox.offset)
            self._resume()

    def _catch_up(self, until: int) -> None:
        """Batches the line will not hand again, because it has, before the outbox was lost."""
        while self._taken < until:
            batches = [pair for pair in self._log.read(self._taken, _READ_AT_ONCE) if pair[0] <= until]
            if not batches:
                return
            self._take(Carriage(batches[0][0], batches[-1][0], batches, coalesce([b for _, b in batches])))
            self._flush()

    def _note(self, carriage: Carriage) -> None:
        """Windows that open, and the context before them."""
        if not carriage.findings and not carriage.alarm_events:
            return
        self._load.findings += carriage.findings
        self._load.events += carriage.alarm_events
        newest = {event.asset_id: self._newest(event, carriage.readings) for event in carriage.alarm_events}
        before = dict(self._windows.windows)
        grown = self._windows.follow(carriage.findings, carriage.alarm_events, newest)
        self._spread()
        for asset_id, window in grown.items():
            keys = self._keys_of(asset_id)
            for part in window.beyond(before.get(asset_id)) if len(keys) else ():
                self._send_context(keys, part)

    def _newest(self, event: AlarmEvent, coming: ReadingBatch) -> int:
        keys = self._keys_of(event.asset_id)
        known = int(self._thinning.newest(keys).max(initial=0))
        known = max(known, int(coming.time[np.isin(coming.signal, keys)].max(initial=0)))
        return known or event.at

    def _send_context(self, keys: Keys, window: Window) -> None:
        released = self._thinning.release(keys.astype(np.intp))
        self._recent.put(_no_rows(), released, self._clock())
        newest = int(self._thinning.newest(keys).max())
        start = max(window.start, newest - _LOOK_BACK_US)
        if start > newest:
            self._load.urgent.append(released)
            self._load.kept += len(released)
            return
        since = self._recent.since
        before = self._recent.unsent(keys, start, window.end)
        in_hand = self._thinning.told_besides(before.signal, before.time)
        self._load.urgent += [released, before]
        self._load.kept += len(released) + len(before)
        self._load.thinned -= len(before) - len(in_hand)
        end = min(newest if since is None else since - 1, window.end) + 1
        if self._ring is not None and start < end:
            # From before what memory holds: some of it may have been sent, so it is counted as read again.
            self._load.again.append(self._ring.read(keys, start, end))

    def _take(self, carriage: Carriage) -> None:
        if carriage.last <= self._taken:
            return
        batches = [batch for offset, batch in carriage.batches if offset > self._taken]
        rows = carriage.readings if carriage.first > self._taken else coalesce(batches)
        now = self._clock()
        if len(rows):
            full = self._inside(rows.signal, rows.time) | self._in_stretch(rows.signal, rows.time)
            out = self._thinning.take(rows, full, now)
            self._book(out)
            self._recent.put(rows, out.kept, now)
        self._load.read += len(rows)
        self._taken = carriage.last

    def _book(self, out: Thinned) -> None:
        load = self._load
        urgent = self._inside(out.kept.signal, out.kept.time)
        if urgent.any():
            load.urgent.append(_rows(out.kept, urgent))
        if not urgent.all():
            load.normal.append(_rows(out.kept, ~urgent))
        if len(out.over):
            load.over.append(out.over)
        load.kept += len(out.kept)
        load.thinned += out.thinned

    def _due(self) -> bool:
        load, settings = self._load, self._settings
        if load.findings or load.events:
            return True
        now = self._clock()
        load.since = min(load.since, now)  # the clock may be set back
        waited = now - load.since
        full = load.rows >= settings.fill_rows or bool(load.urgent)
        return waited >= (settings.flush_s if full else settings.fill_s) * 1_000_000

    def _flush(self) -> None:
        load = self._load
        if again := self._parcels(together(load.again), Urgency.FINDING):
            self._outbox.add(again)
            load.again = []
        packed: list[Packed] = []
        if load.findings or load.events:
            packed.append(self._packer.findings(load.findings, load.events))
        packed += self._parcels(together(load.urgent), Urgency.FINDING)
        packed += self._parcels(together(load.normal), Urgency.NORMAL)
        over = joined(load.over)
        if len(over):
            packed.append(self._packer.minutes(over))
        moved = load.read or load.kept or load.thinned
        if packed or moved or self._taken > self._flushed:
            self._remember(load.events)
            tally = Tally(load.read, load.kept, load.thinned, self._thinning.in_hand)
            self._outbox.pack(packed, tally, self._state(), self._taken)
        self._flushed = self._taken
        self._load = _Load(self._clock())

    def _state(self) -> bytes:
        engine = zstandard.ZstdCompressor(level=1).compress(self._thinning.state())
        return msgspec.msgpack.encode((engine, self._windows.windows, self._windows.open, self._told, self.reductions))

    def _remember(self, events: Sequence[AlarmEvent]) -> None:
        """Which alarm events of the newest minute were told."""
        told = self._told | {_name(event): event.at for event in events}
        newest = max(told.values(), default=0)
        self._told = {name: at for name, at in told.items() if at >= newest - _TOLD_US}

    def _parcels(self, rows: Series, urgency: Urgency) -> list[Packed]:
        return [
            self._packer.readings(_rows(rows, slice(start, start + _PARCEL_ROWS)), urgency)
            for start in range(0, len(rows), _PARCEL_ROWS)
        ]

    def _follow_plant(self) -> None:
        if self._revision != self._plant.revision:
            self._revision, self._table = self._plant.revision, self._plant.table
            self._plan = self._plan_of(self._table)
            self._thinning.follow(self._plan)
            self._spread()
            self._take_turns()

    def _keys_of(self, asset_id: str) -> Keys:
        return np.array(sorted(s.key for s in self._plant.signals_of(asset_id) if s.key), np.int32)

    def _spread(self) -> None:
        """The assets' windows, by signal key."""
        self._start = np.full(self._table.size, -_NEVER - 1, np.int64)
        self._end = np.full(self._table.size, _NEVER, np.int64)
        for asset_id, window in self._windows.windows.items():
            keys = self._keys_of(asset_id)
            self._start[keys], self._end[keys] = window.start, window.end

    def _take_turns(self) -> None:
        self._turn = np.array([0 if s is None else turn_of(s.asset_id) for s in self._table.signals], np.int64)

    def _inside(self, signal: Keys, time: NDArray[np.int64]) -> NDArray[np.bool_]:
        inside = signal < self._table.size
        known = signal[inside]
        inside[inside] = (time[inside] >= self._start[known]) & (time[inside] <= self._end[known])
        return inside

    def _in_stretch(self, signal: Keys, time: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Normal or not, all of the machine is sent."""
        inside = signal < len(self._turn)
        inside[inside] = self._settings.whole.inside(self._turn[signal[inside]], time[inside])
        return inside


class OutboxOffsets:
    """StageOffsets of the thin stage: what is in the outbox, which knows best itself."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def get(self, stage: str) -> int:
        return self._outbox.offset

    def set(self, stage: str, offset: int) -> None:
        """The outbox moves its offset by itself."""


def _rows(rows: Series, which: Any) -> Series:
    return Series(rows.signal[which], rows.time[which], rows.value[which], rows.quality[which])


def _no_rows() -> ReadingBatch:
    return ReadingBatch(np.zeros(0, np.int32), np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.uint32), "", 0)


_Told = dict[str, int]
_Kept = tuple[bytes, dict[str, Window], dict[str, OpenFinding], _Told, tuple[Reduction, ...]]
_PARTS: Final = 5


def _name(event: AlarmEvent) -> str:
    return f"{event.asset_id}\t{event.rule_id}\t{event.at}\t{event.kind}"


def _unpacked(state: bytes, settings: ThinSettings) -> tuple[bytes, Windows, _Told, tuple[Reduction, ...]]:
    """Raises ConfigurationError for what a later version wrote."""
    windows = Windows(settings.context_s, settings.finding_full_s)
    if not state:
        return b"", windows, {}, ()
    try:
        parts = msgspec.msgpack.decode(state, type=list[Any])
        if len(parts) < _PARTS:
            parts.append(())  # of a version that sent no stretch whole
        engine, windows.windows, windows.open, told, reductions = msgspec.convert(parts, type=_Kept)
    except msgspec.MsgspecError as error:
        raise ConfigurationError(
            f"another version of Forewarn ran on this gateway's folder, and this one cannot go on from it ({error}): "
            "install that version or a later one; nothing is lost"
        ) from error
    return zstandard.ZstdDecompressor().decompress(engine), windows, told, reductions
