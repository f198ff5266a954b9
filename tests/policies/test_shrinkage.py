"""Shrunk covariances against their definition, and missing values against the conditional mean."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forewarn.policies.shrinkage import filled, ledoit_wolf


def ledoit_wolf_by_the_paper(rows: np.ndarray) -> np.ndarray:
    """Section 3.2, row by row: m, d^2, b^2."""
    n, d = rows.shape
    x = rows - rows.mean(axis=0)
    sample = x.T @ x / n
    m = np.trace(sample) / d
    apart = np.sum((sample - m * np.eye(d)) ** 2) / d
    noise = sum(np.sum((np.outer(row, row) - sample) ** 2) / d for row in x) / n**2
    noise = min(noise, apart)
    return np.asarray(noise / apart * m * np.eye(d) + (apart - noise) / apart * sample)


@pytest.mark.parametrize(("n", "d"), [(8, 20), (50, 5), (400, 30)])
def test_it_is_the_estimator_of_the_paper(n: int, d: int) -> None:
    random = np.random.default_rng(n)
    rows = random.normal(0, 1, (n, d)) @ random.normal(0, 1, (d, d))
    covariance, share = ledoit_wolf(rows)
    np.testing.assert_allclose(covariance, ledoit_wolf_by_the_paper(rows), rtol=1e-9, atol=1e-9)
    assert 0 <= share <= 1
    assert np.linalg.eigvalsh(covariance).min() > 0


def test_rows_without_any_spread_are_no_trouble() -> None:
    covariance, share = ledoit_wolf(np.full((10, 3), 4.0))
    assert share == 1.0
    np.testing.assert_array_equal(covariance, np.zeros((3, 3)))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 999), rows=st.sampled_from([1, 2, 60]), part=st.sampled_from([0.0, 0.1, 0.5, 1.0]))
def test_missing_values_are_the_conditional_mean_of_the_rest(seed: int, rows: int, part: float) -> None:
    random = np.random.default_rng(seed)
    root = random.normal(0, 1, (3, 5, 5))
    covariance = root @ root.transpose(0, 2, 1) + 0.1 * np.eye(5)
    x = random.normal(0, 1, (3, rows, 5))
    x[random.random(x.shape) < part] = np.nan
    before = x.copy()
    got = filled(x, np.linalg.inv(covariance))
    np.testing.assert_array_equal(x, before)
    for k, n in np.ndindex(3, rows):
        gone = np.isnan(x[k, n])
        wanted = np.where(gone, 0.0, x[k, n])
        if gone.any() and not gone.all():
            across, among = covariance[k][np.ix_(gone, ~gone)], covariance[k][np.ix_(~gone, ~gone)]
            wanted[gone] = across @ np.linalg.solve(among, x[k, n][~gone])
        np.testing.assert_allclose(got[k, n], wanted, rtol=1e-6, atol=1e-6)
