"""Detectors as one uses them: trained on healthy rows, a limit from the same rows held out in turn, alarms of a run."""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from forewarn.contracts.trained_detector import Matrix, TrainedDetector
from forewarn.learning.ensemble import held_out_scores
from forewarn.policies.detection_metrics import Flags

Train = Callable[[Matrix], Callable[[Matrix], Flags]]
Watchers = Mapping[str, Train]
_FIRST: Final = np.zeros(1, np.intp)


def single(detector: TrainedDetector, quantile: float = 0.99, folds: int = 5, seed: int = 0) -> Train:
    """One detector; its limit is the quantile of the held-out healthy scores."""

    def train(healthy: Matrix) -> Callable[[Matrix], Flags]:
        limit = float(np.nanquantile(held_out_scores(healthy, detector, folds, seed), quantile))
        scorer = detector.prepare([detector.fit(healthy, seed)])
        return lambda run: scorer.score(run[None], _FIRST)[0] > limit

    return train
