"""How far a machine is from its usual behaviour, by itself and against what its model expected."""

import numpy as np
import pytest

from forewarn.policies.usual_behaviour import BEYOND_DOUBT, against_expected, departure, usual

HEALTHY = np.random.default_rng(0).normal((10.0, 200.0, 5.0), (1.0, 20.0, 0.0), (2_000, 3))


def test_a_departure_is_told_in_healthy_spreads() -> None:
    rows = np.tile([13.0, 200.0, 5.0], (30, 1))
    rows[::2, 1] = np.nan
    departs = departure(usual(HEALTHY), rows)
    assert departs.level[0] == pytest.approx(3.0, abs=0.3)
    assert departs.level[1] == pytest.approx(0.0, abs=0.3)
    assert np.isnan(departs.level[2])  # a constant has no spread
    assert departs.restlessness[0] == 0.0
    assert departs.missing.tolist() == [0.0, 0.5, 0.0]


def test_what_the_model_blames_is_clear_where_the_regime_is_wide() -> None:
    level = np.array([0.4, -0.2, np.nan])
    told = against_expected(level, np.array([0.3, -2.0, 1.0]), np.array([0.8, 0.2, 0.0]))
    assert told[0] == BEYOND_DOUBT
    assert told[1] == -BEYOND_DOUBT / 2
    assert told[2] == 0.0


def test_what_is_farther_from_the_usual_stays() -> None:
    level, share = np.array([40.0, 1.0]), np.array([0.5, 0.5])
    assert against_expected(level, np.array([1.0, -1.0]), share).tolist() == [40.0, -BEYOND_DOUBT]


def test_where_nothing_is_expected_or_blamed_the_level_stays() -> None:
    level, nan = np.array([0.4, np.nan, 3.0]), np.full(3, np.nan)
    assert np.array_equal(against_expected(level, nan, np.ones(3) / 3), level, equal_nan=True)
    assert np.array_equal(against_expected(level, np.ones(3), nan), level, equal_nan=True)
    assert np.array_equal(against_expected(level, np.ones(3), np.zeros(3)), level, equal_nan=True)
