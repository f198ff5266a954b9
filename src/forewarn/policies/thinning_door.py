"""Deadband and swinging door over all signals at once: the i-th reading of every signal in one step.

Swinging door: Bristol, "Swinging door trending", ISA 1990; here a reading is held only if the line to it from the last
kept one passes all in between within the error, which makes the bound hold for each of them."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.status import is_good

Bools = NDArray[np.bool_]
FIELDS: Final = (
    ("kept_time", "<i8"),
    ("kept_value", "<f8"),
    ("last_time", "<i8"),
    ("last_value", "<f8"),
    ("low", "<f8"),
    ("high", "<f8"),
    ("quality", "<u4"),
    ("begun", "?"),
    ("held", "?"),
)


@dataclass(slots=True, eq=False)
class Doors:
    """Columns of the signals at work. (kept_time, kept_value): the last kept reading. (last_time, last_value): the
    newest seen, which is in hand where `held`. low, high: slopes the line from the last kept reading may have."""

    kept_time: NDArray[np.int64]
    kept_value: NDArray[np.float64]
    last_time: NDArray[np.int64]
    last_value: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    quality: NDArray[np.uint32]
    begun: Bools
    held: Bools

    def first(self, n: int) -> "Doors":
        """Views of the first n."""
        return Doors(*(getattr(self, name)[:n] for name, _ in FIELDS))


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """One reading of each signal."""

    time: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.uint32]


@dataclass(frozen=True, slots=True, eq=False)
class Bounds:
    """As in ThinPlan. lines: where the line between kept readings counts (swinging door), else the last kept one."""

    error: NDArray[np.float64]
    relative: NDArray[np.float64]
    max_gap_us: NDArray[np.int64]
    lines: Bools

    def first(self, n: int) -> "Bounds":
        return Bounds(self.error[:n], self.relative[:n], self.max_gap_us[:n], self.lines[:n])


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """keep: the row is kept as it is. release: what was in hand is kept, `held` is it."""

    keep: Bools
    release: Bools
    held: Rows


def step(doors: Doors, rows: Rows, bounds: Bounds, forced: Bools) -> Step:
    """Take one reading of each signal; `doors` is changed. forced: rows that are kept whatever the doors say."""
    usable = is_good(rows.quality) & np.isfinite(rows.value)
    late = doors.begun & (rows.time <= doors.last_time)
    like = usable & doors.begun & (rows.quality == doors.quality) & np.isfinite(doors.kept_value)
    anew = ~(late | (like & ~forced))
    going = ~(late | anew)
    gap = rows.time - doors.kept_time > bounds.max_gap_us
    with np.errstate(all="ignore"):
        rise = rows.value - doors.kept_value
        span = (rows.time - doors.kept_time).astype(np.float64)
        slope = rise / span
        error = _error(doors, bounds)
        outside = np.where(bounds.lines, (slope < doors.low) | (slope > doors.high), np.abs(rise) > error)
    ends = going & (gap | outside)
    held = Rows(doors.last_time.copy(), doors.last_value.copy(), doors.quality.copy())
    release = doors.held & (ends | anew)
    kept_before = release & going
    np.copyto(doors.kept_time, doors.last_time, where=kept_before)
    np.copyto(doors.kept_value, doors.last_value, where=kept_before)
    # From what was just released the row may be near enough to be held in its turn.
    far = rows.time - doors.kept_time > bounds.max_gap_us
    keep = late | anew | (ends & (~kept_before | far))
    hold = going & ~keep & bounds.lines
    _move(doors, rows, bounds, keep & ~late, hold, kept_before, late)
    return Step(keep, release, held)


def _error(doors: Doors, bounds: Bounds) -> NDArray[np.float64]:
    own = np.isnan(bounds.error)
    if not own.any():
        return bounds.error
    return np.where(own, bounds.relative * np.abs(doors.kept_value), bounds.error)


def _move(doors: Doors, rows: Rows, bounds: Bounds, kept: Bools, hold: Bools, kept_before: Bools, late: Bools) -> None:
    np.copyto(doors.kept_time, rows.time, where=kept)
    np.copyto(doors.kept_value, rows.value, where=kept)
    opened = kept | kept_before
    np.copyto(doors.low, -np.inf, where=opened)
    np.copyto(doors.high, np.inf, where=opened)
    seen = ~late
    np.copyto(doors.last_time, rows.time, where=seen)
    np.copyto(doors.last_value, rows.value, where=seen)
    np.copyto(doors.quality, rows.quality, where=seen)
    np.copyto(doors.held, hold, where=seen)
    doors.begun[:] = True
    if hold.any():
        with np.errstate(all="ignore"):
            error = _error(doors, bounds)
            rise = rows.value - doors.kept_value
            span = (rows.time - doors.kept_time).astype(np.float64)
            np.copyto(doors.low, np.maximum(doors.low, (rise - error) / span), where=hold)
            np.copyto(doors.high, np.minimum(doors.high, (rise + error) / span), where=hold)


def empty(size: int) -> NDArray[Any]:
    """The state of `size` signals that nothing was heard of."""
    return np.zeros(size, np.dtype(list(FIELDS)))
