"""What a standby partner told the site, and so which rows of our parcels are left to it and which are ours to tell."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from forewarn.contracts.outbox import Packed, ParcelKind, Urgency
from forewarn.domain.assets import Signal
from forewarn.domain.series import Series
from forewarn.gateway.outbox_index import readings_in
from forewarn.gateway.wire import (
    decode_findings,
    decode_minutes,
    decode_readings,
    encode_minutes,
    encode_readings,
    encode_told_findings,
)
from forewarn.kit.clock import MINUTE, SECOND

MARGIN_US: Final = 5 * SECOND  # a partner's readings come in about the order of their times, but not quite
_NEVER: Final = 2**62
_Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Origins:
    """Where signals come from. By key: polled, whether its readings bear the time of our own poll: of these, partners
    have different readings for the same moment; of all others the site drops what comes twice. source: place in
    `names`, -1 where it is not collected (any more). key_of: by id."""

    polled: _Mask
    source: NDArray[np.int32]
    names: tuple[str, ...]
    key_of: dict[str, int]

    @classmethod
    def of(cls, signals: Sequence[Signal], polled_sources: Iterable[str]) -> "Origins":
        names = tuple(sorted({signal.source for signal in signals if signal.source is not None}))
        place, by_poll = {name: at for at, name in enumerate(names)}, set(polled_sources)
        size = max((signal.key for signal in signals), default=0) + 1
        polled, source = np.zeros(size, np.bool_), np.full(size, -1, np.int32)
        for signal in signals:
            if signal.source is not None:
                source[signal.key], polled[signal.key] = place[signal.source], signal.source in by_poll
        return cls(polled, source, names, {signal.id: signal.key for signal in signals})


class _Rows(NamedTuple):
    """What a parcel tells, row by row: of which signal's key (-1 unknown), and from when to when."""

    key: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Share:
    """readings: as many are left to the partner. rest: what is sent in the parcel's place, None: nothing. undecided: it
    may yet turn out to be the partner's, nothing is to be done. Where it is all ours, `rest` is the parcel itself."""

    readings: int
    rest: Packed | None
    undecided: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """By the site's answer. covered: [start, end] of source time that partners told. missed: (source, start, end), both
    exclusive, of that and later time, which they have not read. horizon: before it nothing more comes of them."""

    covered: tuple[tuple[int, int], ...]
    missed: tuple[tuple[str, int, int], ...]
    horizon: int
    origins: Origins

    @property
    def begin(self) -> int | None:
        """Before it nobody but us told anything."""
        return min((start for start, _ in self.covered), default=None)

    def share(self, packed: Packed, *, settled: bool) -> Share:
        """While the partner goes on. settled: had it missed something of this parcel's time it would have said so."""
        if packed.urgency is Urgency.REQUESTED:  # of us by name
            return Share(0, packed)
        first, last = packed.first_time, _last(packed)
        if not any(start < last and first < end for _, start, end in self.missed):  # most parcels need no decoding
            if last > self.horizon:
                return Share(0, packed, undecided=True)
            if not any(start <= last and first <= end for start, end in self.covered):
                return Share(0, packed)
            if any(start <= first and last <= end - MARGIN_US for start, end in self.covered):
                theirs = Share(readings_in(packed.kind, packed.rows), None)
                return theirs if settled else Share(0, packed, undecided=True)
        rows = self._rows(packed)
        told, undecided = self._judged(rows)
        if undecided.any() or (told.any() and not settled):
            return Share(0, packed, undecided=True)
        return _without(packed, told)

    def taken_over(self, packed: Packed) -> Share:
        """When it is our turn: of polled readings, what partners told is left out. All else may come twice."""
        if packed.kind is not ParcelKind.READINGS or packed.urgency is Urgency.REQUESTED:
            return Share(0, packed)
        rows = self._rows(packed)
        return _without(packed, self._covered(rows) & self._polled(rows.key) & ~self._missed(rows))

    def _rows(self, packed: Packed) -> _Rows:
        if packed.kind is ParcelKind.READINGS:
            readings = decode_readings(packed.body)
            return _Rows(readings.signal.astype(np.int64), readings.time, readings.time)
        if packed.kind is ParcelKind.MINUTES:
            minutes = decode_minutes(packed.body)
            return _Rows(minutes.signal.astype(np.int64), minutes.start, minutes.start + MINUTE - 1)
        findings, _ = decode_findings(packed.body)
        key = [self.origins.key_of.get(str(told["signal_id"]), -1) for told in findings]
        span = [(int(told["started_at"]), _ended(told)) for told in findings]
        times = np.array(span, np.int64).reshape(-1, 2)
        return _Rows(np.array(key, np.int64), times[:, 0], times[:, 1])

    def _judged(self, rows: _Rows) -> tuple[_Mask, _Mask]:
        """(told by a partner, not to be known yet)."""
        missed = self._missed(rows)
        undecided = (rows.last > self.horizon) & ~missed
        return self._covered(rows) & ~missed & ~undecided, undecided

    def _covered(self, rows: _Rows) -> _Mask:
        """Of what is told by the device's time we rather tell a little twice."""
        late = np.where(self._polled(rows.key), 0, MARGIN_US)
        inside = np.zeros(len(rows.key), np.bool_)
        for start, end in self.covered:
            inside |= (rows.first >= start) & (rows.last <= end - late)
        return inside

    def _missed(self, rows: _Rows) -> _Mask:
        known = (rows.key >= 0) & (rows.key < len(self.origins.source))
        source = np.where(known, self.origins.source[np.where(known, rows.key, 0)], -1)
        found = np.zeros(len(rows.key), np.bool_)
        place = {name: at for at, name in enumerate(self.origins.names)}
        first, last = int(rows.first.min(initial=_NEVER)), int(rows.last.max(initial=-_NEVER))
        for name, start, end in self.missed:
            if name in place and start < last and first < end:
                found |= (source == place[name]) & (rows.last > start) & (rows.first < end)
        return found

    def _polled(self, key: NDArray[np.int64]) -> _Mask:
        known = (key >= 0) & (key < len(self.origins.polled))
        polled: _Mask = known & self.origins.polled[np.where(known, key, 0)]
        return polled


def _last(packed: Packed) -> int:
    return packed.last_time + (MINUTE - 1 if packed.kind is ParcelKind.MINUTES else 0)


def _ended(finding: dict[str, Any]) -> int:
    return int(finding.get("ended_at") or finding["last_at"])


def _without(packed: Packed, told: _Mask) -> Share:
    gone = int(told.sum())
    if not gone and len(told):
        return Share(0, packed)
    if gone == len(told):
        return Share(readings_in(packed.kind, packed.rows), None)
    return Share(readings_in(packed.kind, gone), _rest(packed, ~told))


def _rest(packed: Packed, stays: _Mask) -> Packed:
    if packed.kind is ParcelKind.FINDINGS:
        findings, _ = decode_findings(packed.body)
        left = [told for told, ours in zip(findings, stays.tolist(), strict=True) if ours]
        first, last = min(int(told["started_at"]) for told in left), max(_ended(told) for told in left)
        return Packed(packed.kind, packed.urgency, len(left), first, last, encode_told_findings(left))
    if packed.kind is ParcelKind.MINUTES:
        minutes = decode_minutes(packed.body).take(stays)
        first, last = int(minutes.start.min()), int(minutes.start.max())
        return Packed(packed.kind, packed.urgency, len(minutes), first, last, encode_minutes(minutes))
    before = decode_readings(packed.body)
    rows = Series(before.signal[stays], before.time[stays], before.value[stays], before.quality[stays])
    first, last = int(rows.time.min()), int(rows.time.max())
    return Packed(packed.kind, packed.urgency, len(rows), first, last, encode_readings(rows))
