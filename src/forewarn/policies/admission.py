"""What becomes of each reading at the door: pure, columnar, no clock of its own.

| rule, first that fits                                         | verdict   | reason                |
|---------------------------------------------------------------|-----------|-----------------------|
| the translator already named a reason                         | rejected  | that reason           |
| key 0 or not in the plant                                     | rejected  | unknown_signal        |
| NaN or infinite, and the quality is not bad                   | rejected  | not_finite            |
| time <= 0                                                     | rejected  | time_negative         |
| time beyond now + allowance                                   | rejected  | time_in_future        |
| time before what is kept (keep_raw_days)                      | rejected  | time_beyond_retention |
| a later row of the batch has the same (signal, time)          | duplicate | repeated_in_batch     |
| same time, value and quality as the latest                    | duplicate | already_stored        |
| same time as the latest, another value or quality             | late      | corrects_stored       |
| older than the latest                                         | late      | older_than_latest     |

Two things are changed in what is stored, and nothing else: an infinite value of bad quality becomes NaN (the
one way to say "no value"), and a good value outside the instrument's range gets the quality Uncertain,
EngineeringUnitsExceeded, keeping the code's lower 16 bits (the value stays; a source that says uncertain or bad
itself is left alone).
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.readings import ReadingBatch
from forewarn.domain.series import Series
from forewarn.domain.signal_table import SignalTable
from forewarn.domain.status import is_bad, is_good
from forewarn.domain.verdicts import REASONS, Reason, Verdict, Verdicts
from forewarn.policies.row_order import by_signal, by_signal_and_time

FUTURE_US: Final = 5 * 60 * 1_000_000
UNCERTAIN_OUT_OF_RANGE: Final = 0x4094_0000
NEVER: Final = np.iinfo(np.int64).min
_CODE: Final = {reason: np.uint8(i) for i, reason in enumerate(REASONS)}
_LOW_BITS: Final = np.uint32(0xFFFF)


class LatestValues:
    """The newest reading of each signal, indexed by key; time is NEVER where there is none.

    time: int64, value: float64, quality: uint32, each of length `size`."""

    def __init__(self, size: int = 0) -> None:
        self.time = np.full(size, NEVER, np.int64)
        self.value = np.full(size, np.nan)
        self.quality = np.zeros(size, np.uint32)

    def grow(self, size: int) -> None:
        """Make room for keys below `size`; never shrinks."""
        if (more := size - len(self.time)) > 0:
            self.time = np.concatenate([self.time, np.full(more, NEVER, np.int64)])
            self.value = np.concatenate([self.value, np.full(more, np.nan)])
            self.quality = np.concatenate([self.quality, np.zeros(more, np.uint32)])

    def at(self, keys: NDArray[np.int32]) -> Series:
        """What stands there now (a copy), NEVER rows included."""
        return Series(keys, self.time[keys], self.value[keys], self.quality[keys])

    def newer(self, rows: Series) -> Series:
        """Those of `rows` (one per key) that are not older than what stands there."""
        mask = rows.time >= self.time[rows.signal]
        if mask.all():
            return rows
        return Series(rows.signal[mask], rows.time[mask], rows.value[mask], rows.quality[mask])

    def put(self, rows: Series) -> None:
        """Overwrite; one row per key."""
        self.time[rows.signal] = rows.time
        self.value[rows.signal] = rows.value
        self.quality[rows.signal] = rows.quality


@dataclass(frozen=True, slots=True, eq=False)
class Admission:
    """verdicts: in the sender's order. stored: the rows to keep, normalised, in the sender's order.
    newest: of the stored rows the newest of each signal, ordered by signal; not always newer than the latest.
    repeats: signal keys of the rows called already_stored; empty in most batches."""

    verdicts: Verdicts
    stored: ReadingBatch
    newest: Series
    repeats: NDArray[np.int32]


def admit(
    batch: ReadingBatch,
    reason: NDArray[np.uint8] | None,
    table: SignalTable,
    latest: LatestValues,
    now_us: int,
    future_us: int = FUTURE_US,
    kept_from_us: int = 0,
) -> Admission:
    """Judge every row; see the module's table. `latest` covers `table.size` keys and is not changed.

    reason: uint8[n], index into REASONS, != 0 where the translator rejected the row; or None."""
    span = (max(1, kept_from_us), now_us + future_us)
    if len(batch) and _plainly_sound(batch, reason, table, span):
        sound = _in_range(batch, table)
        if (newest := _newest_of_forward_rows(sound, latest)) is not None:
            n = len(batch)
            verdicts = Verdicts(np.zeros(n, np.uint8), np.zeros(n, np.uint8))
            return Admission(verdicts, sound, newest, np.empty(0, np.int32))
    return _admit_with_care(batch, reason, table, latest, span)


def _plainly_sound(
    batch: ReadingBatch, reason: NDArray[np.uint8] | None, table: SignalTable, span: tuple[int, int]
) -> bool:
    """Whether no row is rejected. A few reductions: the way nearly every batch goes."""
    return bool(
        (reason is None or not reason.any())
        and batch.time.min() >= span[0]
        and batch.time.max() <= span[1]
        and batch.signal.max() < table.size
        and batch.signal.min() > 0
        and table.known[batch.signal].all()
        and np.isfinite(batch.value).all()
    )


def _in_range(batch: ReadingBatch, table: SignalTable) -> ReadingBatch:
    """Good values outside the instrument's range marked uncertain; NaN limits compare false."""
    outside = (batch.value < table.range_low[batch.signal]) | (batch.value > table.range_high[batch.signal])
    if not outside.any():
        return batch
    quality = batch.quality
    marked = np.uint32(UNCERTAIN_OUT_OF_RANGE) | (quality & _LOW_BITS)
    return _with(batch, quality=np.where(outside & is_good(quality), marked, quality))


def _newest_of_forward_rows(batch: ReadingBatch, latest: LatestValues) -> Series | None:
    """The last row of each signal, when time strictly rises within each signal and from its latest; else None."""
    order = by_signal(batch.signal)
    signal, time = (batch.signal, batch.time) if order is None else (batch.signal[order], batch.time[order])
    changes = np.not_equal(signal[1:], signal[:-1])
    if not (changes | (time[1:] > time[:-1])).all():
        return None
    starts = np.concatenate(([0], np.flatnonzero(changes) + 1))
    keys = signal[starts]
    if not (time[starts] > latest.time[keys]).all():
        return None
    ends = np.append(starts[1:], len(signal)) - 1
    rows = ends if order is None else order[ends]
    return Series(keys, time[ends], batch.value[rows], batch.quality[rows])


def _admit_with_care(
    batch: ReadingBatch,
    reason: NDArray[np.uint8] | None,
    table: SignalTable,
    latest: LatestValues,
    span: tuple[int, int],
) -> Admission:
    why = _reject(batch, reason, table, span)
    sound = why == 0
    rows = np.flatnonzero(sound)
    kept = _in_range(_without_infinities(batch.take(rows)), table)
    verdict = np.where(sound, Verdict.ACCEPTED, Verdict.REJECTED).astype(np.uint8)
    repeated = _repeated(kept)
    moment, before = latest.time[kept.signal], ~repeated
    at_latest = before & np.equal(kept.time, moment)
    same = at_latest & _same_as(kept, latest)
    for mask, what, named in (
        (repeated, Verdict.DUPLICATE, Reason.REPEATED_IN_BATCH),
        (before & (kept.time < moment), Verdict.LATE, Reason.OLDER_THAN_LATEST),
        (at_latest, Verdict.LATE, Reason.CORRECTS_STORED),
        (same, Verdict.DUPLICATE, Reason.ALREADY_STORED),
    ):
        verdict[rows[mask]] = what
        why[rows[mask]] = _CODE[named]
    stored = kept.take(verdict[rows] <= Verdict.LATE)
    return Admission(Verdicts(verdict, why), stored, _newest(stored), kept.signal[same])


def _reject(
    batch: ReadingBatch, reason: NDArray[np.uint8] | None, table: SignalTable, span: tuple[int, int]
) -> NDArray[np.uint8]:
    """Reason code per row, 0 = sound. Written from the last rule to the first, so that the first wins."""
    why = np.zeros(len(batch), np.uint8)
    why[batch.time < span[0]] = _CODE[Reason.TIME_BEYOND_RETENTION]
    why[batch.time > span[1]] = _CODE[Reason.TIME_IN_FUTURE]
    why[batch.time <= 0] = _CODE[Reason.TIME_NEGATIVE]
    why[~np.isfinite(batch.value) & ~is_bad(batch.quality)] = _CODE[Reason.NOT_FINITE]
    inside = (batch.signal > 0) & (batch.signal < table.size)
    why[~(inside & table.known[np.where(inside, batch.signal, 0)])] = _CODE[Reason.UNKNOWN_SIGNAL]
    return why if reason is None else np.where(reason != 0, reason, why)


def _without_infinities(batch: ReadingBatch) -> ReadingBatch:
    infinite = np.isinf(batch.value)
    return _with(batch, value=np.where(infinite, np.nan, batch.value)) if infinite.any() else batch


def _repeated(batch: ReadingBatch) -> NDArray[np.bool_]:
    """True where a later row has the same (signal, time)."""
    order = by_signal_and_time(batch.signal, batch.time)
    signal, time = (batch.signal, batch.time) if order is None else (batch.signal[order], batch.time[order])
    in_order = np.zeros(len(batch), np.bool_)
    in_order[:-1] = np.equal(signal[1:], signal[:-1]) & np.equal(time[1:], time[:-1])
    if order is None:
        return in_order
    repeated = np.empty_like(in_order)
    repeated[order] = in_order
    return repeated


def _same_as(batch: ReadingBatch, latest: LatestValues) -> NDArray[np.bool_]:
    """Value (NaN equals NaN) and quality equal to the latest's."""
    stored = latest.value[batch.signal]
    equal: NDArray[np.bool_] = np.equal(batch.value, stored) | (np.isnan(batch.value) & np.isnan(stored))
    return equal & np.equal(batch.quality, latest.quality[batch.signal])


def _newest(stored: ReadingBatch) -> Series:
    order = by_signal_and_time(stored.signal, stored.time)
    rows = np.arange(len(stored)) if order is None else order
    signal = stored.signal[rows]
    last = np.ones(len(stored), np.bool_)
    last[:-1] = np.not_equal(signal[1:], signal[:-1])
    rows = rows[last]
    return Series(stored.signal[rows], stored.time[rows], stored.value[rows], stored.quality[rows])


def _with(batch: ReadingBatch, **columns: NDArray[Any]) -> ReadingBatch:
    return ReadingBatch(
        batch.signal,
        batch.time,
        columns.get("value", batch.value),
        columns.get("quality", batch.quality),
        batch.gateway,
        batch.sequence,
    )
