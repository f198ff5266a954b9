"""What is slow and not explained by the other signals, by signal and by direction."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from forewarn.policies.drift_screen import screen
from forewarn.policies.joint_drift import unexplained, widened, widening
from forewarn.policies.slow_part import slow_part

Matrix = NDArray[np.float64]


def plant(seed: int = 1, rows: int = 2000) -> Matrix:
    """Three signals that follow a slow load, one that is noise, one that creeps by itself."""
    random = np.random.default_rng(seed)
    load = np.convolve(random.normal(0, 1, rows + 199), np.ones(200) / 14, "valid")
    creep = np.cumsum(random.normal(0, 0.06, rows))
    noise = random.normal(0, 0.1, (rows, 5))
    return np.asarray(np.column_stack((load, -load, 2 * load, 10 * noise[:, 3], creep + noise[:, 4])) + noise)


def in_spreads(rows: Matrix) -> Matrix:
    return np.asarray((rows - rows.mean(axis=0)) / rows.std(axis=0))


def test_what_follows_the_others_is_steady_beside_them_and_what_creeps_is_not() -> None:
    beside = unexplained(in_spreads(plant()))
    np.testing.assert_array_equal(beside.weight > 0, [True, True, True, True, False])
    assert (beside.slow_share[:3] < 0.5).all()
    assert beside.slow_share[4] > 0.8
    assert (beside.part[:3] < 0.3).all()
    assert beside.part[3] == pytest.approx(1.0, abs=0.05)
    assert (slow_part(plant())[[0, 1, 2]] > 0.6).all()


def test_the_verdict_says_who_is_judged_beside_the_others_alone() -> None:
    verdicts = screen(plant())
    assert [v.takes_part for v in verdicts] == [True, True, True, True, False]
    assert all("follows other signals" in v.reason for v in verdicts[:3])
    assert verdicts[3].reason == ""
    assert "drifts in health" in verdicts[4].reason


def test_two_that_creep_together_are_wide_in_their_common_direction_alone() -> None:
    random = np.random.default_rng(3)
    weather = np.cumsum(random.normal(0, 0.05, 2000))
    z = in_spreads(np.column_stack((weather, weather, np.zeros(2000))) + random.normal(0, 0.2, (2000, 3)))
    covariance = np.cov(z.T)
    wide = widening(z, covariance)
    grown = wide @ covariance @ wide.T
    together, apart, other = np.array([1, 1, 0.0]), np.array([1, -1, 0.0]), np.array([0, 0, 1.0])

    def distance(direction: Matrix, of: Matrix) -> float:
        return float(direction @ np.linalg.solve(of, direction))

    assert distance(together, grown) < 0.01 * distance(together, covariance)
    for direction in (apart, other):
        assert distance(direction, grown) == pytest.approx(distance(direction, covariance), rel=0.1)


def test_steady_rows_are_widened_nowhere() -> None:
    z = np.random.default_rng(4).normal(0, 1, (1000, 6))
    np.testing.assert_allclose(widening(z, np.cov(z.T)), np.eye(6), atol=1e-9)


def test_a_weight_widens_what_the_others_leave() -> None:
    covariance = np.array([[1.0, 0.99], [0.99, 1.0]])
    np.testing.assert_array_equal(widened(covariance, np.array([1.0, 0.0])), covariance)
    more = widened(covariance, np.array([0.5, 1.0]))
    assert more[0, 0] - 1.0 == pytest.approx(3.0 / np.linalg.inv(covariance + 0.1 * np.eye(2))[0, 0])
    assert more[1, 1] == 1.0


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 99),
    rows=st.sampled_from([0, 1, 5, 40, 400]),
    gaps=st.sampled_from([0.0, 0.3, 0.95]),
    constant=st.booleans(),
)
def test_gaps_and_short_pasts_give_shares_or_none(seed: int, rows: int, gaps: float, constant: bool) -> None:
    z = plant(seed, 400)[:rows]
    z[np.random.default_rng(seed).random(z.shape) < gaps] = np.nan
    if constant:
        z[:, 1] = np.nan
    before = z.copy()
    beside = unexplained(z)
    np.testing.assert_array_equal(z, before)
    assert ((beside.slow_share >= 0) & (beside.slow_share <= 1) | np.isnan(beside.slow_share)).all()
    assert ((beside.part > 0) & (beside.part <= 1)).all()
    assert ((beside.weight >= 0) & (beside.weight <= 1)).all()
    if rows:
        assert np.isfinite(widening(z, np.eye(5))).all()
