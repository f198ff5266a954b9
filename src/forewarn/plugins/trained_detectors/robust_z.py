"""Robust z-score: is any signal far from its own healthy level?"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from forewarn.contracts.trained_detector import Blame, Matrix, Parameters
from forewarn.policies.drift_screen import steadiness
from forewarn.policies.standard_rows import (
    causal_mean,
    centre_and_spread,
    enough_rows,
    full_score,
    share_of,
    stacked,
    standardised,
    with_opinion,
)

_SHAPES = {"centre": "m", "spread": "m", "weight": "m"}


class RobustZ:
    """Largest |mean of `smooth` rows - healthy mean| over the signals, in robust spreads of single rows (Iglewicz &
    Hoaglin 1993), by weight where a signal drifts in health (policies/drift_screen.py).

    The centre is a mean, to which nothing counts as farther than 20 spreads: a signal that jumps between two steps has
    its median on one of them, and its averages between.

    >>> import numpy as np
    >>> healthy = np.random.default_rng(1).normal([20.0, 3.0], [0.5, 0.1], (500, 2))
    >>> detector = RobustZ()
    >>> scorer = detector.prepare([detector.fit(healthy)])
    >>> block = np.tile([20.0, 3.9], (10, 1))[None]
    >>> blame = scorer.explain(block, np.array([0]))
    >>> bool(scorer.score(block, np.array([0]))[0, 9] > 8), [round(float(s), 1) for s in blame.share[0]]
    (True, [0.0, 1.0])
    """

    name: ClassVar[str] = "robust_z"

    def __init__(self, smooth: int = 10) -> None:
        self._smooth = smooth

    @property
    def context(self) -> int:
        return self._smooth - 1

    @property
    def least_rows(self) -> int:
        return 60

    def fit(self, healthy: Matrix, seed: int = 0) -> Parameters:
        centre, spread = centre_and_spread(healthy)
        weight = steadiness(healthy)
        spread = np.where(weight > 0, spread, np.nan)
        known = ~np.isnan(spread)
        z = standardised(healthy[None], centre[None], spread[None])
        enough_rows(self.name, int(with_opinion(z, known[None], self.context).sum()), self.least_rows)
        mean = np.nansum(z[0], axis=0) / np.maximum(np.sum(~np.isnan(z[0]), axis=0), 1)
        centre = centre + np.where(known, mean * np.where(known, spread, 0.0), 0.0)
        return {"centre": centre, "spread": spread, "weight": weight}

    def prepare(self, models: Sequence[Parameters]) -> "RobustZScorer":
        return RobustZScorer(stacked(self.name, models, _SHAPES), self._smooth)

    def parameters(self) -> Mapping[str, Any]:
        return {"smooth": self._smooth}


class RobustZScorer:
    """See contracts/trained_detector.py."""

    def __init__(self, parameters: Mapping[str, Matrix], smooth: int) -> None:
        self._p, self._smooth = parameters, smooth

    def score(self, blocks: Matrix, models: NDArray[np.intp]) -> Matrix:
        away, opinion = self._away(blocks, models)
        worst = np.max(np.where(np.isnan(away), 0.0, away), axis=2)
        return full_score(np.where(opinion, worst, np.nan), blocks.shape[1])

    def explain(self, blocks: Matrix, models: NDArray[np.intp]) -> Blame:
        away, opinion = self._away(blocks[:, -self._smooth :], models)
        spoken, known = opinion[:, -1], ~np.isnan(self._p["spread"][models])
        expected = np.where(known & spoken[:, None], self._p["centre"][models], np.nan)
        return Blame(share_of(away[:, -1] ** 2, spoken), expected)

    def _away(self, blocks: Matrix, models: NDArray[np.intp]) -> tuple[Matrix, NDArray[np.bool_]]:
        centre, spread = self._p["centre"][models], self._p["spread"][models]
        z = standardised(blocks, centre, spread)
        opinion = with_opinion(z, ~np.isnan(spread), self._smooth - 1)
        return np.abs(causal_mean(z, self._smooth)) * self._p["weight"][models][:, None, :], opinion
