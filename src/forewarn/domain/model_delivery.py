"""Which models a gateway should hold, and what it tells of those that it holds and of those that are being tried."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

Thresholds = tuple[float | None, ...]  # by regime; None: as it was learned
# Upper bounds of the classes in which latencies are counted, milliseconds: a factor of the square root of 2 apart.
LATENCY_CLASSES: Final = tuple(0.1 * 2 ** (k / 2) for k in range(31))


class Side(StrEnum):
    """Who was watched: the new version of a rollout, or the one that it would replace."""

    CHALLENGER = "challenger"
    CHAMPION = "champion"


@dataclass(frozen=True, slots=True)
class Trial:
    """Two versions to be scored side by side on one machine, whoever of them acts. since: of the rollout's state,
    microseconds UTC: what was counted in another state says nothing of this one. champion: None where there is none."""

    rollout_id: str
    since: int
    asset_id: str
    challenger: str
    champion: str | None = None


@dataclass(frozen=True, slots=True)
class WantedModels:
    """acting: id of the version that raises findings, by asset id. withdrawn: versions that must not act, whatever else
    cannot be had. keys: who may sign, 64 hexadecimal digits each. thresholds: by version id, of those whose thresholds
    are others now than they were learned. revision: a name for all of that."""

    revision: str = ""
    acting: Mapping[str, str] = field(default_factory=dict)
    trials: tuple[Trial, ...] = ()
    withdrawn: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    thresholds: Mapping[str, Thresholds] = field(default_factory=dict)

    @property
    def versions(self) -> frozenset[str]:
        """All that are to be held."""
        tried = {v for t in self.trials for v in (t.challenger, t.champion) if v is not None}
        return frozenset(self.acting.values()) | tried


@dataclass(frozen=True, slots=True)
class HeldModels:
    """What a gateway says of its models. name: of all the rest. revision: of the list that it follows. acting: id of
    the version that raises findings, by asset id; refused: what is wrong with the one that should, a word by asset id.
    thresholds: a name for those of the acting ones that are others than they were learned, empty where none is. keys:
    fingerprints of those whose models it believes."""

    name: str = ""
    revision: str = ""
    acting: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    thresholds: str = ""
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MachineDrift:
    """How far a machine has come from what its model was learned from, as it was judged last. at: time of the newest
    row, microseconds UTC. signals: PSI and the mark beyond which it is drift, by id of those that are judged. over,
    usual: share of rows over the healthy quantile, lately and in health; None: not judged."""

    at: int
    signals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    over: float | None = None
    usual: float | None = None


@dataclass(frozen=True, slots=True)
class DriftNews:
    """What a gateway judged after news number `since`, up to number `until`. since: 0 = it begins anew: what was told
    before is to be forgotten. machines: by asset id; None: nothing of it is judged now."""

    since: int
    until: int
    machines: Mapping[str, MachineDrift | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tally:
    """What one side of a rollout did in one process since it began to count. run: when that was, microseconds UTC; a
    later tally of the same (rollout, since, side, run) replaces the one before. The rest as in `Observed`; latency:
    calls by LATENCY_CLASSES, one class more for those that took longer; empty where none was called."""

    rollout_id: str
    since: int
    side: Side
    run: int
    asset_s: float = 0.0
    rows: int = 0
    opinions: int = 0
    alarms: int = 0
    calls: int = 0
    errors: int = 0
    latency: tuple[int, ...] = ()
