"""Slow windows: have level, unrest and change over an hour, a shift, a day been seen together in health?"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from forewarn.contracts.trained_detector import Blame, Matrix, Parameters
from forewarn.domain.errors import InvalidInput
from forewarn.policies.shrinkage import filled
from forewarn.policies.standard_rows import centre_and_spread, enough_rows, full_score, share_of, stacked, with_opinion

_SHAPES: Final = {"centre": "m", "spread": "m", "mean": "f", "size": "f", "precision": "ff"}
_FARTHEST: Final = 8.0  # spreads; what taught no more than this can move a covariance
_SEEN_FARTHEST: Final = 50.0
_RIDGE: Final = 0.1  # added to each variance of features whose own is about 1
_QUIET: Final = 0.05  # spreads; unrest below it is the instrument's


class SlowWindows:
    """Mahalanobis distance of, for each signal and each of `lengths` (rows): the mean, the log standard deviation and
    the rise since that many rows ago, and of the value itself; per square root of their number.

    Made for signals that tell by the day: give lengths of hours. A window takes part where half of its rows and
    the newest have a value.

    >>> import numpy as np
    >>> hours = np.arange(960)
    >>> healthy = (70 + 3 * np.sin(hours / 24 * 2 * np.pi) + np.random.default_rng(1).normal(0, 0.3, 960))[:, None]
    >>> detector = SlowWindows((6, 24))
    >>> scorer = detector.prepare([detector.fit(healthy)])
    >>> stuck = np.r_[healthy[:200, 0], np.full(40, healthy[199, 0])][None, :, None]
    >>> score = scorer.score(stuck, np.array([0]))[0]
    >>> bool(score[210] > score[24:200].max())
    True
    """

    name: ClassVar[str] = "slow_windows"

    def __init__(self, lengths: Sequence[int] = (15, 60)) -> None:
        if not lengths or min(lengths) < 2:
            raise InvalidInput(
                f"slow_windows: lengths {list(lengths)}: name windows of 2 rows and more", field="lengths"
            )
        self._lengths = tuple(int(length) for length in lengths)

    @property
    def context(self) -> int:
        return max(self._lengths)

    @property
    def least_rows(self) -> int:
        return max(self._lengths)

    def fit(self, healthy: Matrix, seed: int = 0) -> Parameters:
        centre, spread = centre_and_spread(healthy)
        known = ~np.isnan(spread)
        z = _standardised(healthy[None], centre[None], spread[None])
        opinion = with_opinion(z, known[None], self.context)[0]
        enough_rows(self.name, int(opinion.sum()), self.least_rows)
        features = _features(z, self._lengths)[0][opinion]
        mean, size = centre_and_spread(features)
        x = np.nan_to_num(np.clip((features - mean) / size, -_FARTHEST, _FARTHEST))
        covariance = np.cov(x.T).reshape(x.shape[1], x.shape[1]) + _RIDGE * np.eye(x.shape[1])
        part = ~np.isnan(size)
        return {
            "centre": centre,
            "spread": spread,
            "mean": np.where(part, mean, np.nan),
            "size": np.where(part, size, 1.0),
            "precision": np.linalg.inv(covariance),
        }

    def prepare(self, models: Sequence[Parameters]) -> "SlowWindowsScorer":
        found = stacked(self.name, models, _SHAPES)
        signals = found["spread"].shape[1]
        if found["mean"].shape[1] != signals * (1 + 3 * len(self._lengths)):
            raise InvalidInput(f"{self.name}: mean is not of these window lengths: train the model again", field="mean")
        if (found["size"] <= 0).any():
            raise InvalidInput(f"{self.name}: size is not above 0: train the model again", field="size")
        return SlowWindowsScorer(found, self._lengths)

    def parameters(self) -> Mapping[str, Any]:
        return {"lengths": list(self._lengths)}


class SlowWindowsScorer:
    """See contracts/trained_detector.py."""

    def __init__(self, parameters: Mapping[str, Matrix], lengths: tuple[int, ...]) -> None:
        self._p, self._lengths = parameters, lengths

    def score(self, blocks: Matrix, models: NDArray[np.intp]) -> Matrix:
        x, precision, opinion = self._placed(blocks, models)
        present = np.maximum(np.sum(~np.isnan(x), axis=2), 1)
        whole = filled(x, precision)
        square = np.sum(whole * (whole @ precision), axis=2)
        distance = np.sqrt(np.maximum(square, 0.0) / present)
        return full_score(np.where(opinion, distance, np.nan), blocks.shape[1])

    def explain(self, blocks: Matrix, models: NDArray[np.intp]) -> Blame:
        last = blocks[:, -(max(self._lengths) + 1) :]
        x, precision, opinion = self._placed(last, models)
        k, m = len(blocks), blocks.shape[2]
        whole = filled(x, precision)[:, -1]
        pull = np.einsum("kij,kj->ki", precision, whole).reshape(k, -1, m).swapaxes(1, 2)
        own = np.einsum("kfmgm->kmfg", precision.reshape(k, pull.shape[2], m, pull.shape[2], m))
        healthier = np.linalg.solve(own, pull[..., None])[..., 0]  # what a signal's features are off, given the others'
        here = (~np.isnan(x[:, -1])).reshape(k, -1, m).any(axis=1)
        weight = np.where(here, np.maximum(np.sum(pull * healthier, axis=2), 0.0), np.nan)
        placed = whole[:, :m] - healthier[:, :, 0]
        level = placed * self._p["size"][models][:, :m] + self._p["mean"][models][:, :m]
        expected = self._p["centre"][models] + self._p["spread"][models] * level
        spoken = opinion[:, -1]
        return Blame(share_of(weight, spoken), np.where(spoken[:, None] & here, expected, np.nan))

    def _placed(self, blocks: Matrix, models: NDArray[np.intp]) -> tuple[Matrix, Matrix, NDArray[np.bool_]]:
        """Features in their own spreads, NaN where there is none; precision; rows with an opinion."""
        p = self._p
        z = _standardised(blocks, p["centre"][models], p["spread"][models])
        opinion = with_opinion(z, ~np.isnan(p["spread"][models]), max(self._lengths))
        x = (_features(z, self._lengths) - p["mean"][models][:, None]) / p["size"][models][:, None]
        known = ~np.isnan(p["mean"][models])
        opinion &= 2 * np.sum(~np.isnan(x), axis=2) >= known.sum(axis=1)[:, None]
        opinion &= (~np.isnan(x)).any(axis=2)
        x = np.clip(x, -_SEEN_FARTHEST, _SEEN_FARTHEST)
        return np.where(opinion[..., None], x, 0.0), p["precision"][models], opinion


def _standardised(blocks: Matrix, centre: Matrix, spread: Matrix) -> Matrix:
    with np.errstate(all="ignore"):
        z = (blocks - centre[:, None, :]) / spread[:, None, :]
    return np.where(np.isfinite(blocks), np.clip(z, -_SEEN_FARTHEST, _SEEN_FARTHEST), np.nan)


def _features(z: Matrix, lengths: tuple[int, ...]) -> Matrix:
    """[k, n, m] -> [k, n - longest, (1 + 3 lengths) m]; NaN where the newest value or half of the window is missing."""
    longest = max(lengths)
    now = z[:, longest:]
    found = [now]
    known = ~np.isnan(z)
    value = np.where(known, z, 0.0)
    sums = [_total(known.astype(np.float64)), _total(value), _total(value * value)]
    with np.errstate(all="ignore"):
        for length in lengths:
            count, first, second = (s[:, longest + 1 :] - s[:, longest + 1 - length : -length] for s in sums)
            mean = first / count
            scatter = np.sqrt(np.maximum(second / count - mean * mean, 0.0))
            usable = (2 * count >= length) & ~np.isnan(now)
            rise = now - z[:, longest - length : -length]
            found += [np.where(usable, part, np.nan) for part in (mean, np.log(scatter + _QUIET), rise)]
    return np.concatenate(found, axis=2)


def _total(values: Matrix) -> Matrix:
    return np.cumsum(np.concatenate((np.zeros_like(values[:, :1]), values), axis=1), axis=1)
