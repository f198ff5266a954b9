"""Bringing new models to machines step by step, and what is watched meanwhile."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from forewarn.domain.model_versions import ModelState

WEEK_S: Final = 7 * 86_400.0


class RollbackReason(StrEnum):
    """SILENT: it seldom has an opinion where the champion has one. UNSEEN, MISFIT are no fault of it: nobody was there
    to judge it, or the plant's signals are others by now."""

    ALARM_RATE = "alarm_rate"
    LATENCY = "latency"
    ERRORS = "errors"
    SILENT = "silent"
    UNSEEN = "unseen"
    MISFIT = "misfit"
    BY_HAND = "by_hand"


@dataclass(frozen=True, slots=True)
class Rollout:
    """New versions on their way to act, together. versions: id by asset id. state: of all of them. started_at, since:
    microseconds UTC; since: it is in this state, or began it anew as a champion changed. share: of the machines, that
    the canary acts on. note: what was seen, for people. It is all that a restart needs to go on."""

    id: str
    versions: Mapping[str, str]
    started_at: int
    state: ModelState = ModelState.CANDIDATE
    since: int = 0
    share: float = 0.1
    reason: RollbackReason | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Observed:
    """What one side of a rollout did on the rollout's machines in one state. since: of that state, as the rollout says
    it: what was counted in another says nothing of this one.

    asset_s: seconds judged, summed over machines. rows: scored. opinions: of them with a score. alarms: episodes begun.
    calls, errors: of scoring, and those that failed; a model that could not be loaded is one of both. latency_ms: 99th
    percentile of a call, None before there is one.
    """

    since: int
    asset_s: float = 0.0
    rows: int = 0
    opinions: int = 0
    alarms: int = 0
    calls: int = 0
    errors: int = 0
    latency_ms: float | None = None

    @property
    def asset_weeks(self) -> float:
        return self.asset_s / WEEK_S

    @property
    def alarms_per_week(self) -> float | None:
        """An asset-week; None before a time was judged that tells one."""
        weeks = self.asset_weeks
        rate = self.alarms / weeks if weeks > 0 else math.inf
        return rate if math.isfinite(rate) else None


@dataclass(frozen=True, slots=True)
class RolloutSettings:
    """shadow_s, canary_s: least time in the state; watch_s: how long a new champion is watched. least_rows: scored in
    the state before the next. most_alarms: an asset-week; alarm_ratio, latency_ratio, error_ratio: how much worse than
    the champion is still taken. most_latency_ms, most_errors (share of calls): always taken. least_opinions: share of
    the champion's. chance: that as many alarms come of a challenger that is within bounds; below it, it is not."""

    shadow_s: float = 86_400.0
    canary_s: float = 86_400.0
    watch_s: float = 7 * 86_400.0
    least_rows: int = 3_600
    most_alarms: float = 1.0
    alarm_ratio: float = 1.5
    most_latency_ms: float = 10.0
    latency_ratio: float = 2.0
    most_errors: float = 0.001
    error_ratio: float = 2.0
    least_opinions: float = 0.5
    chance: float = 0.001


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a challenger must keep within. alarms: so many are still chance in the time that was judged;
    alarms_per_week: that, an asset-week. errors: share of calls. opinions: least share of rows with a score, judged
    once enough rows were."""

    alarms: int
    alarms_per_week: float
    latency_ms: float
    errors: float
    opinions: float


@dataclass(frozen=True, slots=True)
class NextStep:
    """into: None where the watch of a new champion ends. at: not before, microseconds UTC; None: it only waits for
    rows. progress: 0-1, of what is behind most. rows: scored in this state, of least_rows."""

    into: ModelState | None
    at: int | None
    progress: float
    rows: int
    least_rows: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """A version that may be rolled out. created_at: microseconds UTC. reason: why it was set aside, '' otherwise."""

    asset_id: str
    version: str
    created_at: int
    reason: str


@dataclass(frozen=True, slots=True)
class Reign:
    """A machine's champion. since: microseconds UTC. former: id of the version that it replaced."""

    version: str
    since: int
    former: str | None


@dataclass(frozen=True, slots=True)
class RolloutMachine:
    """champion: id of the version that is or was replaced, None where there is none, or another one took its place.
    acting: id of the version that raises findings there now, None where nobody does."""

    asset_id: str
    version: str
    champion: str | None
    acting: str | None

    @property
    def acts(self) -> bool:
        """The new version raises findings there."""
        return self.acting == self.version


@dataclass(frozen=True, slots=True)
class RolloutProgress:
    """How far a rollout is. machines: those that whoever asks may see. challenger, champion: on all machines together,
    in the present state; None where nothing was told yet. bounds: None where there is nothing to compare."""

    rollout: Rollout
    machines: tuple[RolloutMachine, ...]
    next: NextStep | None
    challenger: Observed | None
    champion: Observed | None
    bounds: Bounds | None
    is_over: bool
