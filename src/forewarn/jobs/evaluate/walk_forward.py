"""One asset watched from its first days on: fitted again as its healthy past grows, never on what comes later."""

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forewarn.contracts.trained_detector import Matrix, TrainedDetector
from forewarn.domain.errors import NotEnoughData
from forewarn.policies.detection_metrics import Flags


@dataclass(frozen=True, slots=True)
class WalkForward:
    """How an asset is watched. All in rows.

    warm: the first fit; no alarm before. every: between fits. folds: contiguous parts of the past, each scored by a fit
    on the others: the limit is the `quantile` of these held-out scores. calm: an alarm ends when nothing was above
    the limit for so long; the next one then is a new one. worse: while an alarm lasts it is raised again by a score so
    many times the one that raised it. Rows above the limit teach nothing afterwards.
    """

    warm: int
    every: int
    calm: int
    quantile: float = 1.0
    folds: int = 4
    worse: float = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class Watched:
    """ratio: float64[n], score to the limit of its time, NaN = no opinion. raised: bool[n], where an alarm begins."""

    ratio: NDArray[np.float64]
    raised: Flags


def watch(value: Matrix, detector: TrainedDetector, plan: WalkForward, seed: int = 0) -> Watched:
    """value: float64[n, m], steps of a regular grid. The ratio of a row depends on rows up to it alone."""
    n = len(value)
    ratio = np.full(n, np.nan)
    past = value.copy()
    limit, model = np.nan, None
    for begin in range(plan.warm, n, plan.every):
        end = min(begin + plan.every, n)
        try:
            limit, model = _learned(past[:begin], detector, plan, seed)
        except NotEnoughData:
            if model is None:
                raise
        back = max(begin - detector.context, 0)
        score = detector.prepare([model]).score(value[None, back:end], np.zeros(1, np.intp))[0, begin - back :]
        ratio[begin:end] = score / limit
        past[begin:end][ratio[begin:end] > 1] = np.nan
    return Watched(ratio, _raised(ratio, plan))


def _learned(
    past: Matrix, detector: TrainedDetector, plan: WalkForward, seed: int
) -> tuple[float, dict[str, NDArray[np.float64]]]:
    rows, context = len(past), detector.context
    edges = np.linspace(0, rows, plan.folds + 1).astype(int)
    held_out = []
    for begin, end in itertools.pairwise(edges.tolist()):
        others = past.copy()
        others[begin:end] = np.nan
        back = max(begin - context, 0)
        scorer = detector.prepare([detector.fit(others, seed)])
        held_out.append(scorer.score(past[None, back:end], np.zeros(1, np.intp))[0, begin - back :])
    scores = np.concatenate(held_out)
    return float(np.quantile(scores[~np.isnan(scores)], plan.quantile)), dict(detector.fit(past, seed))


def _raised(ratio: NDArray[np.float64], plan: WalkForward) -> Flags:
    raised = np.zeros(len(ratio), bool)
    last, worst = -plan.calm - 1, 0.0
    for row in np.flatnonzero(ratio > 1).tolist():
        ended = row - last > plan.calm
        raised[row] = ended or ratio[row] > plan.worse * worst
        worst = ratio[row] if ended or raised[row] else worst
        last = row
    return raised
