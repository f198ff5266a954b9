"""What drifts in health and is not explained by the other signals: that has no fixed limit.

A flow that follows the load is slow, and may be held against the pressure that follows it too. A thermometer that
creeps by itself is slow in what the others leave of it; two that creep together, in the direction of both.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forewarn.policies.slow_part import (
    DRIFTING,
    LEAST_SIGNALS,
    STEADY,
    Matrix,
    centred,
    slow_means,
    slow_part,
    weights,
)

Mask = NDArray[np.bool_]
RIDGE: Final = 0.1  # added to each variance of signals in spreads
_BLOCKS: Final = 5
_LEAST_PART: Final = 0.02  # an instrument's own noise is seldom less of a signal's healthy range
_WIDEST: Final = 30.0


@dataclass(frozen=True, slots=True, eq=False)
class Unexplained:
    """What the other signals leave of each signal. slow_share: of the variance of that; NaN for a signal without
    values. part: its standard deviation against the signal's own, 0-1."""

    slow_share: Matrix
    part: Matrix

    @property
    def weight(self) -> Matrix:
        """[m], as slow_part.weights has it: of a signal's deviations from what the others let expect."""
        return weights(self.slow_share)


def unexplained(z: Matrix) -> Unexplained:
    """z: float64[n, m], healthy rows in spreads. Each fifth of them is predicted by ridge regressions on the rest.

    What drifts by itself explains nothing either: the worst is taken out before the rest is judged again."""
    known: Mask = ~np.isnan(z)
    rows = centred(z)
    share, part = np.full(z.shape[1], np.nan), np.ones(z.shape[1])
    left: Mask = np.asarray(known.any(axis=0))
    while left.any():
        residual = np.where(known[:, left], _out_of_block(rows[:, left], np.asarray(known.any(axis=1))), np.nan)
        share[left] = slow_part(residual)
        size = [np.sum(centred(x) ** 2, axis=0) for x in (residual, z[:, left])]
        part[left] = np.sqrt(np.clip(size[0] / np.where(size[1] > 0, size[1], 1.0), _LEAST_PART**2, 1.0))
        worst = int(np.argmax(np.where(left, np.nan_to_num(share), -1.0)))
        if not share[worst] > DRIFTING or left.sum() <= LEAST_SIGNALS:
            break
        left[worst] = False
        part[worst] = 1.0
    return Unexplained(share, part)


def _out_of_block(rows: Matrix, some: Mask) -> Matrix:
    """Residuals of each column given the others, of blocks that the regression has not seen. some: bool[n], rows with a
    value. With P = (C + ridge I)^-1 all regressions at once are x P / diag P (Hastie, Tibshirani & Friedman 2009,
    17.3.1)."""
    blocks = list(pairwise(np.linspace(0, len(rows), _BLOCKS + 1).astype(int)))
    products = np.stack([rows[a:b].T @ rows[a:b] for a, b in blocks])
    counts = np.array([some[a:b].sum() for a, b in blocks])
    seen = (products.sum(axis=0) - products) / np.maximum(counts.sum() - counts, 1)[:, None, None]
    precision = np.linalg.inv(seen + RIDGE * np.eye(rows.shape[1]))
    return np.concatenate([rows[a:b] @ (p / np.diag(p)) for p, (a, b) in zip(precision, blocks, strict=True)])


def widened(covariance: Matrix, weight: Matrix) -> Matrix:
    """The covariance where a signal of weight w has 1 / w^2 times the variance that the others leave of it; 0 is none
    that takes part."""
    own = 1.0 / np.diag(np.linalg.inv(covariance + RIDGE * np.eye(len(covariance))))
    return np.asarray(covariance + np.diag(own * (1.0 / np.where(weight > 0, weight, 1.0) ** 2 - 1.0)))


def widening(z: Matrix, covariance: Matrix) -> Matrix:
    """G[m, m], so that G C G' is wide along directions that drift. z: float64[n, m], healthy rows in spreads;
    covariance: theirs, positive definite.

    Directions v are those in which the slow share v' S v / v' C v is stationary (S: covariance of the moving averages),
    as in slow feature analysis (Wiskott & Sejnowski 2002): what goes together, as flow and pressure with a load, is
    slow along the load and calm across it. Each is judged as a signal is; one of weight w becomes 1 / w times as wide,
    thirty times at most."""
    mean, seen = slow_means(z)
    count = seen.astype(np.float64)
    root = np.linalg.cholesky(covariance)
    slow = mean.T @ mean / np.maximum(count.T @ count, 1.0)
    inner = np.linalg.solve(root, np.linalg.solve(root, slow).T)
    share, vector = np.linalg.eigh((inner + inner.T) / 2)
    width = 1.0 / np.clip((DRIFTING - share) / (DRIFTING - STEADY), 1.0 / _WIDEST, 1.0)
    return np.asarray(np.linalg.solve(root.T, ((root @ vector) * width @ vector.T).T).T)
