"""PCA: is the row far out in the plane of healthy rows or off that plane?"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from forewarn.contracts.trained_detector import Blame, Matrix, Parameters
from forewarn.policies.joint_rows import SHAPES, JointRows, joint_fit
from forewarn.policies.standard_rows import full_score, share_of, stacked


class Pca:
    """Square root of the larger of Hotelling's T2 in the plane and off it, of means over `smooth` rows without what
    drifts in health (policies/joint_drift.py), each in units of its healthy 99 % quantile.

    The plane: as many components as explain `explained` of the variance. Off it each component counts in its own
    spreads (Hawkins 1974, The detection of errors in multivariate data using principal components); in the plain
    squared error (Q, Jackson & Mudholkar 1979) the tightest relations would not show. Blame:
    reconstruction-based contributions (Alcala & Qin 2009) to the sum of both (Yue & Qin 2001), `expected` the value
    that would make it least.

    >>> import numpy as np
    >>> random = np.random.default_rng(1)
    >>> load = random.normal(50, 10, 500)
    >>> healthy = np.column_stack((load, 2 * load, 3 * load)) + random.normal(0, 0.5, (500, 3))
    >>> detector = Pca()
    >>> scorer = detector.prepare([detector.fit(healthy)])
    >>> block = np.tile([[50.0, 115.0, 150.0]], (10, 1))[None]
    >>> bool(scorer.score(block, np.array([0]))[0, 9] > 3)
    True
    >>> int(scorer.explain(block, np.array([0])).share[0].argmax())
    1
    """

    name: ClassVar[str] = "pca"

    def __init__(self, smooth: int = 10, explained: float = 0.85) -> None:
        self._smooth, self._explained = smooth, explained

    @property
    def context(self) -> int:
        return self._smooth - 1

    @property
    def least_rows(self) -> int:
        return 120

    def fit(self, healthy: Matrix, seed: int = 0) -> Parameters:
        found = joint_fit(self.name, healthy, self._smooth, self.least_rows)
        known = np.flatnonzero(found.scale.known)
        value, vector = np.linalg.eigh(found.narrow[np.ix_(known, known)])
        value, vector = value[::-1], vector[:, ::-1]
        kept = 1 + int(np.searchsorted(np.cumsum(value) / np.sum(value), self._explained))
        kept = min(kept, max(len(known) - 1, 1))
        axes = vector / np.sqrt(value)
        m = len(found.narrow)
        plane, off = np.zeros((m, m)), np.zeros((m, m))
        plane[known, :kept], off[known, : len(known) - kept] = axes[:, :kept], axes[:, kept:]
        calm = np.linalg.inv(found.wide).T
        plane, off = calm @ plane, calm @ off
        t2, q = np.sum((found.x @ plane) ** 2, axis=1), np.sum((found.x @ off) ** 2, axis=1)
        limits = np.quantile([t2, q], 0.99, axis=1)
        limits = np.where(limits > 0, limits, 1.0)
        return {**found.parameters, "plane": plane / np.sqrt(limits[0]), "off": off / np.sqrt(limits[1])}

    def prepare(self, models: Sequence[Parameters]) -> "PcaScorer":
        return PcaScorer(stacked(self.name, models, {**SHAPES, "plane": "mm", "off": "mm"}), self._smooth)

    def parameters(self) -> Mapping[str, Any]:
        return {"smooth": self._smooth, "explained": self._explained}


class PcaScorer:
    """See contracts/trained_detector.py."""

    def __init__(self, parameters: Mapping[str, Matrix], smooth: int) -> None:
        self._p, self._smooth = parameters, smooth
        self._rows = JointRows(parameters, smooth)

    def score(self, blocks: Matrix, models: NDArray[np.intp]) -> Matrix:
        x, _, opinion = self._rows.rows(blocks, models)
        t2, q = (np.sum((x @ self._p[name][models]) ** 2, axis=2) for name in ("plane", "off"))
        return full_score(np.where(opinion, np.sqrt(np.maximum(t2, q)), np.nan), blocks.shape[1])

    def explain(self, blocks: Matrix, models: NDArray[np.intp]) -> Blame:
        x, present, opinion = self._rows.rows(blocks[:, -self._smooth :], models)
        last, spoken = x[:, -1], opinion[:, -1]
        sides = np.concatenate((self._p["plane"][models], self._p["off"][models]), axis=2)
        index = sides @ sides.transpose(0, 2, 1)
        own = np.maximum(np.einsum("kii->ki", index), 1e-12)
        pull = np.einsum("kij,kj->ki", index, last)
        weight = np.where(present[:, -1], pull * pull / own, np.nan)
        expected = self._rows.in_units(last - pull / own, models)
        return Blame(share_of(weight, spoken), np.where(spoken[:, None], expected, np.nan))
