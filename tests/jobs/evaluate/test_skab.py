"""Scoring SKAB looks at an experiment's own healthy rows and at nothing later."""

import numpy as np
import pytest

from forewarn.contracts.trained_detector import TrainedDetector
from forewarn.jobs.evaluate.skab import ON_ROWS, VARIANTS, ensemble_alarms, score_skab
from forewarn.jobs.evaluate.skab_data import CHANNELS, HEALTHY_ROWS, Experiment
from forewarn.plugins.trained_detectors.ridge_twin import RidgeTwin
from forewarn.plugins.trained_detectors.robust_z import RobustZ

DETECTORS: dict[str, TrainedDetector] = {"robust_z": RobustZ(), "ridge_twin": RidgeTwin()}
ROWS, FAULT = 900, 600


def experiment(seed: int = 1) -> Experiment:
    value = np.random.default_rng(seed).normal(5.0, 1.0, (ROWS, len(CHANNELS)))
    value[FAULT:800, 7] += 6.0
    anomaly = np.zeros(ROWS, bool)
    anomaly[FAULT:800] = True
    return Experiment(f"valve1/{seed}", np.arange(ROWS) * 1_000_000, value, anomaly, np.zeros(ROWS, bool))


def test_the_fault_is_in_alarm_and_health_is_not() -> None:
    one = experiment()
    (scored,) = score_skab([one], DETECTORS)
    assert scored.name == one.name
    assert scored.alarm[FAULT + 10 : 800].all()
    assert scored.alarm[HEALTHY_ROWS:FAULT].mean() < 0.05
    assert len(scored.alarm) == len(scored.ratio) == ROWS


def test_later_rows_change_nothing_before_them() -> None:
    one, other = experiment(), experiment()
    other.value[700:] = 1e6
    (first,), (second,) = score_skab([one], DETECTORS), score_skab([other], DETECTORS)
    np.testing.assert_array_equal(first.ratio[:700], second.ratio[:700])
    np.testing.assert_array_equal(first.alarm[:700], second.alarm[:700])


def test_labels_are_never_read() -> None:
    one = experiment()
    (first,) = score_skab([one], DETECTORS)
    one.anomaly[:] = ~one.anomaly
    (second,) = score_skab([one], DETECTORS)
    np.testing.assert_array_equal(first.alarm, second.alarm)


def test_a_watcher_says_the_same_rows_as_the_scoring() -> None:
    one = experiment(2)
    (scored,) = score_skab([one], DETECTORS)
    alarm = ensemble_alarms(DETECTORS)(one.value[:HEALTHY_ROWS])(one.value)
    np.testing.assert_array_equal(alarm, scored.alarm)


@pytest.mark.parametrize("limit", [0.5, 1e9])
def test_the_limit_is_the_ratio_that_it_says(limit: float) -> None:
    (scored,) = score_skab([experiment()], DETECTORS, limit)
    if limit > 1e6:
        assert not scored.alarm.any()
    else:
        begun = int(np.flatnonzero(scored.alarm)[0])
        assert (scored.ratio[begun - ON_ROWS + 1 : begun + 1] > limit).all()


def test_what_was_tried_is_counted() -> None:
    assert sum(VARIANTS.values()) == 1501
