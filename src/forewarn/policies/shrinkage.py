"""Covariances that can be trusted from few rows, and what they say of values that are missing."""

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


def ledoit_wolf(rows: Matrix) -> tuple[Matrix, float]:
    """(covariance[d, d], share of the target in it) of rows[n, d] about their own mean, shrunk towards a multiple of
    the identity with the least expected squared error (Ledoit & Wolf 2004, A well-conditioned estimator for
    large-dimensional covariance matrices)."""
    n, d = rows.shape
    x = rows - rows.mean(axis=0)
    sample = x.T @ x / n
    mean_variance = float(np.trace(sample)) / d
    apart = float(np.sum(sample * sample)) / d - mean_variance**2
    square = x * x
    noise = (float(np.sum(square.T @ square)) / n - float(np.sum(sample * sample))) / (n * d)
    share = min(max(noise, 0.0) / apart, 1.0) if apart > 0 else 1.0
    return (1.0 - share) * sample + share * mean_variance * np.eye(d), share


def filled(x: Matrix, precision: Matrix) -> Matrix:
    """x[k, n, d] with each NaN replaced by what its row's other values let expect under N(0, precision[k]^-1); a row
    without any value becomes zeros.

    With the row filled so, x' P x is the squared Mahalanobis distance of the values that are known."""
    missing = np.isnan(x)
    if not missing.any():
        return x
    whole = np.where(missing, 0.0, x)
    block, row = np.nonzero(missing.any(axis=2))
    key = np.column_stack((block, np.packbits(missing[block, row], axis=1)))
    keys, which = np.unique(key, axis=0, return_inverse=True)
    which = which.reshape(-1)
    if len(row) < 2 * len(keys):
        gone, p = missing[block, row], precision[block]
        pull = np.where(gone, -np.einsum("rij,rj->ri", p, whole[block, row]), 0.0)
        whole[block, row] += np.linalg.solve(_of_missing(p, gone), pull[..., None])[..., 0]
        return whole
    order = np.argsort(which, kind="stable")
    edges = np.searchsorted(which[order], np.arange(len(keys) + 1))
    first = order[edges[:-1]]
    gone, p = missing[block[first], row[first]], precision[block[first]]
    gain = -np.linalg.solve(_of_missing(p, gone), np.where(gone[:, :, None] & ~gone[:, None, :], p, 0.0))
    for i, at in enumerate(block[first]):
        rows = row[order[edges[i] : edges[i + 1]]]
        whole[at, rows] += whole[at, rows] @ gain[i].T
    return whole


def _of_missing(precision: Matrix, gone: NDArray[np.bool_]) -> Matrix:
    """The precision among the missing values, the identity elsewhere."""
    return np.where(gone[:, :, None] & gone[:, None, :], precision, np.eye(gone.shape[1]))
