"""The threshold that a budget of false alarms allows, from as much healthy past as there is, and how feedback moves it.

An alarm begins when `on_rows` rows in a row are over the threshold, so what counts is the least of them. Its healthy
peaks, one for each cluster, are taken over a level that is often passed; beyond it they are exponential: peaks over
threshold (Coles 2001, An Introduction to Statistical Modeling of Extreme Values, ch. 4; Siffer et al. 2017, Anomaly
Detection in Streams with Extreme Value Theory) with shape 0. The mean excess is not known but estimated, so the next
peak follows the predictive distribution P(excess > x) = (1 + x / S)^-n, where n peaks with the sum S were seen, ten
that other machines are known for among them: few peaks mean caution, and the threshold comes down as healthy data grow.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.findings import Verdict

Ratios = NDArray[np.floating]
Flags = NDArray[np.bool_]
_WEEK_S: Final = 604_800.0
_TOLERANCE: Final = 4.0  # feedback moves the threshold between a quarter of the budget and four times it
_UP, _UP_MOST, _DOWN = 1.1, 1.5, 1.05
_PRIOR_PEAKS, _PRIOR_EXCESS = 10.0, 0.1


@dataclass(frozen=True, slots=True)
class AlarmBudget:
    """per_week: false alarms an asset may raise in a week of running. row_s: seconds between rows. on_rows over the
    threshold begin an alarm, off_rows not over it end one. least, most: the threshold stays between, whatever the past
    says."""

    per_week: float = 1.0
    row_s: float = 1.0
    on_rows: int = 3
    off_rows: int = 10
    least: float = 1.4
    most: float = 4.0

    def __post_init__(self) -> None:
        if not (self.per_week > 0 and self.row_s > 0 and 0 < self.least <= self.most):
            raise ValueError(f"an alarm budget needs positive numbers and least <= most: {self}")
        if self.on_rows < 1 or self.off_rows < 1:
            raise ValueError(f"an alarm begins and ends with a row at least: {self}")


@dataclass(frozen=True, slots=True)
class HealthyTail:
    """What is known of a machine's healthy ratios. rows: with an opinion. peaks: clusters over the level. excess: by
    how much their peaks are over it, summed. The level never changes, so that tails of one machine add up."""

    level: float
    rows: int
    peaks: int
    excess: float


def healthy_tail(ratio: Ratios, budget: AlarmBudget) -> HealthyTail:
    """Of healthy rows in order, NaN = no opinion (it ends a run). The level is passed by a tenth of them, where there
    are thousands by a fiftieth."""
    held = _sustained(ratio, budget.on_rows)
    rows = held[~np.isnan(held)]
    if not len(rows):
        return HealthyTail(0.0, 0, 0, 0.0)
    level = float(np.quantile(rows, 1.0 - np.clip(40.0 / len(rows), 0.02, 0.1)))
    return _counted(held, level, budget)


def grown(tail: HealthyTail, ratio: Ratios, budget: AlarmBudget) -> HealthyTail:
    """The tail after more healthy rows."""
    if tail.rows == 0:
        return healthy_tail(ratio, budget)
    more = _counted(_sustained(ratio, budget.on_rows), tail.level, budget)
    return HealthyTail(tail.level, tail.rows + more.rows, tail.peaks + more.peaks, tail.excess + more.excess)


def alarms_per_week(tail: HealthyTail, limit: float, budget: AlarmBudget) -> float:
    """False alarms to be expected of a threshold; infinite where nothing is known."""
    week, n, total = _predictive(tail, budget)
    return float(week * (1.0 + max(limit - tail.level, 0.0) / total) ** -n)


@dataclass(frozen=True, slots=True)
class Leeway:
    """How far feedback may move a threshold. low, high: of four times the budget and of a quarter of it; allowed: of
    the budget itself."""

    low: float
    allowed: float
    high: float

    def threshold(self, bias: float = 0.0) -> float:
        """The ratio over which the machine speaks. bias: what feedback has added to its logarithm."""
        return float(min(max(self.allowed * np.exp(bias), self.low), self.high))

    def answered(self, verdict: Verdict, peak: float, bias: float = 0.0) -> float:
        """The bias after a verdict on a finding whose ratio reached `peak`. WRONG raises the threshold over that peak,
        by a tenth at least and by half at most; CONFIRMED lowers it by a twentieth; PARTLY leaves it."""
        now = self.threshold(bias)
        if verdict is Verdict.WRONG:
            wanted = now * (min(max(peak * 1.02 / now, _UP), _UP_MOST) if np.isfinite(peak) else _UP)
        elif verdict is Verdict.CONFIRMED:
            wanted = now / _DOWN
        else:
            return bias
        return float(np.log(min(max(wanted, self.low), self.high) / self.allowed))


def leeway(tail: HealthyTail, budget: AlarmBudget) -> Leeway:
    """For many answers to one tail: it costs more than they do."""
    loose = replace(budget, per_week=budget.per_week * _TOLERANCE)
    tight = replace(budget, per_week=budget.per_week / _TOLERANCE)
    return Leeway(_allowed(tail, loose), _allowed(tail, budget), _allowed(tail, tight))


def threshold(tail: HealthyTail, budget: AlarmBudget, bias: float = 0.0) -> float:
    """The ratio over which the machine speaks. bias: what feedback has added to its logarithm; it moves the threshold
    between those of a quarter of the budget and of four times it."""
    return leeway(tail, budget).threshold(bias)


def in_alarm(ratio: Ratios, limit: float, on_rows: int, off_rows: int) -> Flags:
    """bool[n]: from the row that is the `on_rows`th in a row over the limit, until `off_rows` in a row were not (that
    row is out of alarm). No opinion is not over the limit. The last axis is time."""
    hot = np.asarray(ratio) > limit
    index = np.arange(hot.shape[-1])
    last_calm = np.maximum.accumulate(np.where(hot, -1, index), axis=-1)
    last_hot = np.maximum.accumulate(np.where(hot, index, -1), axis=-1)
    begins = np.where(index - last_calm >= on_rows, index, -1)
    ends = np.where(index - last_hot >= off_rows, index, -1)
    began = np.maximum.accumulate(begins, axis=-1)
    return np.asarray((began >= 0) & (began > np.maximum.accumulate(ends, axis=-1)))


def _allowed(tail: HealthyTail, budget: AlarmBudget) -> float:
    """Within least and most; most where nothing is known."""
    week, n, total = _predictive(tail, budget)
    if np.isinf(week):
        return budget.most
    beyond = total * np.expm1(np.log(max(week / budget.per_week, 1.0)) / n)
    return float(np.clip(tail.level + beyond, budget.least, budget.most))


def _predictive(tail: HealthyTail, budget: AlarmBudget) -> tuple[float, float, float]:
    """(peaks a week, n, S)."""
    week = (tail.peaks + 0.5) / tail.rows * _WEEK_S / budget.row_s if tail.rows else float("inf")
    return week, tail.peaks + _PRIOR_PEAKS, tail.excess + _PRIOR_PEAKS * _PRIOR_EXCESS


def _sustained(ratio: Ratios, on_rows: int) -> NDArray[np.float64]:
    """The least of each row and the on_rows - 1 before it; NaN where one of them is unknown."""
    if len(ratio) < on_rows:
        return np.zeros(0)
    return np.asarray(np.lib.stride_tricks.sliding_window_view(np.asarray(ratio, np.float64), on_rows).min(axis=-1))


def _counted(held: NDArray[np.float64], level: float, budget: AlarmBudget) -> HealthyTail:
    rows = int(np.count_nonzero(~np.isnan(held)))
    over = np.flatnonzero(held > level)
    if not len(over):
        return HealthyTail(level, rows, 0, 0.0)
    first = np.flatnonzero(np.diff(over, prepend=over[0] - budget.off_rows - 1) > budget.off_rows)
    peaks = np.maximum.reduceat(held[over], first)
    return HealthyTail(level, rows, len(peaks), float(np.sum(peaks - level)))
