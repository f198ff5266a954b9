"""A machine behind a gateway that thins is learned from the stretches that the gateway sent whole: what is between them
lacks the noise that the gateway scores."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Final

import numpy as np

from forewarn.contracts.gateway_store import GatewayStore
from forewarn.contracts.historian_reads import Keys
from forewarn.contracts.raw_ring import Recollection
from forewarn.domain.errors import NotEnoughData
from forewarn.domain.gateways import Reduction
from forewarn.domain.model_versions import Span
from forewarn.domain.series import Series
from forewarn.jobs.training.lesson import TrainingSettings
from forewarn.kit.clock import HOUR, MINUTE, SECOND
from forewarn.policies.healthy_spans import stretches
from forewarn.policies.whole_stretches import WholeStretches, in_both

LEAST_ROWS: Final = 300
# Where a gateway's disk was full the first, least and greatest reading of a signal are left of a minute, later of ten.
_LEFT: Final = 3
_MERGED: Final = (MINUTE, 10 * MINUTE)
_TOGETHER_US: Final = 6 * HOUR  # between stretches there is little
_STEPS_TO_TELL: Final = 8  # in less time there are no more of them anyway


@dataclass(frozen=True, slots=True)
class Sender:
    """A gateway that collects signals of a machine. signals: those, by id. reductions: as it told them."""

    gateway: str
    signals: tuple[str, ...]
    reductions: tuple[Reduction, ...]


Senders = Callable[[Sequence[str]], Sequence[Sender]]


def senders_of(store: GatewayStore) -> Senders:
    """Which gateways collect any of these signals; none where the site reads them all itself."""

    def found(signals: Sequence[str]) -> list[Sender]:
        asked = frozenset(signals)
        told = []
        for record in store.gateways():
            mine = tuple(name for name in record.scored if name in asked)
            if mine:
                told.append(Sender(record.name, mine, () if record.status is None else record.status.reductions))
        return told

    return found


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
    keys: Keys,
    step_us: int,
    context: int,
    settings: TrainingSettings,
) -> WholePast:
    """The healthy past of a machine that `senders` collect. looked_at: of the past. keys: of its signals, ascending.
    context: rows before a row that its score depends on. Raises NotEnoughData, which says what the gateways leave
    out."""
    spans = list(healthy)
    for sender in senders:
        spans = in_both(spans, _whole_spans(sender, asset_id, looked_at))
    thinning = [(s, r) for s in senders for r in _within(s.reductions, looked_at) if _thins(r, s.signals)]
    if not thinning and all(sender.reductions for sender in senders):
        length_us = settings.stretch_rows * step_us
        return WholePast(tuple(stretches(spans, length_us, settings.most_stretches)), past, settings)
    rows = max((r.whole_s for _, r in thinning), default=0) * SECOND // step_us
    least = -(-LEAST_ROWS // max(rows - context, 1))
    if rows <= context:
        raise NotEnoughData(_too_short(senders, rows, step_us, context))
    found = stretches(_on_grid(spans, step_us), rows * step_us, max(settings.most_rows // (rows - context), 1))
    read = _Stretches(past, keys, found)
    parts = [part for part in found if is_whole(read.raw(keys, part.start, part.end), part, step_us)]
    if len(parts) < least:
        raise NotEnoughData(_too_few(senders, len(parts), len(found) - len(parts), least))
    regimes = replace(settings.machine.regimes, settled_at_breaks=True)
    settings = replace(settings, stretch_rows=rows, machine=replace(settings.machine, regimes=regimes))
    names = " and ".join(s.gateway for s in senders)
    note = f"Learned from {len(parts)} whole stretches of {rows * step_us / SECOND:g} s that gateway {names} sent."
    return WholePast(tuple(parts), read, settings, note)


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
        start, end = max(told.since, looked_at.start), min(end, looked_at.end)
        if start >= end:
            continue
        if not _thins(told, sender.signals):
            spans.append(Span(start, end))
            continue
        slots = WholeStretches(told.whole_s, told.whole_every_s).spans(asset_id, start, end)
        spans += [slot for slot in slots if slot.start >= start and slot.end <= end]
    return spans


def _within(reductions: Sequence[Reduction], looked_at: Span) -> list[Reduction]:
    """Those that held in it at some time."""
    ends = [*(r.since for r in reductions[1:]), looked_at.end]
    return [r for r, end in zip(reductions, ends, strict=False) if r.since < looked_at.end and end > looked_at.start]


def _thins(told: Reduction, signals: Sequence[str]) -> bool:
    """Any of these signals."""

    def thinned(signal: str) -> bool:
        return next((t for pattern, t in reversed(told.thinned) if fnmatchcase(signal, pattern)), True)

    return any(thinned(signal) for signal in signals)


def _on_grid(spans: Sequence[Span], step_us: int) -> list[Span]:
    """Whole steps alone."""
    cut = [Span(-(-s.start // step_us) * step_us, s.end // step_us * step_us) for s in spans]
    return [span for span in cut if span.end > span.start]


def _silent(senders: Sequence[Sender]) -> str | None:
    """Who sends nothing whole, in words."""
    for sender in senders:
        if not sender.reductions:
            return (
                f"gateway {sender.gateway} does not say what it leaves out of this machine's readings: it is of an "
                "older version, so upgrade it; the days since then can be learned from"
            )
        last = sender.reductions[-1]
        if _thins(last, sender.signals) and not last.whole_s:
            return (
                f"gateway {sender.gateway} thins this machine and sends no stretch of it whole: set whole_s in its "
                "[gateway.thin] (90 is usual)"
            )
    return None


def _too_short(senders: Sequence[Sender], rows: int, step_us: int, context: int) -> str:
    step_s = step_us / SECOND
    return _silent(senders) or (
        f"{_sends(senders)}: that is {rows} rows of {step_s:g} s, and each is judged by the {context} before it: set "
        f"whole_s to {round((context + 60) * step_s)} or more, as far as whole_every_s allows, or method to none"
    )


def _too_few(senders: Sequence[Sender], found: int, early: int, least: int) -> str:
    thinned = f" ({early} more hold next to nothing: the gateway was off, or its disk was full)" if early else ""
    return _silent(senders) or (
        f"{_sends(senders)}: {found} healthy ones so far{thinned}, {least} are the least. Wait, or for some days set "
        "whole_every_s lower or whole_s higher in its [gateway.thin], or method to none"
    )


def _sends(senders: Sequence[Sender]) -> str:
    told = []
    for sender in senders:
        last = sender.reductions[-1]
        if _thins(last, sender.signals):
            stretch = f"a whole stretch of {last.whole_s} s every {last.whole_every_s / 60:g} min"
            told.append(f"gateway {sender.gateway} thins this machine and sends {stretch}")
        else:
            told.append(f"gateway {sender.gateway} thinned this machine until lately")
    return ", ".join(told)
