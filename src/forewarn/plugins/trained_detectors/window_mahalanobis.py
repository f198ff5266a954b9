"""Window Mahalanobis: has the half minute's mean, scatter or slope of the signals been seen in health?"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from forewarn.contracts.trained_detector import Blame, Matrix, Parameters
from forewarn.domain.errors import InvalidInput
from forewarn.policies.joint_drift import widened
from forewarn.policies.joint_rows import joint_scale, mean_and_covariance
from forewarn.policies.shrinkage import filled
from forewarn.policies.standard_rows import (
    Mask,
    enough_rows,
    share_of,
    stacked,
    standardised,
    with_opinion,
)

_CHUNK: Final = 4096
_SHAPES: Final = {"centre": "m", "spread": "m", "mean": "f", "precision": "ff"}


class WindowMahalanobis:
    """Mahalanobis distance of each signal's mean, log standard deviation and slope over `window` rows, with a
    covariance shrunk as Ledoit & Wolf (2004) have it, wide for what drifts in health (policies/joint_drift.py), per
    square root of the number of features.

    A signal takes part where at least half of its window's rows have a value.

    >>> import numpy as np
    >>> healthy = np.random.default_rng(1).normal([20.0, 3.0], [0.5, 0.1], (500, 2))
    >>> detector = WindowMahalanobis()
    >>> scorer = detector.prepare([detector.fit(healthy)])
    >>> shaking = np.random.default_rng(2).normal([20.0, 3.0], [0.5, 0.4], (1, 30, 2))
    >>> bool(scorer.score(shaking, np.array([0]))[0, 29] > 2)
    True
    """

    name: ClassVar[str] = "window_mahalanobis"

    def __init__(self, window: int = 30) -> None:
        self._window = window

    @property
    def context(self) -> int:
        return self._window - 1

    @property
    def least_rows(self) -> int:
        return 4 * self._window

    def fit(self, healthy: Matrix, seed: int = 0) -> Parameters:
        scale = joint_scale(healthy)
        known, z = scale.known, scale.z[None]
        opinion = with_opinion(z, known[None], self.context)[0]
        enough_rows(self.name, int(opinion.sum()), self.least_rows)
        features = window_features(z, self._window)[0][opinion]
        seen = np.sum(~np.isnan(features), axis=0)
        part = np.tile(known, 3) & (seen >= self.least_rows // 2)
        enough_rows(self.name, int(seen[part].max(initial=0)), self.least_rows // 2)
        mean, covariance = mean_and_covariance(features, part)
        wide = np.eye(len(part))
        wide[: len(known), : len(known)] = scale.wide()
        covariance = wide @ widened(covariance, np.where(part, np.tile(scale.weight, 3), 0.0)) @ wide.T
        mean[~part] = np.nan
        precision = np.linalg.inv((covariance + covariance.T) / 2)
        return {"centre": scale.centre, "spread": scale.spread, "mean": mean, "precision": precision}

    def prepare(self, models: Sequence[Parameters]) -> "WindowMahalanobisScorer":
        found = stacked(self.name, models, _SHAPES)
        if found["mean"].shape[1] != 3 * found["spread"].shape[1]:
            raise InvalidInput(f"{self.name}: mean is not three features a signal: train the model again", field="mean")
        return WindowMahalanobisScorer(found, self._window)

    def parameters(self) -> Mapping[str, Any]:
        return {"window": self._window}


class WindowMahalanobisScorer:
    """See contracts/trained_detector.py."""

    def __init__(self, parameters: Mapping[str, Matrix], window: int) -> None:
        self._p, self._window = parameters, window

    def score(self, blocks: Matrix, models: NDArray[np.intp]) -> Matrix:
        back, n = self._window - 1, blocks.shape[1]
        score = np.full(blocks.shape[:2], np.nan)
        for first in range(back, n, _CHUNK):
            last = min(first + _CHUNK, n)
            score[:, first:last] = self._part(blocks[:, first - back : last], models)
        return score

    def _part(self, blocks: Matrix, models: NDArray[np.intp]) -> Matrix:
        x, present, opinion = self._features(blocks, models)
        square = np.sum(x * (x @ self._p["precision"][models]), axis=2)
        distance = np.sqrt(np.maximum(square, 0.0) / np.maximum(present.sum(axis=2), 1))
        return np.where(opinion, distance, np.nan)

    def explain(self, blocks: Matrix, models: NDArray[np.intp]) -> Blame:
        features, there, opinion = self._features(blocks[:, -self._window :], models)
        x, present, spoken = features[:, -1], there[:, -1], opinion[:, -1]
        precision = self._p["precision"][models]
        own = np.einsum("kii->ki", precision)
        pull = np.einsum("kij,kj->ki", precision, x)
        m = blocks.shape[2]
        each = np.where(present, pull * pull / own, 0.0).reshape(len(x), 3, m).sum(axis=1)
        weight = np.where(present.reshape(len(x), 3, m).any(axis=1), each, np.nan)
        level = (x - pull / own)[:, :m] + self._p["mean"][models][:, :m]
        expected = self._p["centre"][models] + self._p["spread"][models] * level
        return Blame(share_of(weight, spoken), np.where(spoken[:, None], expected, np.nan))

    def _features(self, blocks: Matrix, models: NDArray[np.intp]) -> tuple[Matrix, Mask, Mask]:
        p = self._p
        z = standardised(blocks, p["centre"][models], p["spread"][models])
        opinion = with_opinion(z, ~np.isnan(p["spread"][models]), self._window - 1)
        x = window_features(z, self._window) - p["mean"][models][:, None]
        present = ~np.isnan(x)
        known = ~np.isnan(p["mean"][models])
        opinion &= 2 * present.sum(axis=2) >= known.sum(axis=1)[:, None]
        opinion &= present.any(axis=2)
        x = np.where(known[:, None, :] & opinion[..., None], x, 0.0)
        return filled(x, p["precision"][models]), present & known[:, None, :], opinion


def window_features(z: Matrix, window: int) -> Matrix:
    """[k, n, m] -> [k, n - window + 1, 3 m]: mean, log(standard deviation + 0.05) and rise over the window, of the
    values that are known; NaN where they are less than half of the window or the newest is missing."""
    n = z.shape[1]
    known = ~np.isnan(z)
    value = np.where(known, z, 0.0)
    place = (np.arange(n) - n / 2)[:, None]
    columns = [known.astype(np.float64), value, value * value, place * value]
    gaps = not known.all()
    if gaps:
        columns += [place * known, place * place * known]
    count, first, second, moment, *rest = (_window_sums(c, window) for c in columns)
    with np.errstate(all="ignore"):
        mean = first / count
        variance = np.maximum(second / count - mean * mean, 0.0)
        if gaps:
            middle = rest[0] / count
            width = rest[1] - count * middle * middle
        else:
            middle = (np.arange(n - window + 1) - n / 2 + (window - 1) / 2)[:, None]
            width = np.full(1, window * (window * window - 1) / 12)
        rise = window * (moment - middle * first) / width
        features = np.concatenate((mean, np.log(np.sqrt(variance) + 0.05), rise), axis=2)
    usable = (2 * count >= window) & known[:, window - 1 :]
    features[~np.tile(usable, 3)] = np.nan
    return features


def _window_sums(values: Matrix, window: int) -> Matrix:
    if values.shape[1] == window:  # on arrival
        return np.asarray(values.sum(axis=1, keepdims=True))
    total = np.cumsum(values, axis=1)
    sums = total[:, window - 1 :].copy()
    sums[:, 1:] -= total[:, :-window]
    return sums
