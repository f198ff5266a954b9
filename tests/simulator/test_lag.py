import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from forewarn.simulator.lag import Lags, first_order


def _one_by_one(target: np.ndarray, a: float, state: np.ndarray) -> np.ndarray:
    rows = []
    for row in target:
        state = a * state + (1.0 - a) * row
        rows.append(state)
    return np.array(rows)


@settings(max_examples=60, deadline=None)
@given(n=st.integers(1, 400), c=st.integers(1, 4), a=st.floats(0.0, 0.99999), seed=st.integers(0, 1000))
def test_blocks_equal_the_recursion_and_leave_the_last_value_as_state(n: int, c: int, a: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    target, start = rng.normal(20.0, 5.0, (n, c)), rng.normal(0.0, 5.0, c)
    state = start.copy()
    y = first_order(target, a, state)
    np.testing.assert_allclose(y, _one_by_one(target, a, start), rtol=1e-10, atol=1e-9)
    np.testing.assert_array_equal(state, y[-1])


def test_step_length_does_not_matter_for_a_constant_target() -> None:
    coarse, fine = Lags(), Lags()
    coarse.states["t"], fine.states["t"] = np.array([20.0]), np.array([20.0])
    coarse.step_s, fine.step_s = 60.0, 1.0
    slow = coarse("t", np.full((10, 1), 80.0), 420.0)
    quick = fine("t", np.full((600, 1), 80.0), 420.0)
    np.testing.assert_allclose(slow[:, 0], quick[59::60, 0], rtol=1e-12)
    np.testing.assert_allclose(slow[6, 0], 80.0 - 60.0 * np.exp(-1.0), rtol=1e-12)  # 420 s = one time constant


def test_a_new_state_starts_at_its_target() -> None:
    np.testing.assert_allclose(Lags()("t", np.full((5, 2), 55.0), 900.0), 55.0)
