"""Ridge twin: does each signal say what the others let expect?"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from forewarn.contracts.trained_detector import Blame, Matrix, Parameters
from forewarn.policies.joint_rows import SHAPES, JointRows, joint_fit
from forewarn.policies.standard_rows import full_score, share_of, stacked


class RidgeTwin:
    """Largest |residual| over the signals of a ridge regression of each on all others, of means over `smooth` rows, per
    spread of the residuals of single rows, by weight where those drift in health (policies/joint_drift.py).

    How wide residuals are and how slow is learned from rows that the regression has not seen.

    With P = (C + ridge I)^-1 of the standardised signals all m regressions at once are r_i = (P x)_i / P_ii
    (Hastie, Tibshirani & Friedman 2009, 17.3.1).

    >>> import numpy as np
    >>> random = np.random.default_rng(1)
    >>> load = random.normal(50, 10, 500)
    >>> healthy = np.column_stack((load, 2 * load + random.normal(0, 0.5, 500)))
    >>> detector = RidgeTwin()
    >>> scorer = detector.prepare([detector.fit(healthy)])
    >>> block = np.tile([[50.0, 112.0]], (10, 1))[None]
    >>> expected = scorer.explain(block, np.array([0])).expected[0]
    >>> bool(scorer.score(block, np.array([0]))[0, 9] > 0.5), bool(abs(expected[1] - 100) < 1)
    (True, True)
    """

    name: ClassVar[str] = "ridge_twin"

    def __init__(self, smooth: int = 10, ridge: float = 0.1) -> None:
        self._smooth, self._ridge = smooth, ridge

    @property
    def context(self) -> int:
        return self._smooth - 1

    @property
    def least_rows(self) -> int:
        return 120

    def fit(self, healthy: Matrix, seed: int = 0) -> Parameters:
        found = joint_fit(self.name, healthy, self._smooth, self.least_rows)
        precision = np.linalg.inv(found.covariance + self._ridge * np.eye(len(found.covariance)))
        twin = precision / np.diag(precision)[:, None]
        weight = np.where(found.scale.known, found.scale.weight / found.scale.beside.part, 0.0)
        return {**found.parameters, "weight": weight, "twin": twin}

    def prepare(self, models: Sequence[Parameters]) -> "RidgeTwinScorer":
        return RidgeTwinScorer(stacked(self.name, models, {**SHAPES, "weight": "m", "twin": "mm"}), self._smooth)

    def parameters(self) -> Mapping[str, Any]:
        return {"smooth": self._smooth, "ridge": self._ridge}


class RidgeTwinScorer:
    """See contracts/trained_detector.py."""

    def __init__(self, parameters: Mapping[str, Matrix], smooth: int) -> None:
        self._p, self._smooth = parameters, smooth
        self._rows = JointRows(parameters, smooth)

    def score(self, blocks: Matrix, models: NDArray[np.intp]) -> Matrix:
        x, present, opinion = self._rows.rows(blocks, models)
        away = np.abs(x @ self._p["twin"][models].transpose(0, 2, 1)) * self._p["weight"][models][:, None, :]
        worst = np.max(np.where(present, away, 0.0), axis=2)
        return full_score(np.where(opinion, worst, np.nan), blocks.shape[1])

    def explain(self, blocks: Matrix, models: NDArray[np.intp]) -> Blame:
        x, present, opinion = self._rows.rows(blocks[:, -self._smooth :], models)
        last, spoken = x[:, -1], opinion[:, -1]
        residual = np.einsum("kij,kj->ki", self._p["twin"][models], last)
        weight = np.where(present[:, -1], (residual * self._p["weight"][models]) ** 2, np.nan)
        expected = self._rows.in_units(last - residual, models)
        return Blame(share_of(weight, spoken), np.where(spoken[:, None], expected, np.nan))
