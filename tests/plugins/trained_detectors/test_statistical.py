"""What each of the four default detectors sees that the others may not."""

import numpy as np
import pytest
from numpy.typing import NDArray

from forewarn.contracts.trained_detector import Matrix, TrainedDetector
from forewarn.plugins.trained_detectors.pca import Pca
from forewarn.plugins.trained_detectors.ridge_twin import RidgeTwin
from forewarn.plugins.trained_detectors.robust_z import RobustZ
from forewarn.plugins.trained_detectors.window_mahalanobis import WindowMahalanobis, window_features

pytestmark = pytest.mark.filterwarnings("error")
ALONE = np.zeros(1, np.intp)


def pump(seed: int, rows: int) -> Matrix:
    """Flow follows speed, power follows both, vibration follows nothing."""
    random = np.random.default_rng(seed)
    speed = random.normal(1450, 15, rows)
    flow = speed / 50 + random.normal(0, 0.02, rows)
    power = speed / 100 + flow / 2 + random.normal(0, 0.05, rows)
    return np.column_stack((speed, flow, power, random.normal(2, 0.2, rows)))


def ratio(detector: TrainedDetector, healthy: Matrix, rows: Matrix) -> NDArray[np.float64]:
    """Score against the largest healthy one."""
    scorer = detector.prepare([detector.fit(healthy)])
    usual = np.nanmax(scorer.score(healthy[None], ALONE))
    return np.asarray(scorer.score(rows[None], ALONE)[0] / usual)


@pytest.mark.parametrize("detector", [RidgeTwin(), Pca()])
def test_a_broken_relation_is_seen_where_every_value_is_ordinary(detector: TrainedDetector) -> None:
    rows = pump(2, 60)
    rows[:, 1] = 28.2  # the flow of a slow pump, at any speed
    rows[:, 0], rows[:, 2] = 1465.0, 1465 / 100 + 28.2 / 2
    assert np.all(ratio(detector, pump(1, 600), rows)[20:] > 1.5)
    assert np.all(ratio(RobustZ(), pump(1, 600), rows)[20:] < 2.5)


def test_scatter_is_seen_where_every_mean_is_ordinary() -> None:
    rows = pump(3, 200)
    rows[100:, 3] = 2 + np.random.default_rng(4).normal(0, 0.8, 100)
    assert np.median(ratio(WindowMahalanobis(), pump(1, 600), rows)[120:]) > 1.5


def test_one_wrong_row_is_no_fault() -> None:
    rows = pump(5, 60)
    rows[30, 3] = 1e9
    assert np.nanmax(ratio(RobustZ(), pump(1, 600), rows)) < 3.0


def test_the_mean_of_a_signal_between_two_steps_is_its_level() -> None:
    """Two thirds of the values on one step of the instrument, one third on the next: the median is on a step."""
    random = np.random.default_rng(6)
    stepped = np.column_stack((random.choice([30.0, 31.0], 900, p=[0.65, 0.35]), random.normal(0, 1, 900)))
    detector = RobustZ()
    scorer = detector.prepare([detector.fit(stepped)])
    assert scorer.explain(stepped[None], ALONE).expected[0, 0] == pytest.approx(stepped[:, 0].mean(), abs=1e-6)


def test_the_twin_expects_what_the_others_imply() -> None:
    detector = RidgeTwin(ridge=0.001)
    scorer = detector.prepare([detector.fit(pump(1, 2000))])
    rows = pump(7, 30)
    true_flow = rows[-10:, 1].mean()
    rows[:, 1] += 1.0
    expected = scorer.explain(rows[None], ALONE).expected[0, 1]
    assert expected == pytest.approx(true_flow, abs=0.3)


@pytest.mark.parametrize("gaps", [0.0, 0.2])
def test_window_features_are_mean_scatter_and_rise(gaps: float) -> None:
    random = np.random.default_rng(8)
    z = random.normal(0, 1, (2, 50, 3)) + np.linspace(0, 5, 50)[:, None]
    z[random.random(z.shape) < gaps] = np.nan
    features = window_features(z, 12)
    assert features.shape == (2, 39, 9)
    for k, row, signal in np.ndindex(2, 39, 3):
        window = z[k, row : row + 12, signal]
        known = ~np.isnan(window)
        if known.sum() < 6 or not known[-1]:
            assert np.isnan(features[k, row, signal::3]).all()
            continue
        rise = 12 * np.polyfit(np.flatnonzero(known), window[known], 1)[0]
        wanted = [window[known].mean(), np.log(window[known].std() + 0.05), rise]
        np.testing.assert_allclose(features[k, row, signal::3], wanted, atol=1e-8)
