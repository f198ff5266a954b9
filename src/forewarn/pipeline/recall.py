"""What the judge's memory would hold had the process never ended, read back from the historian."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forewarn.contracts.raw_ring import Recollection
from forewarn.domain.alarms import AlarmRule
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.series import Series
from forewarn.domain.signal_table import SignalTable
from forewarn.domain.status import is_good
from forewarn.policies import regimes as regime
from forewarn.policies.condition import Holding, recall
from forewarn.policies.regimes import Regimes
from forewarn.policies.runs import Runs

_SHORT_S: Final = 60.0
_LONGEST_S: Final = 86_400.0
_SECOND: Final = 1_000_000
_LAG_US: Final = 900 * _SECOND
Keys = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Watched:
    """A limit rule, its place among the judge's, and whether its alarm is active."""

    index: int
    rule: AlarmRule
    active: bool


class Recall:
    """One look back at a start. unjudged: batches that the judge will be handed; only what is older than the first of
    a signal's readings among them counts here. grace_s: no only_running rule is raised so soon after a start.

    judged: signal keys, and the newest source time of each that was judged."""

    def __init__(
        self, historian: Recollection, table: SignalTable, unjudged: Sequence[ReadingBatch], grace_s: float
    ) -> None:
        self._historian = historian
        self._table = table
        self._grace_us = int(grace_s * _SECOND)
        self._speeds = np.flatnonzero(~np.isnan(table.running_above) & table.known).astype(np.int32)
        self._until = np.full(table.size, np.iinfo(np.int64).max, np.int64)
        for batch in unjudged:
            mine = batch.signal < table.size
            np.minimum.at(self._until, batch.signal[mine], batch.time[mine])
        known = np.flatnonzero(table.known).astype(np.int32)
        latest = historian.latest(known)
        ends = np.minimum(latest.time, self._until[latest.signal] - 1)
        self.judged = (latest.signal, ends)
        self._newest = int(ends.max()) if len(latest) else None
        # Gateways lag behind each other; one that died long ago must not make us read for long.
        self._oldest = max(int(ends.min()), int(ends.max()) - _LAG_US) if len(latest) else 0

    def holdings(self, watched: Sequence[Watched]) -> Iterator[tuple[int, Holding]]:
        """The timers of rules whose condition differed from their alarm when the past ended; the others' are at rest.

        Looks back as far as the rules' delays reach, a day at most, from the last reading of each signal that lags
        behind the newest of all by 15 minutes at most."""
        short = [w for w in watched if _delay_s(w) <= _SHORT_S]
        long = [w for w in watched if _delay_s(w) > _SHORT_S]
        for group in (short, long):
            if group:
                back_s = min(max(map(_delay_s, group)), _LONGEST_S)
                yield from self._of(group, self.regimes(back_s, [w.rule.signal_key for w in group]))

    def regimes(self, back_s: float, signals: Sequence[int] = ()) -> "_Past":
        """Regimes as the speed signals of the last `back_s` seconds left them, and the rows of `signals`."""
        regimes = Regimes()
        regimes.configure(self._table)
        newest = self._newest
        if newest is None:
            return _Past(regimes, None, np.zeros(0, np.bool_))
        start = self._oldest - int(back_s * _SECOND) - 2 * self._grace_us
        keys = np.union1d(self._speeds, np.asarray([s for s in signals if s < self._table.size], np.int32))
        before = self._judged(self._historian.latest(self._speeds))
        steady = before.take(before.time < start)
        if len(steady):
            regimes.follow(steady, Runs.of(steady))
        batch = self._judged(self._historian.raw(keys.astype(np.int32), start, newest + 1))
        if not len(batch):
            return _Past(regimes, None, np.zeros(0, np.bool_))
        rows = regimes.follow(batch, Runs.of(batch))
        allowed = (rows.row_regime != regime.STANDING) & (batch.time >= rows.row_since + self._grace_us)
        return _Past(regimes, batch, allowed)

    def _judged(self, past: Series) -> ReadingBatch:
        rows = is_good(past.quality) & (past.time < self._until[past.signal])
        return ReadingBatch(past.signal[rows], past.time[rows], past.value[rows], past.quality[rows], "", 0)

    def _of(self, group: Sequence[Watched], past: "_Past") -> Iterator[tuple[int, Holding]]:
        if past.batch is None:
            return
        runs = Runs.of(past.batch)
        place = {
            int(key): slice(int(a), int(a + n)) for key, a, n in zip(runs.signal, runs.start, runs.length, strict=True)
        }
        for watched in group:
            rows = place.get(watched.rule.signal_key)
            if rows is None:
                continue
            time, value = past.batch.time[rows], past.batch.value[rows]
            holding = recall(watched.rule, watched.active, time, value, past.allowed[rows])
            if holding.since is not None:
                yield watched.index, holding


@dataclass(frozen=True, slots=True, eq=False)
class _Past:
    """Good readings the judge has seen, ordered by (signal, time), and where an only_running rule may be raised."""

    regimes: Regimes
    batch: ReadingBatch | None
    allowed: NDArray[np.bool_]


def _delay_s(watched: Watched) -> float:
    return watched.rule.off_delay_s if watched.active else watched.rule.on_delay_s
