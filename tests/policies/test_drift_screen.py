"""Signals that drift in health weigh less, and say why."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from forewarn.policies.drift_screen import screen, slow_share, steadiness


def past(seed: int = 1, rows: int = 400) -> np.ndarray:
    """White noise; a random walk; a ramp with noise; a constant; nothing."""
    random = np.random.default_rng(seed)
    white = random.normal(5, 1, rows)
    walk = np.cumsum(random.normal(0, 1, rows))
    ramp = np.linspace(0, 20, rows) + random.normal(0, 1, rows)
    return np.column_stack((white, white[::-1] * 3, walk, ramp, np.full(rows, 7.0), np.full(rows, np.nan)))


def test_what_drifts_takes_no_part_and_the_reason_says_so() -> None:
    verdicts = screen(past())
    assert [v.takes_part for v in verdicts] == [True, True, False, False, False, False]
    assert [v.reason for v in verdicts[:2]] == ["", ""]
    assert all("drifts in health" in v.reason for v in verdicts[2:4])
    assert all("constant" in v.reason for v in verdicts[4:])
    assert verdicts[3].slow_share > 0.8
    assert np.isnan(verdicts[4].slow_share)


def test_weights_fall_with_the_slow_share_and_the_two_steadiest_keep_one() -> None:
    rows = past()
    np.testing.assert_array_equal(steadiness(rows), [1, 1, 0, 0, 0, 0])
    only_drifting = rows[:, [2, 3, 4]]
    assert [w > 0 for w in steadiness(only_drifting)] == [True, True, False]
    random = np.random.default_rng(2)
    mixed = np.sin(np.arange(2000) / 100) * 1.73 + random.normal(0, 1, 2000)
    share = slow_share(mixed[:, None])[0]
    assert 0.5 < share < 0.7
    weight = steadiness(np.column_stack((mixed, past(3, 2000)[:, :2])))[0]
    assert 0 < weight < 1


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 99),
    gain=st.floats(1e-3, 1e6),
    shift=st.floats(-100, 100),
    gaps=st.sampled_from([0.0, 0.3, 0.9]),
    rows=st.sampled_from([0, 1, 15, 80, 400]),
)
def test_it_is_free_of_units_and_survives_gaps(seed: int, gain: float, shift: float, gaps: float, rows: int) -> None:
    healthy = past(seed, rows)
    healthy[np.random.default_rng(seed).random(healthy.shape) < gaps] = np.nan
    before = healthy.copy()
    share = slow_share(healthy)
    np.testing.assert_array_equal(healthy, before)
    assert ((share >= 0) & (share <= 1) | np.isnan(share)).all()
    np.testing.assert_allclose(slow_share(healthy * gain + shift * gain), share, atol=1e-6)


def test_what_was_seen_to_come_and_go_is_no_drift() -> None:
    """A load that changes every few minutes drifts in 400 rows of health, and is known after two hours."""
    random = np.random.default_rng(4)
    load = np.repeat(random.choice([1.0, 2.0, 3.0], 200), 60) + random.normal(0, 0.1, 12_000)
    other = random.normal(0, 1, (12_000, 2))
    assert not screen(np.column_stack((load, other))[:400])[0].takes_part
    assert screen(np.column_stack((load, other)))[0].takes_part


def test_a_drift_that_has_just_begun_counts_as_much_as_one_that_has_ended() -> None:
    """A level that leaves in the last 60 of 400 rows is seen there as well as in the first."""
    rows = np.random.default_rng(1).normal(0, 1, (400, 3))
    rows[-60:, 2] -= np.linspace(0, 8, 60)
    assert [v.takes_part for v in screen(rows)] == [True, True, False]
    np.testing.assert_allclose(slow_share(rows[::-1]), slow_share(rows), atol=1e-12)
    white = slow_share(rows)[:2]
    assert (white < 0.15).all()
