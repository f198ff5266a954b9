"""Several detectors on one scale: the ratio of a score to its healthy quantile, learned on rows held out from the
fit."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forewarn.contracts.trained_detector import Blame, Matrix, Parameters, TrainedDetector
from forewarn.domain.errors import InvalidInput, NotEnoughData
from forewarn.learning.built_detectors import Settings, built, settings_of, text_of
from forewarn.learning.shared_part import Calibrated
from forewarn.policies.alarm_budget import AlarmBudget, healthy_tail, threshold
from forewarn.policies.drift_screen import ScreenedSignal, screen
from forewarn.policies.standard_rows import share_of

LEAST_RATIO: Final = 0.2  # one member that is very calm does not outvote the others
_CHUNK_ROWS: Final = 600
_MANY_ROWS: Final = (1_000, 4_000, 8_000)  # the longer the past, the less a fit misses what is held out of it


@dataclass(frozen=True, slots=True)
class EnsembleSettings:
    """folds: contiguous blocks held out in turn (fewer where there are more than 1,000 rows). quantile: of
    the healthy ratios, 1. most_rows: a longer past is learned from evenly spaced stretches that come to about as
    many. budget: what the threshold is derived from."""

    folds: int = 16
    quantile: float = 0.995
    most_rows: int = 12_000
    budget: AlarmBudget = field(default_factory=AlarmBudget)


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """One detector as fitted. healthy: what its scores are divided by, > 0 (healthy_levels). settings: its
    hyper-parameters; None = those of the detector that is installed."""

    detector: str
    parameters: Parameters
    healthy: float
    settings: Settings | None = None

    @property
    def kind(self) -> tuple[str, str | None]:
        """Members of one kind are scored side by side."""
        return self.detector, text_of(self.settings)


@dataclass(frozen=True, slots=True, eq=False)
class Ensemble:
    """threshold: the ratio above which it speaks. rows: healthy rows it learned from. screened: a verdict per signal.
    held_out: float32, the ratios of healthy rows in order, each from a fit that had not seen it, NaN where there is
    none: alarm_budget.healthy_tail(held_out, budget) is what the threshold is derived from again as people answer."""

    members: tuple[Member, ...]
    threshold: float
    rows: int
    screened: tuple[ScreenedSignal, ...] = ()
    held_out: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))


def fit_ensemble(
    healthy: Matrix, detectors: Mapping[str, TrainedDetector], settings: EnsembleSettings | None = None, seed: int = 0
) -> Ensemble:
    """healthy: float64[n, m] as in TrainedDetector. A detector for which there is too little is left out; raises
    NotEnoughData where it is all of them."""
    settings = settings or EnsembleSettings()
    rows, verdicts = learnable(healthy, settings)
    folds = max(settings.folds // (1 + sum(len(rows) > many for many in _MANY_ROWS)), 2)
    fitted, seen, held, refused = [], [], [], []
    for name, detector in detectors.items():
        try:
            parameters = detector.fit(rows, seed)
            held.append(held_out_scores(rows, detector, folds, seed))
        except NotEnoughData as error:
            refused.append(str(error))
            continue
        seen.append(detector.prepare([parameters]).score(rows[None], np.zeros(1, np.intp))[0])
        fitted.append((name, parameters, settings_of(detector)))
    if not fitted:
        raise NotEnoughData("; ".join(refused) or "an ensemble needs at least one detector")
    levels = healthy_levels(np.stack(seen), np.stack(held), settings.quantile)
    held_out = mean_ratio(np.stack(held) / levels[:, None]).astype(np.float32)
    limit = threshold(healthy_tail(held_out, settings.budget), settings.budget)
    members = tuple(
        Member(name, parameters, float(level), own)
        for (name, parameters, own), level in zip(fitted, levels, strict=True)
    )
    return Ensemble(members, limit, len(healthy), verdicts, held_out)


def healthy_levels(seen: Matrix, held_out: Matrix, quantile: float) -> Matrix:
    """[members]: what each one's scores ([members, n]) are divided by, so that 1 is the healthy quantile of the mean of
    the ratios: each one's own healthy level, times that of the mean. Members that seldom peak together have a mean that
    stays far below their quantiles, on another machine they peak as one."""
    own = np.array([healthy_level(*pair, quantile) for pair in zip(seen, held_out, strict=True)])
    mean_seen, mean_held_out = (mean_ratio(scores / own[:, None]) for scores in (seen, held_out))
    return np.asarray(own * healthy_level(mean_seen, mean_held_out, quantile))


def learnable(healthy: Matrix, settings: EnsembleSettings) -> tuple[Matrix, tuple[ScreenedSignal, ...]]:
    """(the rows that detectors are fitted to, a verdict per signal)."""
    rows = thinned(healthy, settings.most_rows)
    verdicts = screen(rows)
    return np.where([v.takes_part for v in verdicts], rows, np.nan), verdicts


def healthy_level(seen: Matrix, held_out: Matrix, quantile: float) -> float:
    """The score at the quantile of healthy rows: between that of rows the fit has seen (too low) and of rows held out
    (too high: those fits knew less, and drift sets a block apart from the rest), weighed .368 to .632 in logarithms as
    Efron's .632 estimator has it (Efron 1983, Estimating the error rate of a prediction rule). 1 where none is above
    0."""
    low, high = (float(np.nanquantile(s, quantile)) if np.isfinite(s).any() else 0.0 for s in (seen, held_out))
    if low <= 0 or high <= 0:
        return max(low, high) or 1.0
    return float(low**0.368 * high**0.632)


def thinned(healthy: Matrix, most_rows: int) -> Matrix:
    """Evenly spaced stretches of 600 rows, with a break between them, where there are more rows than `most_rows`."""
    n = len(healthy)
    if n <= most_rows:
        return healthy
    stretches = max(most_rows // _CHUNK_ROWS, 1)
    starts = np.linspace(0, n - _CHUNK_ROWS, stretches).astype(int)
    return joined([healthy[start : start + _CHUNK_ROWS] for start in starts])


def joined(parts: Sequence[Matrix]) -> Matrix:
    """The parts behind one another, with a break between them."""
    gap = np.full((1, parts[0].shape[1]), np.nan)
    return np.concatenate([piece for part in parts if len(part) for piece in (part, gap)][:-1] or [parts[0]])


def held_out_scores(rows: Matrix, detector: TrainedDetector, folds: int, seed: int = 0) -> Matrix:
    """float64[n]: each row scored by a fit that saw neither it nor a row within `context` of its block. In-sample
    scores are smaller than those to come. Raises NotEnoughData."""
    context = detector.context
    # What a template shares is held out with them: a part of it each that has not seen the block.
    fitting = detector.folds if isinstance(detector, Calibrated) else (detector,) * folds
    score = np.full(len(rows), np.nan)
    for one, (first, last, seen) in zip(fitting, blocks_held_out(rows, len(fitting), context), strict=True):
        scorer = one.prepare([one.fit(seen, seed)])
        begin = max(first - context, 0)
        score[first:last] = scorer.score(rows[None, begin:last], np.zeros(1, np.intp))[0, first - begin :]
    return score


def blocks_held_out(rows: Matrix, folds: int, context: int) -> Iterator[tuple[int, int, Matrix]]:
    """(first, last, the other rows) of contiguous blocks; rows within `context` of a block are in neither."""
    for first, last in pairwise(np.linspace(0, len(rows), folds + 1).astype(int)):
        yield first, last, joined([rows[: max(first - context, 0)], rows[last + context :]])


def mean_log(logs: Matrix) -> Matrix:
    """Mean over the first axis of what is known; NaN where that is less than half."""
    known = ~np.isnan(logs)
    count = known.sum(axis=0)
    mean = np.where(known, logs, 0.0).sum(axis=0) / np.maximum(count, 1)
    return np.where(2 * count >= len(logs), np.where(count > 0, mean, np.nan), np.nan)


def mean_ratio(ratios: Matrix) -> Matrix:
    """Geometric mean over the first axis, the members; NaN where fewer than half of them have an opinion."""
    return np.asarray(np.exp(mean_log(np.log(np.maximum(ratios, LEAST_RATIO)))))


class EnsembleScorer:
    """Ensembles of several machines side by side; all of the same number of signals and the same members, in order.

    Each member is scored by the detector that it was learned with: of `detectors`, with the member's own settings.
    Raises InvalidInput where they are not alike, or where a member's detector is not there or refuses its settings."""

    def __init__(self, detectors: Mapping[str, TrainedDetector], ensembles: Sequence[Ensemble]) -> None:
        if not ensembles:
            raise InvalidInput("There is no ensemble to score with", field="ensembles")
        kinds = [member.kind for member in ensembles[0].members]
        if any([member.kind for member in e.members] != kinds for e in ensembles):
            raise InvalidInput("Ensembles of different members cannot be scored side by side", field="members")
        own = [built(detectors, member.detector, member.settings) for member in ensembles[0].members]
        self._names = [name for name, _ in kinds]
        self._contexts = [detector.context for detector in own]
        self._scorers = [
            detector.prepare([e.members[i].parameters for e in ensembles]) for i, detector in enumerate(own)
        ]
        self._healthy = np.array([[member.healthy for member in e.members] for e in ensembles])

    @property
    def context(self) -> int:
        """Rows before a row that its ratio depends on: the most of any member."""
        return max(self._contexts)

    def ratio(self, blocks: Matrix, models: NDArray[np.intp]) -> Matrix:
        """blocks: float64[k, n, m], block i by ensemble models[i]. float64[k, n]: geometric mean of the members'
        ratios; NaN where fewer than half of them have an opinion, always so for the first `context` rows."""
        return mean_ratio(self._ratios(blocks, models))

    def by_member(self, blocks: Matrix, models: NDArray[np.intp]) -> dict[str, Matrix]:
        """float64[k, n] by name: what `ratio` is the mean of."""
        return dict(zip(self._names, self._ratios(blocks, models), strict=True))

    def explain(self, blocks: Matrix, models: NDArray[np.intp]) -> Blame:
        """Shares weighed by the members' ratios; expected by the member that is most alarmed of those that expect
        something."""
        ratios = self._ratios(blocks[:, -self.context - 1 :], models)[:, :, -1]
        spoken = ~np.isnan(mean_ratio(ratios))
        share = np.zeros((len(blocks), blocks.shape[2]))
        expected = np.full(share.shape, np.nan)
        best = np.zeros(share.shape)
        for scorer, context, ratio in zip(self._scorers, self._contexts, ratios, strict=True):
            blame = scorer.explain(blocks[:, -context - 1 :], models)
            weight = np.nan_to_num(ratio)[:, None]
            share += weight * np.nan_to_num(blame.share)
            better = ~np.isnan(blame.expected) & (weight > best)
            expected, best = np.where(better, blame.expected, expected), np.where(better, weight, best)
        return Blame(share_of(share, spoken), np.where(spoken[:, None], expected, np.nan))

    def _ratios(self, blocks: Matrix, models: NDArray[np.intp]) -> Matrix:
        """[members, k, n]."""
        ratios = np.full((len(self._names), *blocks.shape[:2]), np.nan)
        longest = self.context
        for i, (scorer, context) in enumerate(zip(self._scorers, self._contexts, strict=True)):
            skipped = longest - context
            score = scorer.score(blocks[:, skipped:], models)[:, context:]
            ratios[i, :, longest:] = score / self._healthy[models, i][:, None]
        return ratios
