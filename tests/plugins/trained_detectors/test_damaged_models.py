"""Whatever is done to a stored model: it is refused by name, or it still scores what is a number."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from forewarn.contracts.trained_detector import TrainedDetector
from forewarn.domain.errors import InvalidInput
from forewarn.plugins.trained_detectors.isolation_forest import IsolationForest
from forewarn.plugins.trained_detectors.lstm_autoencoder import LstmAutoencoder
from forewarn.plugins.trained_detectors.matrix_profile import MatrixProfile

SMALL: list[TrainedDetector] = [
    IsolationForest(trees=10, sub_sample=32),
    MatrixProfile(window=8, library=16),
    LstmAutoencoder(steps=6, units=4, epochs=1, runtime="numpy"),
    LstmAutoencoder(steps=6, units=4, epochs=1, runtime="onnx"),
]
pytestmark = pytest.mark.filterwarnings("error")


def damaged(array: NDArray[Any], random: np.random.Generator) -> NDArray[Any]:
    """One value or all of them replaced, the end cut off, other bytes in its place, or Python objects."""
    kind = int(random.integers(0, 9))
    if kind < 6:
        wrong, everywhere = array.copy(), bool(random.integers(0, 2))
        with np.errstate(all="ignore"):
            value = np.array([np.nan, np.inf, -1.0, 1e308, 1e-308, -1e30][kind]).astype(array.dtype)
        wrong[... if everywhere else tuple(int(random.integers(0, n)) for n in array.shape)] = value
        return wrong
    if kind == 6:
        return array.ravel()[:-1]
    if kind == 7:
        return array.astype(object)
    return np.frombuffer(random.bytes(array.nbytes), array.dtype).reshape(array.shape)


@pytest.mark.parametrize("detector", SMALL, ids=lambda d: f"{d.name}-{d.parameters().get('runtime', '')}")
def test_no_damage_crashes_or_scores_infinity(detector: TrainedDetector) -> None:
    random = np.random.default_rng(0)
    right = detector.fit(random.normal(size=(300, 4)))
    blocks = random.normal(size=(2, detector.context + 10, 4))
    refused = 0
    for name in sorted(right):
        for _ in range(30):
            try:
                scorer = detector.prepare([right, {**right, name: damaged(right[name], random)}])
            except InvalidInput as error:
                refused += 1
                assert detector.name in str(error)  # noqa: PT017
                continue
            score = scorer.score(blocks, np.array([0, 1]))
            assert np.isfinite(score[0, detector.context :]).all()
            assert not np.isinf(score[1]).any()
            blame = scorer.explain(blocks, np.array([0, 1]))
            assert not np.isinf(blame.expected).any()
    assert refused > 40
