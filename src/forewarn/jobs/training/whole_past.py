"""A machine behind a gateway that thins is learned from the stretches that the gateway sent whole: what is between them
lacks the noise that the gateway scores."""

import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Final

import numpy as np

from forewarn.contracts.gateway_store import GatewayStore
from forewarn.contracts.historian_reads import Keys
from forewarn.contracts.raw_ring import Recollection
from forewarn.domain.assets import Signal
from forewarn.domain.errors import NotEnoughData
from forewarn.domain.gateways import Reduction
from forewarn.domain.model_versions import Span
from forewarn.domain.series import Series
from forewarn.jobs.training.healthy_past import length
from forewarn.jobs.training.lesson import TrainingSettings
from forewarn.kit.clock import HOUR, MINUTE, SECOND, to_rfc3339
from forewarn.policies.healthy_spans import stretches
from forewarn.policies.read_fully import FULL, share_read
from forewarn.policies.whole_stretches import WholeStretches, in_both

LEAST_ROWS: Final = 300
# Where a gateway's disk was full the first, least and greatest reading of a signal are left of a minute, later of ten.
_LEFT: Final = 3
_MERGED: Final = (MINUTE, 10 * MINUTE)
_FOR_EVER: Final = 1 << 62
_AFTERWARDS_US: Final = HOUR  # clocks differ, and the last readings may come after the last heartbeat
_TOGETHER_US: Final = 6 * HOUR  # between stretches there is little
_STEPS_TO_TELL: Final = 8  # in less time there are no more of them anyway


@dataclass(frozen=True, slots=True)
class Sender:
    """A gateway that collects signals of a machine. signals: those, by id. reductions: as it told them. until: readings
    from then on (source time, microseconds UTC) are not its own, as it was not heard of any more."""

    gateway: str
    signals: tuple[str, ...]
    reductions: tuple[Reduction, ...]
    until: int = _FOR_EVER


Senders = Callable[[Sequence[str]], Sequence[Sender]]


def senders_of(store: GatewayStore) -> Senders:
    """Which gateways collect any of these signals; none where the site reads them all itself."""

    def found(signals: Sequence[str]) -> list[Sender]:
        asked = frozenset(signals)
        told = []
        for record in store.gateways():
            mine = tuple(name for name in record.scored if name in asked)
            if mine:
                reductions = () if record.status is None else record.status.reductions
                until = _FOR_EVER if record.last_seen is None else record.last_seen + _AFTERWARDS_US
                told.append(Sender(record.name, mine, reductions, until))
        return told

    return found


def thins_any(senders: Sequence[Sender], span: Span) -> bool:
    """Whether any of them left out some of what it read in the span, or does not say."""

    def thins(sender: Sender) -> bool:
        is_known = bool(sender.reductions) and sender.reductions[0].since <= span.start
        return not is_known or any(_thins(told, sender.signals) for told in _within(sender, span))

    return any(thins(sender) for sender in senders if sender.until > span.start)


@dataclass(frozen=True, slots=True)
class WholePast:
    """parts: to be learned from, as `stretches` gives them. past: where their readings are found; they are read once.
    settings: those that fit such parts. note: for the model's card."""

    parts: tuple[Span, ...]
    past: Recollection
    settings: TrainingSettings
    note: str = ""


def whole_past(
    senders: Sequence[Sender],
    past: Recollection,
    asset_id: str,
    healthy: Sequence[Span],
    looked_at: Span,
    signals: Sequence[Signal],
    step_us: int,
    context: int,
    settings: TrainingSettings,
) -> WholePast:
    """The healthy past of a machine that `senders` collect. looked_at: of the past. signals: its own. context: rows
    before a row that its score depends on. Raises NotEnoughData, which says what the gateways leave out."""
    senders = [sender for sender in senders if sender.until > looked_at.start]
    spans = list(healthy)
    for sender in senders:
        spans = in_both(spans, _whole_spans(sender, asset_id, looked_at))
    thinning = [told for s in senders for told in _within(s, looked_at) if told.whole_s and _thins(told, s.signals)]
    if not thinning:
        if senders and length(spans) < LEAST_ROWS * step_us:
            raise NotEnoughData(_too_new(senders, looked_at.end, length(spans), LEAST_ROWS * step_us))
        length_us = settings.stretch_rows * step_us
        return WholePast(tuple(stretches(spans, length_us, settings.most_stretches)), past, settings)
    grid = _on_grid(spans, step_us)
    rows = _best_length(grid, {told.whole_s * SECOND // step_us for told in thinning}, step_us, context)
    least = -(-LEAST_ROWS // max(rows - context, 1))
    if rows <= context:
        raise NotEnoughData(_too_short(senders, looked_at.end, rows, step_us, context))
    found = stretches(grid, rows * step_us, max(settings.most_rows // (rows - context), 1))
    keys = np.array(sorted(signal.key for signal in signals), np.int32)
    read = _Stretches(past, keys, found)
    parts = _whole_parts([(part, read.raw(keys, part.start, part.end)) for part in found], signals, step_us)
    if len(parts) < least:
        raise NotEnoughData(_too_few(senders, looked_at.end, len(parts), len(found) - len(parts), least))
    regimes = replace(settings.machine.regimes, settled_at_breaks=True)
    settings = replace(settings, stretch_rows=rows, machine=replace(settings.machine, regimes=regimes))
    names = " and ".join(s.gateway for s in senders if s.until > parts[0].start)
    note = f"Learned from {len(parts)} whole stretches of {rows * step_us / SECOND:g} s that gateway {names} sent."
    return WholePast(tuple(parts), read, settings, note)


def _best_length(grid: Sequence[Span], lengths: Collection[int], step_us: int, context: int) -> int:
    """Rows of a stretch: of which most can be judged, as gateways, and settings of different days, differ."""

    def judged(rows: int) -> int:
        parts = stretches(grid, rows * step_us, sys.maxsize)
        return sum(max((part.end - part.start) // step_us - context, 0) for part in parts)

    return max(sorted(lengths, reverse=True), key=judged)


def _whole_parts(found: Sequence[tuple[Span, Series]], signals: Sequence[Signal], step_us: int) -> list[Span]:
    """Also not those that hold less than the signals' rates would give: an asset that was renamed has its stretches
    elsewhere. Where none ever holds so much, its signals are told as they change, and the rates are no word on it."""
    rates = {signal.key: signal.rate_hz for signal in signals}
    shares = [share_read(read, rates, part.end - part.start) for part, read in found]
    is_telling = any(share is not None and share >= FULL for share in shares)
    return [
        part
        for (part, read), share in zip(found, shares, strict=True)
        if is_whole(read, part, step_us) and (not is_telling or share is None or share >= FULL)
    ]


def is_whole(read: Series, span: Span, step_us: int) -> bool:
    """Whether readings of a stretch are all that were made, as far as anyone can tell: not three of each signal and
    minute. One that speaks so seldom by itself says little of the machine, and is no loss."""
    return len(read) > 0 and all(_is_dense(read, span, step_us, merged_us) for merged_us in _MERGED)


def _is_dense(read: Series, span: Span, step_us: int, merged_us: int) -> bool:
    number = read.time // merged_us
    begun = np.flatnonzero((np.diff(number, prepend=-1) != 0) | (np.diff(read.signal, prepend=-1) != 0))
    count = np.diff(begun, append=len(number))
    numbers, at = np.unique(number[begun], return_inverse=True)
    most = np.zeros(len(numbers), np.int64)
    np.maximum.at(most, at, count)
    length = np.minimum((numbers + 1) * merged_us, span.end) - np.maximum(numbers * merged_us, span.start)
    telling = length >= max(_STEPS_TO_TELL * step_us, min(3 * merged_us // 4, int(length.max())))
    return bool((most[telling] > _LEFT).all())


class _Stretches:
    """Recollection of the readings of some spans: many short ones are read together, and once."""

    def __init__(self, past: Recollection, keys: Keys, spans: Sequence[Span]) -> None:
        self._past, self._keys = past, keys
        self._read: dict[tuple[int, int], Series] = {}
        together: list[Span] = []
        for span in spans:
            if together and span.end - together[0].start > _TOGETHER_US:
                self._take(together)
                together = []
            together.append(span)
        if together:
            self._take(together)

    def _take(self, spans: Sequence[Span]) -> None:
        read = self._past.raw(self._keys, spans[0].start, spans[-1].end)
        for span in spans:
            rows = np.flatnonzero((read.time >= span.start) & (read.time < span.end))
            found = Series(read.signal[rows], read.time[rows], read.value[rows], read.quality[rows])
            self._read[span.start, span.end] = found

    def latest(self, signals: Keys) -> Series:
        return self._past.latest(signals)

    def raw(self, signals: Keys, start: int, end: int, limit: int | None = None) -> Series:
        known = self._read.get((start, end)) if limit is None and np.array_equal(signals, self._keys) else None
        return self._past.raw(signals, start, end, limit) if known is None else known


def _whole_spans(sender: Sender, asset_id: str, looked_at: Span) -> list[Span]:
    """Ascending, disjoint. What was before the gateway said anything is not known to be whole."""
    spans: list[Span] = []
    ends = [*(r.since for r in sender.reductions[1:]), looked_at.end]
    for told, end in zip(sender.reductions, ends, strict=False):
        start, end = max(told.since, looked_at.start), min(end, looked_at.end, sender.until)
        if start >= end:
            continue
        if not _thins(told, sender.signals):
            spans.append(Span(start, end))
            continue
        slots = WholeStretches(told.whole_s, told.whole_every_s).spans(asset_id, start, end)
        spans += [slot for slot in slots if slot.start >= start and slot.end <= end]
    if sender.until < looked_at.end:
        spans.append(Span(max(sender.until, looked_at.start), looked_at.end))
    return spans


def _within(sender: Sender, looked_at: Span) -> list[Reduction]:
    """Of its reductions, those that held in it at some time."""
    ends, last = [*(r.since for r in sender.reductions[1:]), looked_at.end], min(sender.until, looked_at.end)
    told = zip(sender.reductions, ends, strict=False)
    return [r for r, end in told if r.since < last and end > looked_at.start]


def _thins(told: Reduction, signals: Sequence[str]) -> bool:
    """Any of these signals."""

    def thinned(signal: str) -> bool:
        return next((t for pattern, t in reversed(told.thinned) if fnmatchcase(signal, pattern)), True)

    return any(thinned(signal) for signal in signals)


def _on_grid(spans: Sequence[Span], step_us: int) -> list[Span]:
    """Whole steps alone."""
    cut = [Span(-(-s.start // step_us) * step_us, s.end // step_us * step_us) for s in spans]
    return [span for span in cut if span.end > span.start]


def _silent(senders: Sequence[Sender], end: int) -> str | None:
    """Who sends nothing whole now, in words."""
    for sender in senders:
        if sender.until < end:
            continue
        if not sender.reductions:
            return (
                f"gateway {sender.gateway} does not say what it leaves out of this machine's readings: it is of an "
                "older version, so upgrade it, or retire it on its page where it is no more; the days since then can "
                "be learned from"
            )
        last = sender.reductions[-1]
        if _thins(last, sender.signals) and not last.whole_s:
            return (
                f"gateway {sender.gateway} thins this machine and sends no stretch of it whole: set whole_s in its "
                "[gateway.thin] (90 is usual)"
            )
    return None


def _too_short(senders: Sequence[Sender], end: int, rows: int, step_us: int, context: int) -> str:
    step_s = step_us / SECOND
    return _silent(senders, end) or (
        f"{_sends(senders, end)}: that is {rows} rows of {step_s:g} s, and each is judged by the {context} before it: "
        f"set whole_s to {round((context + 60) * step_s)} or more, as far as whole_every_s allows, or method to none"
    )


def _too_few(senders: Sequence[Sender], end: int, found: int, early: int, least: int) -> str:
    thinned = (
        f" ({early} more hold next to nothing, or a part: the gateway was off, its disk was full, or the asset had "
        "another id there)"
        if early
        else ""
    )
    return _silent(senders, end) or (
        f"{_sends(senders, end)}: {found} healthy ones so far{thinned}, {least} are the least. Wait, or for some days "
        "set whole_every_s lower or whole_s higher in its [gateway.thin], or method to none"
    )


def _too_new(senders: Sequence[Sender], end: int, found_us: int, least_us: int) -> str:
    return _silent(senders, end) or (
        f"{_sends(senders, end)}: {found_us // MINUTE} minutes of health so far of which it is known that nothing was "
        f"left out, {-(-least_us // MINUTE)} are the least; wait"
    )


def _sends(senders: Sequence[Sender], end: int) -> str:
    told = []
    for sender in senders:
        last = sender.reductions[-1] if sender.reductions else None
        if sender.until < end:
            heard = to_rfc3339(sender.until - _AFTERWARDS_US)
            told.append(
                f"gateway {sender.gateway} was last heard of at {heard} and counts until then (where another took its "
                "place, retire it on its page)"
            )
        elif last is not None and _thins(last, sender.signals):
            stretch = f"a whole stretch of {last.whole_s} s every {last.whole_every_s / 60:g} min"
            told.append(f"gateway {sender.gateway} thins this machine and sends {stretch}")
        elif last is not None:
            since = to_rfc3339(last.since)
            told.append(f"gateway {sender.gateway} leaves out nothing of this machine, which is known since {since}")
    return ", ".join(told)
