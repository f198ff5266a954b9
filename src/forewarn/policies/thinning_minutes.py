"""Statistics of each signal's open minute, exact, merged batch by batch (Chan, Golub, LeVeque 1983)."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.readings import ReadingBatch
from forewarn.domain.series import Aggregates
from forewarn.domain.status import is_good

MINUTE: Final = 60_000_000
FIELDS: Final = (
    ("start", "<i8"),
    ("last_time", "<i8"),
    ("mean", "<f8"),
    ("squares", "<f8"),
    ("minimum", "<f8"),
    ("maximum", "<f8"),
    ("count", "<u4"),
    ("good", "<u4"),
    ("raw", "<u4"),
)
State = NDArray[Any]


def empty(size: int) -> State:
    """By signal. start: of the open minute, microseconds; what is older is late. raw: readings of the open minute that
    were kept as they are."""
    state = np.zeros(size, np.dtype(list(FIELDS)))
    state["start"] = np.iinfo(np.int64).min
    return state


def none() -> Aggregates:
    whole, real = np.zeros(0, np.int64), np.zeros(0)
    return Aggregates(np.zeros(0, np.int32), whole, real, real, real, real, whole, whole)


def joined(parts: Sequence[Aggregates]) -> Aggregates:
    """All rows ordered by (signal, start)."""
    if not parts:
        return none()
    if len(parts) == 1:
        return parts[0]
    names = ("signal", "start", "mean", "minimum", "maximum", "stddev", "count", "good")
    columns = {name: np.concatenate([getattr(p, name) for p in parts]) for name in names}
    order = np.lexsort((columns["start"], columns["signal"]))
    return Aggregates(**{name: column[order] for name, column in columns.items()})


def take(state: State, batch: ReadingBatch, raw: NDArray[np.bool_]) -> tuple[Aggregates, int]:
    """Add rows, ordered by (signal, time), none older than its signal's open minute.

    The minutes that are over, and how many of their readings they alone stand for. raw: rows that are kept besides."""
    if not len(batch):
        return none(), 0
    start = batch.time - batch.time % MINUTE
    first = np.flatnonzero((np.diff(batch.signal, prepend=-1) != 0) | (np.diff(start, prepend=start[0]) != 0))
    groups = _groups(batch, start, first, raw)
    over: list[Aggregates] = []
    told = 0
    # The i-th minute of every signal in one round; a live batch holds one, seldom two.
    turn = np.arange(len(first)) - np.maximum.accumulate(
        np.where(np.diff(groups["signal"], prepend=-1) != 0, np.arange(len(first)), 0)
    )
    for i in range(int(turn.max()) + 1):
        now = groups[turn == i]
        minutes, alone = _merge(state, now)
        over.append(minutes)
        told += alone
    return joined([part for part in over if len(part)]), told


_GROUP: Final = np.dtype([("signal", "<i4"), *FIELDS])


def _groups(batch: ReadingBatch, start: NDArray[np.int64], first: NDArray[np.intp], raw: NDArray[np.bool_]) -> State:
    """Each (signal, minute) of the batch as if it were all there is."""
    usable = is_good(batch.quality) & np.isfinite(batch.value)
    value = np.where(usable, batch.value, 0.0)
    groups = np.zeros(len(first), _GROUP)
    length = np.diff(np.append(first, len(batch)))
    good = np.add.reduceat(usable.astype(np.int64), first)
    with np.errstate(all="ignore"):
        mean = np.where(good > 0, np.add.reduceat(value, first) / np.maximum(good, 1), 0.0)
        away = np.where(usable, value - np.repeat(mean, length), 0.0)
        groups["squares"] = np.add.reduceat(away * away, first)
    groups["signal"], groups["start"] = batch.signal[first], start[first]
    groups["last_time"] = batch.time[first + length - 1]
    groups["mean"] = mean
    groups["minimum"] = np.minimum.reduceat(np.where(usable, value, np.inf), first)
    groups["maximum"] = np.maximum.reduceat(np.where(usable, value, -np.inf), first)
    groups["count"], groups["good"] = length, good
    groups["raw"] = np.add.reduceat(raw.astype(np.int64), first)
    return groups


def _merge(state: State, more: State) -> tuple[Aggregates, int]:
    """One group a signal, none older than the open minute."""
    key = more["signal"]
    before = state[key]
    turns = more["start"] > before["start"]
    over, alone = _close(key, before, turns)
    merged = more[[name for name, _ in FIELDS]].astype(state.dtype)
    same = ~turns
    if same.any():
        a, b = before[same], merged[same]
        na, nb = a["good"].astype(np.float64), b["good"].astype(np.float64)
        n = np.maximum(na + nb, 1.0)
        with np.errstate(all="ignore"):
            delta = b["mean"] - a["mean"]
            b["mean"] = np.where(na == 0, b["mean"], np.where(nb == 0, a["mean"], a["mean"] + delta * nb / n))
            b["squares"] = a["squares"] + b["squares"] + np.where((na > 0) & (nb > 0), delta * delta * na * nb / n, 0.0)
        b["last_time"] = np.maximum(a["last_time"], b["last_time"])
        b["minimum"] = np.minimum(a["minimum"], b["minimum"])
        b["maximum"] = np.maximum(a["maximum"], b["maximum"])
        for name in ("count", "good", "raw"):
            b[name] += a[name]
        merged[same] = b
    state[key] = merged
    return over, alone


def _close(key: NDArray[np.int32], rows: State, which: NDArray[np.bool_]) -> tuple[Aggregates, int]:
    """The statistics of `which` (where there are any), and how many readings they alone stand for."""
    which = which & (rows["count"] > 0)
    if not which.any():
        return none(), 0
    r = rows[which]
    good = r["good"].astype(np.int64)
    has = good > 0
    with np.errstate(all="ignore"):
        deviation = np.where(good > 1, np.sqrt(r["squares"] / np.maximum(good - 1, 1)), np.nan)
    mean, low, high = (np.where(has, r[name], np.nan) for name in ("mean", "minimum", "maximum"))
    count = r["count"].astype(np.int64)
    alone = int(count.sum() - r["raw"].astype(np.int64).sum())
    signal = key[which].astype(np.int32)
    return Aggregates(signal, r["start"].copy(), mean, low, high, deviation, count, good), alone


def close(state: State, keys: NDArray[np.intp]) -> tuple[Aggregates, int]:
    """End the open minutes of `keys` (ascending): what comes of them still is late."""
    over, alone = _close(keys.astype(np.int32), state[keys], np.ones(len(keys), np.bool_))
    fresh = empty(len(keys))
    fresh["start"] = state["start"][keys] + MINUTE
    fresh["last_time"] = state["last_time"][keys]
    state[keys] = fresh
    return over, alone


def in_hand(state: State) -> int:
    """Readings in open minutes that were not kept as they are."""
    return int(state["count"].sum(dtype=np.int64) - state["raw"].sum(dtype=np.int64))
