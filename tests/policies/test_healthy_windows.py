"""What is usual: limits from healthy windows, in memory that covers a slot's whole life evenly."""

import numpy as np
import pytest

from forewarn.policies.healthy_windows import HealthySettings, HealthyWindows

SETTINGS = HealthySettings(
    warm_up=20, keep=64, longest_stride=32, headroom=1.5, quantile=0.99, spreads=6.0, refresh=4, absorb_us=50
)
CALM = np.array([True])


def fed(values: np.ndarray[tuple[int], np.dtype[np.float64]], floor: float = 0.0) -> HealthyWindows:
    healthy = HealthyWindows(SETTINGS, np.array([floor, floor]))
    slot = healthy.allocate(1)
    for i, value in enumerate(values):
        healthy.learn(slot, np.array([[value, np.nan]]), np.array([i]), CALM)
    return healthy


def test_no_limit_before_the_warm_up_and_none_for_what_was_never_known() -> None:
    assert np.isnan(fed(np.ones(19)).limit[0]).all()
    limit = fed(np.ones(20)).limit[0]
    assert limit[0] == pytest.approx(1.5 * (1 + 5 / 20))
    assert np.isnan(limit[1])
    assert fed(np.ones(20), floor=9.0).limit[0, 0] == 9.0


def test_the_limit_is_the_higher_of_quantile_and_spread() -> None:
    random = np.random.default_rng(0)
    wide = random.normal(10, 3, 64)
    assert fed(wide).limit[0, 0] > np.median(wide) + 5 * 3
    narrow = random.normal(10, 0.1, 64)
    assert fed(narrow).limit[0, 0] == pytest.approx(1.5 * 10 * (1 + 5 / 64), rel=0.05)


def test_memory_covers_the_whole_life_and_then_the_newest() -> None:
    """1,500 windows whose value is their number: their median is the middle of the life, not of its end."""
    assert fed(np.arange(1_500.0)).usual[0, 0] == pytest.approx(750, rel=0.1)
    life = fed(np.arange(8_000.0)).usual[0, 0]  # 64 of every 32nd reach back 2,048 windows
    assert life == pytest.approx(8_000 - 2_048 / 2, rel=0.05)


def test_what_is_not_calm_teaches_nothing_until_it_has_lasted() -> None:
    healthy = fed(np.ones(30))
    before = healthy.limit.copy()
    for time in range(100, 149):
        healthy.learn(np.array([0]), np.array([[9.0, np.nan]]), np.array([time]), ~CALM)
    np.testing.assert_array_equal(healthy.limit, before)
    healthy.learn(np.array([0]), np.array([[9.0, np.nan]]), np.array([150]), ~CALM)
    assert np.isnan(healthy.limit[0]).all()
    for time in range(151, 171):
        healthy.learn(np.array([0]), np.array([[9.0, np.nan]]), np.array([time]), CALM)
    assert healthy.usual[0, 0] == 9.0


def test_slots_do_not_know_each_other() -> None:
    healthy = HealthyWindows(SETTINGS, np.zeros(2))
    slots = np.concatenate([healthy.allocate(3), healthy.allocate(9)])
    for i in range(40):
        value = np.column_stack((slots + 1.0, np.full(12, i)))
        healthy.learn(slots, value, np.full(12, i), slots != 5)
    assert healthy.usual[slots, 0].tolist()[:5] == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert np.isnan(healthy.limit[5]).all()
