"""Hysteresis: aligned scores become episodes with a beginning, a peak and an end.

A spell begins with the first reading over OPEN_ABOVE and is over when readings have stayed below CALM_BELOW for
`off_s`, or when there was none for `gap_s`. A spell becomes an episode when at least `k` of the last `n`
readings, and `on_s` seconds since its first, are over OPEN_ABOVE. No opinion (NaN) counts as calm. All times
are source times, so the same readings open and close the same episodes however they are cut into batches.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.findings import Finding
from forewarn.domain.readings import ReadingBatch
from forewarn.policies.runs import Runs, new_rows, resized, since_last

OPEN_ABOVE: Final = 0.5
CALM_BELOW: Final = 0.4
_LONG_AGO: Final = np.iinfo(np.int64).min // 2
_RISE: Final = 0.05
_STATE: Final = {
    "seen": (np.int64, _LONG_AGO),
    "warm": (np.int64, _LONG_AGO),
    "begun": (np.int64, _LONG_AGO),
    "hot_bits": (np.uint64, 0),
    "open": (np.bool_, False),
    "started": (np.int64, 0),
    "last": (np.int64, 0),
    "count": (np.int64, 0),
    "score": (np.float64, 0.0),
    "value": (np.float64, 0.0),
    "expected": (np.float64, np.nan),
    "told_at": (np.int64, 0),
    "told_score": (np.float64, 0.0),
}


@dataclass(frozen=True, slots=True)
class EpisodeSettings:
    """k of the last n readings (n <= 64) and on_s seconds open an episode; off_s without a warm one close it.
    Without any reading an episode lasts on for gap_s. An open one is told again when its peak rose by 0.05, and every
    `retell_s`."""

    k: int = 1
    n: int = 1
    on_s: float = 0.0
    off_s: float = 30.0
    gap_s: float = 300.0
    retell_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Episode:
    """One signal's episode as it stands: fields as in Finding."""

    signal: int
    started_at: int
    last_at: int
    ended_at: int | None
    score: float
    value: float
    expected: float
    count: int


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """The new readings of the signals that matter, with their scores."""

    batch: ReadingBatch
    runs: Runs
    score: NDArray[np.float64]
    expected: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class _Flags:
    """Per row: over the limit; would open; would close; its spell's beginning; the last warm time before it."""

    hot: NDArray[np.bool_]
    opens: NDArray[np.bool_]
    closes: NDArray[np.bool_]
    begun: NDArray[np.int64]
    warm_before: NDArray[np.int64]


class EpisodeTracker:
    """State arrays by signal key for one detector. Where nothing is over the limit and nothing open, a batch costs
    a few array passes and no Python."""

    def __init__(self, settings: EpisodeSettings) -> None:
        self._s = settings
        self._off = int(settings.off_s * 1e6)
        self._gap = max(int(settings.gap_s * 1e6), self._off)
        self._state: dict[str, NDArray[Any]] = {name: np.zeros(0, dtype) for name, (dtype, _) in _STATE.items()}

    def resize(self, size: int) -> None:
        """Make room for keys below `size`."""
        for name, (_, fill) in _STATE.items():
            self._state[name] = resized(self._state[name], size, fill)

    def resume(self, findings: Sequence[Finding]) -> None:
        """Go on with episodes that were open when the process ended."""
        s = self._state
        for f in findings:
            key = f.signal_key
            self.resize(key + 1)
            s["open"][key], s["seen"][key], s["warm"][key] = True, f.last_at, f.last_at
            s["begun"][key], s["started"][key], s["last"][key] = f.started_at, f.started_at, f.last_at
            s["count"][key], s["score"][key], s["value"][key] = f.count, f.score, f.value
            s["expected"][key] = np.nan if f.expected is None else f.expected
            s["told_at"][key], s["told_score"][key] = f.last_at, f.score

    def let_go(self, mask: NDArray[np.bool_], *, anew: bool = False) -> list[Episode]:
        """Forget the signals of `mask` (by key): somebody else follows them from here on. What was open of them.
        anew: their clock was wrong, and readings older than what was seen count again."""
        keys = np.flatnonzero(mask[: len(self._state["open"])])
        told = [self._episode(int(key), None) for key in keys[self._state["open"][keys]]]
        for name, (_, fill) in _STATE.items():
            if anew or name != "seen":
                self._state[name][keys] = fill
        return told

    def standing(self) -> list[Episode]:
        """All open episodes."""
        return [self._episode(int(key), None) for key in np.flatnonzero(self._state["open"])]

    def track(self, batch: ReadingBatch, score: NDArray[np.float64], expected: NDArray[np.float64]) -> list[Episode]:
        """Episodes that this batch opened, changed noticeably or closed, in order of time within each signal.

        batch: ordered by (signal, time), keys below `size`; readings not newer than what was seen are ignored."""
        picked = self._affected(batch, score)
        if picked is None:
            return []
        rows = new_rows(batch, picked, self._state["seen"])
        if not len(rows):
            return []
        part = batch.take(rows)
        return self._advance(_Rows(part, Runs.of(part), score[rows], expected[rows]))

    def _affected(self, batch: ReadingBatch, score: NDArray[np.float64]) -> NDArray[np.bool_] | None:
        """Rows of signals with something over the limit, an episode or a fresh memory of one."""
        s = self._state
        lively = score >= CALM_BELOW
        busy = s["open"] | (s["hot_bits"] != 0)
        if not lively.any() and not busy.any():
            return None
        busy[batch.signal[lively]] = True
        picked: NDArray[np.bool_] = busy[batch.signal]
        return picked

    def _advance(self, rows: _Rows) -> list[Episode]:
        s, time, runs = self._state, rows.batch.time, rows.runs
        hot, warm = rows.score > OPEN_ABOVE, rows.score >= CALM_BELOW
        first = np.zeros(len(time), np.bool_)
        first[runs.start] = True
        newest = since_last(first | warm)
        warm_at = np.where(warm[newest], time[newest], runs.spread(s["warm"][runs.signal]))
        warm_before = np.where(first, runs.spread(s["warm"][runs.signal]), np.roll(warm_at, 1))
        seen_before = np.where(first, runs.spread(s["seen"][runs.signal]), np.roll(time, 1))
        quiet = time - warm_before
        # A spell is cut where calm lasted, even when the cutting reading is itself over the limit. Silence is not
        # calm: signals read slower than off_s would have an episode for every reading.
        calm_long = (quiet >= self._off) & (~warm | (seen_before != warm_before) | (quiet >= self._gap))
        reset = calm_long | (time - warm_at >= self._off)
        begun = self._spell(rows, hot, reset, first)
        often = self._hot_counts(rows, hot) >= self._s.k
        opens = hot & often & (time - begun >= int(self._s.on_s * 1e6))
        told = self._switch(rows, _Flags(hot, opens, reset, begun, warm_before))
        last = runs.last
        s["seen"][runs.signal], s["warm"][runs.signal], s["begun"][runs.signal] = time[last], warm_at[last], begun[last]
        return told

    def _spell(
        self, rows: _Rows, hot: NDArray[np.bool_], reset: NDArray[np.bool_], first: NDArray[np.bool_]
    ) -> NDArray[np.int64]:
        """Time of the first hot reading of the spell each row is in; far in the future before there is one."""
        never = np.iinfo(np.int64).max // 2
        index = np.arange(len(hot))
        cut = since_last(first | reset)
        carried = rows.runs.spread(self._state["begun"][rows.runs.signal])
        carried = np.where(carried == _LONG_AGO, never, carried)
        # The first hot row at or after each row, then the one that belongs to the row's cut.
        ahead = np.where(hot, index, len(hot))
        next_hot = np.minimum.accumulate(ahead[::-1])[::-1]
        start = next_hot[cut]
        in_spell = start <= index
        fresh = np.where(in_spell, rows.batch.time[np.minimum(start, len(hot) - 1)], never)
        goes_on = first[cut] & ~reset[cut] & (carried != never)
        return np.where(goes_on, carried, fresh)

    def _hot_counts(self, rows: _Rows, hot: NDArray[np.bool_]) -> NDArray[np.int64]:
        """How many of the last n readings of the signal were hot, this one included."""
        s, runs, back = self._state, rows.runs, self._s.n - 1
        if back == 0:
            s["hot_bits"][runs.signal] = hot[runs.last]
            return hot.astype(np.int64)
        bits = s["hot_bits"][runs.signal]
        shift = np.arange(back, dtype=np.uint64)[::-1]
        before = ((bits[:, None] >> shift) & np.uint64(1)).astype(np.int64)
        width = runs.length + back
        begin = np.concatenate(([0], np.cumsum(width)[:-1]))
        line = np.zeros(int(width.sum()), np.int64)
        line[begin[:, None] + np.arange(back)] = before
        place = np.arange(len(hot)) + np.repeat((np.arange(len(runs)) + 1) * back, runs.length)
        line[place] = hot
        total = np.concatenate(([0], np.cumsum(line)))
        recent = line[(begin + width)[:, None] - 1 - np.arange(self._s.n)].astype(np.uint64)
        s["hot_bits"][runs.signal] = (recent << np.arange(self._s.n, dtype=np.uint64)).sum(axis=1, dtype=np.uint64)
        return np.asarray(total[place + 1] - total[place - back])

    def _switch(self, rows: _Rows, flags: _Flags) -> list[Episode]:
        """Only signals whose episode opens, lasts or ends are walked, transition by transition."""
        runs = rows.runs
        some_open = np.logical_or.reduceat(flags.opens, runs.start)
        told: list[Episode] = []
        for run in np.flatnonzero(some_open | self._state["open"][runs.signal]):
            first = int(runs.start[run])
            told.extend(self._walk(rows, flags, int(runs.signal[run]), first, first + int(runs.length[run])))
        return told

    def _walk(self, rows: _Rows, flags: _Flags, key: int, at: int, end: int) -> list[Episode]:
        s, time, told = self._state, rows.batch.time, []
        search, opened = at, False
        while True:
            if not s["open"][key]:
                open_at = _next(flags.opens, at, end)
                if open_at == end:
                    break
                begun = int(flags.begun[open_at])
                at += int(np.searchsorted(time[at:open_at], begun))
                self._begin(key, begun)
                search, opened = at + 1, True
            close_at = _next(flags.closes, search, end)
            self._absorb(rows, flags.hot, key, at, close_at)
            if close_at == end:
                break
            s["open"][key] = False
            told.append(self._episode(key, int(flags.warm_before[close_at])))
            at, opened = close_at, False
        if s["open"][key] and (opened or self._noteworthy(key)):
            s["told_at"][key], s["told_score"][key] = s["last"][key], s["score"][key]
            told.append(self._episode(key, None))
        return told

    def _begin(self, key: int, begun: int) -> None:
        s = self._state
        s["open"][key], s["started"][key], s["last"][key] = True, begun, begun
        s["count"][key], s["score"][key], s["told_score"][key] = 0, 0.0, 0.0

    def _absorb(self, rows: _Rows, hot: NDArray[np.bool_], key: int, first: int, end: int) -> None:
        """Count the hot readings of first:end and keep the highest."""
        s, index = self._state, first + np.flatnonzero(hot[first:end])
        if not len(index):
            return
        s["last"][key] = rows.batch.time[index[-1]]
        s["count"][key] += len(index)
        peak = index[np.argmax(rows.score[index])]
        if rows.score[peak] > s["score"][key]:
            s["score"][key], s["value"][key] = rows.score[peak], rows.batch.value[peak]
            s["expected"][key] = rows.expected[peak]

    def _noteworthy(self, key: int) -> bool:
        s = self._state
        risen = s["score"][key] >= s["told_score"][key] + _RISE
        return bool(risen or s["last"][key] - s["told_at"][key] >= self._s.retell_s * 1e6)

    def _episode(self, key: int, ended_at: int | None) -> Episode:
        s = self._state
        return Episode(
            signal=key,
            started_at=int(s["started"][key]),
            last_at=int(s["last"][key]),
            ended_at=ended_at,
            score=float(s["score"][key]),
            value=float(s["value"][key]),
            expected=float(s["expected"][key]),
            count=int(s["count"][key]),
        )


def _next(mark: NDArray[np.bool_], first: int, end: int) -> int:
    """Index of the first marked row in first:end, else `end`."""
    if first >= end:
        return end
    ahead = int(np.argmax(mark[first:end]))
    return first + ahead if mark[first + ahead] else end
