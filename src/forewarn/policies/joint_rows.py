"""What detectors of signals beside one another share: averaged rows in spreads, completed by a covariance that is wide
where the healthy past drifts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forewarn.policies.joint_drift import Unexplained, unexplained, widened, widening
from forewarn.policies.shrinkage import filled, ledoit_wolf
from forewarn.policies.standard_rows import (
    Mask,
    Matrix,
    causal_mean,
    centre_and_spread,
    enough_rows,
    standardised,
    with_opinion,
)

SHAPES: Final = {"centre": "m", "spread": "m", "mean": "m", "precision": "mm"}


@dataclass(frozen=True, slots=True, eq=False)
class JointScale:
    """z: float64[n, m], the rows in spreads (NaN: the signal takes no part) from the centre, [m] each. beside: what
    the others leave of each. wide: joint_drift.widening of z."""

    centre: Matrix
    spread: Matrix
    z: Matrix
    beside: Unexplained

    @property
    def known(self) -> Mask:
        return ~np.isnan(self.spread)

    @property
    def weight(self) -> Matrix:
        return self.beside.weight

    def wide(self) -> Matrix:
        known, wide = self.known, np.eye(len(self.spread))
        at = np.ix_(known, known)
        some = self.z[~np.isnan(self.z).all(axis=1)]
        wide[at] = widening(self.z[:, known], mean_and_covariance(some, known)[1][at])
        return wide


@dataclass(frozen=True, slots=True, eq=False)
class JointFit:
    """x: float64[n, m], the healthy averaged rows about their mean, complete. narrow: covariance of x, shrunk.
    covariance: the same, wide for what drifts. parameters: as JointRows needs them (SHAPES)."""

    scale: JointScale
    x: Matrix
    narrow: Matrix
    wide: Matrix
    covariance: Matrix
    parameters: Mapping[str, Matrix]


def joint_scale(healthy: Matrix) -> JointScale:
    """A signal that drifts by itself has no spread."""
    centre, spread = centre_and_spread(healthy)
    z = standardised(healthy[None], centre[None], spread[None])[0]
    beside = unexplained(z)
    part = beside.weight > 0
    return JointScale(centre, np.where(part, spread, np.nan), np.where(part, z, np.nan), beside)


def joint_fit(detector: str, healthy: Matrix, smooth: int, least: int) -> JointFit:
    """Signals that take no part have the covariance of noise on their own. Raises NotEnoughData."""
    scale = joint_scale(healthy)
    known = scale.known
    opinion = with_opinion(scale.z[None], known[None], smooth - 1)[0]
    enough_rows(detector, int(opinion.sum()), least)
    rows = causal_mean(scale.z[None], smooth)[0][opinion]
    mean, narrow = mean_and_covariance(rows, known)
    wide = scale.wide()
    covariance = wide @ widened(narrow, scale.weight) @ wide.T
    precision = np.asarray(np.linalg.inv((covariance + covariance.T) / 2), np.float64)
    parameters = {"centre": scale.centre, "spread": scale.spread, "mean": mean, "precision": precision}
    rows = np.where(known, rows - mean, 0.0)
    return JointFit(scale, filled(rows[None], precision[None])[0], narrow, wide, covariance, parameters)


def mean_and_covariance(rows: Matrix, known: Mask) -> tuple[Matrix, Matrix]:
    """Of the known columns, from complete rows where there are plenty, else with missing values at the column's
    mean."""
    part = rows[:, known]
    mean = np.zeros(rows.shape[1])
    covariance = np.eye(rows.shape[1])
    count = np.maximum(np.sum(~np.isnan(part), axis=0), 1)
    mean[known] = np.nansum(part, axis=0) / count
    whole = ~np.isnan(part).any(axis=1)
    if whole.sum() >= max(60, 10 * int(known.sum())):
        part = part[whole]
    part = np.where(np.isnan(part), mean[known], part)
    covariance[np.ix_(known, known)] = ledoit_wolf(part)[0] + 1e-6 * np.eye(int(known.sum()))
    return mean, covariance


class JointRows:
    """Averaged, centred and complete rows of several models side by side."""

    def __init__(self, parameters: Mapping[str, Matrix], smooth: int) -> None:
        self._p, self._smooth = parameters, smooth
        self.known = ~np.isnan(parameters["spread"])

    def rows(self, blocks: Matrix, models: NDArray[np.intp]) -> tuple[Matrix, Mask, Mask]:
        """(x[k, n - smooth + 1, m], zero where a signal takes no part; present, like x; opinion[k, n - smooth + 1])."""
        p, known = self._p, self.known[models]
        z = standardised(blocks, p["centre"][models], p["spread"][models])
        opinion = with_opinion(z, known, self._smooth - 1)
        x = causal_mean(z, self._smooth)
        x -= p["mean"][models][:, None, :]
        present = ~np.isnan(x)
        x = np.where(known[:, None, :] & opinion[..., None], x, 0.0)
        return filled(x, p["precision"][models]), present, opinion

    def in_units(self, x: Matrix, models: NDArray[np.intp]) -> Matrix:
        """Centred spreads [k, m] in the signals' units; NaN for signals that take no part."""
        p = self._p
        return np.asarray(p["centre"][models] + p["spread"][models] * (x + p["mean"][models]))
