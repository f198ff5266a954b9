"""One look at the whole plant: one question a store, whatever the number of assets."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forewarn.api.parts import ApiParts
from forewarn.contracts.alarm_store import Alarm
from forewarn.domain.assets import Asset, Signal
from forewarn.domain.findings import Finding
from forewarn.domain.series import Series
from forewarn.domain.status import is_good
from forewarn.policies.worklist import AssetFacts, Standing, stand

_LEAST_STALE_US: Final = 30_000_000
_SILENT_PERIODS: Final = 10


@dataclass(frozen=True, slots=True, eq=False)
class AssetBoard:
    """row: place of a signal key in `newest`, -1 = no reading yet. warming, vouched (EdgeIntake): by signal key."""

    now: int
    assets: Mapping[str, Asset]
    signals: Mapping[str, Sequence[Signal]]
    keys: Mapping[str, NDArray[np.int32]]
    newest: Series
    row: NDArray[np.int64]
    alarms: Mapping[str, Sequence[Alarm]]
    episodes: Mapping[str, Sequence[Finding]]
    open_anomalies: Mapping[str, int]
    warming: NDArray[np.bool_]
    vouched: NDArray[np.int64]

    def latest(self, key: int) -> tuple[int, float | None, int] | None:
        """Time, value (None = not a number) and quality of a signal's newest reading."""
        row = int(self.row[key]) if key < len(self.row) else -1
        if row < 0:
            return None
        value = float(self.newest.value[row])
        return int(self.newest.time[row]), value if np.isfinite(value) else None, int(self.newest.quality[row])

    def last_reading_at(self, asset_id: str) -> int | None:
        rows = self.row[self.keys[asset_id]]
        rows = rows[rows >= 0]
        return int(self.newest.time[rows].max()) if len(rows) else None

    def vouched_at(self, asset_id: str) -> int | None:
        """When a gateway last said that it hears a signal of the asset."""
        return int(self.vouched[self.keys[asset_id]].max(initial=0)) or None

    def running(self, asset_id: str) -> bool | None:
        """Whether the machine turns, by its speed signal; None where it has none or its value is not known."""
        for signal in self.signals[asset_id]:
            if signal.running_above is not None:
                latest = self.latest(signal.key)
                return None if latest is None or latest[1] is None else latest[1] > signal.running_above
        return None

    def learning(self, key: int) -> bool:
        """Whether some detector still learns what is normal for a signal that delivers."""
        return self.row[key] >= 0 and bool(self.warming[key])

    def _delivering(self, asset_id: str) -> NDArray[np.int32]:
        """The asset's signals whose newest reading is good."""
        keys = self.keys[asset_id]
        row = self.row[keys]
        delivers = row >= 0
        delivers[delivers] = is_good(self.newest.quality[row[delivers]])
        return keys[delivers]

    def standing(self, asset_id: str) -> Standing:
        signals = self.signals[asset_id]
        slowest_hz = min((s.rate_hz for s in signals if s.rate_hz > 0), default=1.0)
        heard = self._delivering(asset_id)
        facts = AssetFacts(
            asset_id=asset_id,
            alarms=[(a.rule, a.status) for a in self.alarms.get(asset_id, ())],
            episodes=self.episodes.get(asset_id, ()),
            last_reading_at=self.last_reading_at(asset_id),
            stale_after_us=max(_LEAST_STALE_US, int(_SILENT_PERIODS * 1e6 / slowest_hz)),
            heard=len(heard),
            learning=int(np.count_nonzero(self.warming[heard])),
            vouched_at=self.vouched_at(asset_id),
        )
        return stand(facts, self.now)


def read_board(parts: ApiParts, only: str | None = None) -> AssetBoard:
    """The board of every asset, or of one. Blocking: asks historian and catalog."""
    plant = parts.plant
    assets = {a: plant.assets[a] for a in ([only] if only else plant.assets) if a in plant.assets}
    signals = {a: plant.signals_of(a) for a in assets}
    keys = {a: np.array([s.key for s in group], np.int32) for a, group in signals.items()}
    wanted = np.sort(np.concatenate([*keys.values(), np.empty(0, np.int32)]))
    newest = parts.historian.latest(wanted)
    row = np.full(int(wanted[-1]) + 1 if len(wanted) else 1, -1, np.int64)
    row[newest.signal] = np.arange(len(newest))
    alarms: dict[str, list[Alarm]] = defaultdict(list)
    for alarm in parts.alarms.find(None, only, None):
        alarms[alarm.rule.asset_id].append(alarm)
    episodes: dict[str, list[Finding]] = defaultdict(list)
    for finding in parts.anomalies.open_episodes():
        episodes[finding.asset_id].append(finding)
    counts = parts.anomalies.open_counts()
    warming, vouched = _warming(parts, len(row)), parts.edge.vouched(len(row))
    return AssetBoard(parts.clock(), assets, signals, keys, newest, row, alarms, episodes, counts, warming, vouched)


def _warming(parts: ApiParts, size: int) -> NDArray[np.bool_]:
    given = parts.baselining()
    warming = np.zeros(max(size, len(given)), np.bool_)
    warming[: len(given)] = given
    return warming
