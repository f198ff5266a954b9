"""Whether a machine still runs within what its model was trained on, by its inputs and by its score.

Inputs: the population stability index (PSI) of each signal in each regime, sum((p - q) ln(p / q)) over the deciles of
the healthy past (Siddiqi 2006, Credit Risk Scorecards; a shift of d spreads makes about d squared). Its usual mark,
0.25, supposes rows that do not depend on each other; those of a machine do, so a signal may also wander as far as one
part of its own healthy past was from the rest of it.

Score: rows over the healthy quantile against as many as there were when rows held out of the fit were scored. Such
rows come in clusters; a count of them over its index of dispersion (mean square cluster size over the mean) has the
variance of a Poisson count, as in a scaled Poisson approximation (Fay & Feuer 1997). What is known of the healthy rate
is a gamma distribution (Jeffreys), so the tail is negative binomial.

Counts fade with a half-life of running: memory is bounded, and what is old does not count.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forewarn.policies.standard_rows import centre_and_spread

Matrix = NDArray[np.float64]
Places = NDArray[np.intp]
Flags = NDArray[np.bool_]
BINS: Final = 10
_LEAST_SHARE: Final = 0.01  # an empty tenth is no infinite surprise
_PARTS, _MOST_PARTS = 5, 50
_LEAST_VALUES: Final = 20
_CALM_ROWS: Final = 10  # end a cluster
_MANY_ROWS: Final = 50_000


@dataclass(frozen=True, slots=True)
class DriftSettings:
    """half_life_s: of running; seven eighths of the weight are not older than three of them. least_s: of running in one
    regime before it is judged. sample_s: between rows that count for inputs. judge_s: between judgements, source time.
    stable: a PSI that is none of anybody's business; ends: share of the mark below which a drift is over. times, tail:
    a score has drifted that is over its quantile so many times as often as in health, where that has no more than this
    probability."""

    half_life_s: float = 28_800.0
    least_s: float = 14_400.0
    sample_s: float = 10.0
    judge_s: float = 600.0
    stable: float = 0.25
    ends: float = 0.4
    times: float = 3.0
    tail: float = 1e-6

    @property
    def memory_s(self) -> float:
        """Seconds of running that a faded count stands for at the most."""
        return self.half_life_s / float(np.log(2.0))


@dataclass(frozen=True, slots=True, eq=False)
class InputReference:
    """Of one regime. edges: float64[m, 9], deciles of the healthy past, NaN for a signal that is not judged. share:
    float64[m, 10], of it between them. wander: float64[m], PSI of the part of it that was farthest from the rest."""

    edges: Matrix
    share: Matrix
    wander: Matrix


@dataclass(frozen=True, slots=True)
class ScoreReference:
    """Of one regime's held-out rows. rows: with an opinion; over: of them over the healthy quantile; dispersion: how
    many rows of a cluster count as one event."""

    rows: int
    over: int
    dispersion: float


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Of k machines. psi, mark: float64[k, m], of the regime in which the signal is farthest beyond its mark; NaN =
    not judged. over, usual: float64[k], share of rows over the healthy quantile, now and in health, of the regime that
    is worst; NaN = not judged. tail: float64[k], probability of as many in health."""

    psi: Matrix
    mark: Matrix
    over: Matrix
    usual: Matrix
    tail: Matrix


def input_reference(healthy: Matrix, part_rows: int) -> InputReference:
    """healthy: float64[n, m], NaN where nothing is known. part_rows: of a part that is held against the rest; a short
    past has five."""
    rows = healthy[np.isfinite(healthy).any(axis=1)]
    thinned = max(len(rows) // _MANY_ROWS, 1)
    rows, part_rows, width = rows[::thinned], part_rows // thinned, healthy.shape[1]
    _, spread = centre_and_spread(rows)
    edges = np.full((width, BINS - 1), np.nan)
    for c in np.flatnonzero(~np.isnan(spread)):
        value = rows[:, c]
        edges[c] = np.quantile(value[np.isfinite(value)], np.arange(1, BINS) / BINS)
    parts = int(np.clip(len(rows) // max(part_rows, 1), _PARTS, _MOST_PARTS))
    count = np.stack([_counted(part, edges) for part in np.array_split(rows, parts)])
    whole = count.sum(axis=0)
    seen = np.minimum(count.sum(axis=2), (whole - count).sum(axis=2))
    psi = np.where(seen >= _LEAST_VALUES, stability_index(_shares(count), _shares(whole - count)), 0.0)
    judged = ~np.isnan(spread)
    share = np.where(judged[:, None], _shares(whole), 0.0)
    return InputReference(edges, share, np.where(judged, psi.max(axis=0), np.nan))


def nothing_known(width: int) -> InputReference:
    """No signal is judged."""
    return InputReference(np.full((width, BINS - 1), np.nan), np.zeros((width, BINS)), np.full(width, np.nan))


def stability_index(share: Matrix, expected: Matrix) -> Matrix:
    """PSI over the last axis; symmetric, 0 where both are alike. A bin holds a hundredth at the least."""
    p, q = np.maximum(share, _LEAST_SHARE), np.maximum(expected, _LEAST_SHARE)
    return np.asarray(np.sum((p - q) * np.log(p / q), axis=-1))


def score_reference(ratio: NDArray[np.floating]) -> ScoreReference:
    """ratio: float[n], of held-out healthy rows in order, to the healthy quantile; NaN = no opinion."""
    over = np.flatnonzero(ratio > 1.0)
    rows = int(np.count_nonzero(~np.isnan(ratio)))
    if not len(over):
        return ScoreReference(rows, 0, float(_CALM_ROWS))
    first = np.flatnonzero(np.diff(over, prepend=over[0] - _CALM_ROWS - 1) > _CALM_ROWS)
    size = np.diff(np.r_[first, len(over)])
    return ScoreReference(rows, len(over), max(float(np.sum(size**2) / np.sum(size)), float(_CALM_ROWS)))


def excess_tail(over: float, rows: float, reference: ScoreReference) -> float:
    """Probability that as many of `rows` rows, or more, are over the quantile in health."""
    if not reference.rows or rows <= 0:
        return 1.0
    events = int(over / reference.dispersion)
    known = reference.over / reference.dispersion + 0.5
    stay = reference.rows / (reference.rows + rows)
    earlier = np.arange(1, events)
    growth = np.cumsum(np.log((earlier - 1 + known) / earlier * (1.0 - stay))) if events > 1 else np.zeros(0)
    below = np.exp(known * np.log(stay) + np.r_[0.0, growth]) if events else np.zeros(0)
    return float(max(1.0 - below.sum(), 0.0))


class DriftCounts:
    """Faded counts of machines with equally many signals. For one thread."""

    def __init__(self, references: list[list[InputReference]], scores: list[list[ScoreReference | None]]) -> None:
        """By machine and regime; a score reference that is None leaves its regime out."""
        machines, regimes = len(references), max(map(len, references), default=1)
        width = references[0][0].edges.shape[0] if references else 0
        self._regimes = regimes
        self._edges = np.full((machines, regimes, width, BINS - 1), np.nan)
        self._share = np.zeros((machines, regimes, width, BINS))
        self._wander = np.full((machines, regimes, width), np.nan)
        for i, ways in enumerate(references):
            for code, way in enumerate(ways):
                self._edges[i, code], self._share[i, code], self._wander[i, code] = way.edges, way.share, way.wander
        self._scores = scores
        self._count = np.zeros((machines, regimes, width, BINS))
        self._rows = np.zeros((machines, regimes, 2))  # all, over

    def carry(self, to: int, other: "DriftCounts", place: int) -> None:
        """Machine `to` goes on from machine `place` of `other`."""
        some = min(self._regimes, other._regimes)
        self._count[to, :some], self._rows[to, :some] = other._count[place, :some], other._rows[place, :some]

    def forget_scores(self, machine: int) -> None:
        """What its rows scored until now is explained."""
        self._rows[machine] = 0.0

    def add(
        self, machine: Places, regime: Places, value: Matrix, ratio: Matrix, keep: tuple[Matrix, Flags, Matrix]
    ) -> None:
        """Rows of k machines, n each: machine[k], regime[k, n] (of no account where the ratio is NaN),
        value[k, n, m], ratio[k, n] to the healthy quantile, NaN = does not count. keep: what a row leaves of earlier
        ones [k], which rows count for inputs [k, n], and what such a row leaves of earlier ones [k]."""
        each, sampled, each_sampled = keep
        counts = ~np.isnan(ratio)
        at, kept = _weights(counts, each)
        self._rows[machine] *= kept[:, None, None]
        k, n = np.nonzero(counts)
        place = machine[k] * self._regimes + regime[k, n]
        flat = self._rows.reshape(-1, 2)
        size = len(flat)
        flat[:, 0] += np.bincount(place, at[k, n], size)
        flat[:, 1] += np.bincount(place, at[k, n] * (ratio[k, n] > 1.0), size)
        taken = counts & sampled
        if taken.any():
            self._bin(machine, regime, value, taken, each_sampled)

    def _bin(self, machine: Places, regime: Places, value: Matrix, taken: Flags, each: Matrix) -> None:
        at, kept = _weights(taken, each)
        self._count[machine] *= kept[:, None, None, None]
        k, n = np.nonzero(taken)
        code = regime[k, n]
        rows, edges = value[k, n], self._edges[machine[k], code]
        bins = np.sum(rows[:, :, None] > edges, axis=2)
        known = np.isfinite(rows) & ~np.isnan(edges[:, :, 0])
        width = rows.shape[1]
        place = ((machine[k] * self._regimes + code)[:, None] * width + np.arange(width)) * BINS + bins
        weight = np.broadcast_to(at[k, n][:, None], rows.shape)[known]
        self._count += np.bincount(place[known], weight, self._count.size).reshape(self._count.shape)

    def judge(self, machine: Places, step_s: float, sample_s: float, settings: DriftSettings) -> Judged:
        """machine: intp[k]. step_s, sample_s: that a row, and one that counts for inputs, stands for."""
        count = self._count[machine]
        psi = stability_index(_shares(count), self._share[machine])
        mark = np.fmax(self._wander[machine], settings.stable)
        enough = count.sum(axis=3) * sample_s >= settings.least_s
        beyond = np.where(enough & ~np.isnan(self._edges[machine, :, :, 0]), psi / mark, -1.0)
        worst = np.argmax(beyond, axis=1)[:, None]
        found = np.take_along_axis(beyond, worst, axis=1)[:, 0] >= 0
        inputs = [np.where(found, np.take_along_axis(a, worst, axis=1)[:, 0], np.nan) for a in (psi, mark)]
        score = np.array([self._worst_score(int(i), step_s, settings) for i in machine]).reshape(-1, 3)
        return Judged(inputs[0], inputs[1], score[:, 0], score[:, 1], score[:, 2])

    def _worst_score(self, machine: int, step_s: float, settings: DriftSettings) -> tuple[float, float, float]:
        """(over, usual, tail) of the regime with the least tail."""
        found = (float("nan"), float("nan"), 1.0)
        for code, reference in enumerate(self._scores[machine]):
            rows, over = self._rows[machine, code].tolist()
            if reference is None or not reference.rows or rows * step_s < settings.least_s:
                continue
            tail = excess_tail(over, rows, reference)
            if tail < found[2] or found[0] != found[0]:
                found = (over / rows, reference.over / reference.rows, tail)
        return found


def _weights(counts: Flags, each: Matrix) -> tuple[Matrix, Matrix]:
    """counts: [k, n]. Weight of each row at the end of the block, and of what was before it."""
    before = np.cumsum(counts, axis=1)
    total = counts.sum(axis=1)
    return each[:, None] ** (total[:, None] - before), each**total


def _shares(count: Matrix) -> Matrix:
    total = count.sum(axis=-1, keepdims=True)
    return np.asarray(count / np.where(total > 0, total, 1.0))


def _counted(rows: Matrix, edges: Matrix) -> Matrix:
    """[m, BINS]."""
    count = np.zeros((len(edges), BINS))
    for c in np.flatnonzero(~np.isnan(edges[:, 0])):
        value = rows[np.isfinite(rows[:, c]), c]
        count[c] = np.bincount(np.searchsorted(edges[c], value, side="left"), minlength=BINS)
    return count
