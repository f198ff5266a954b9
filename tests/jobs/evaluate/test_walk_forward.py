"""Watching from the first days on: causal, and no fault teaches what is normal."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forewarn.domain.errors import NotEnoughData
from forewarn.jobs.evaluate.walk_forward import WalkForward, watch
from forewarn.plugins.trained_detectors.slow_windows import SlowWindows

DAY = 24
PLAN = WalkForward(warm=7 * DAY, every=DAY, calm=DAY)


def days(count: int, seed: int = 1) -> np.ndarray:
    hours = np.arange(count * DAY)
    noise = np.random.default_rng(seed).normal(0, 0.3, len(hours))
    return (60 + 4 * np.sin(2 * np.pi * hours / DAY) + noise)[:, None]


def detector() -> SlowWindows:
    return SlowWindows((6, DAY))


@settings(max_examples=8)
@given(st.integers(8 * DAY, 14 * DAY - 1), st.integers(0, 3))
def test_the_future_changes_nothing_that_was(cut: int, seed: int) -> None:
    value = days(14, seed)
    value[11 * DAY : 12 * DAY] -= 20
    whole, short = watch(value, detector(), PLAN), watch(value[:cut], detector(), PLAN)
    np.testing.assert_allclose(whole.ratio[:cut], short.ratio)
    assert (whole.raised[:cut] == short.raised).all()


def test_a_fault_is_found_once_and_its_repetition_again() -> None:
    value = days(40)
    value[20 * DAY : 20 * DAY + 8] -= 25
    value[30 * DAY : 30 * DAY + 8] -= 25
    raised = np.flatnonzero(watch(value, detector(), PLAN).raised)
    assert {20 * DAY, 30 * DAY} <= set(raised.tolist())
    assert not [row for row in raised if 20 * DAY < row <= 21 * DAY + 8]


def test_an_alarm_that_worsens_is_raised_again() -> None:
    value = days(40)
    value[20 * DAY : 20 * DAY + 8] -= 5
    value[20 * DAY + 8 : 21 * DAY] -= 60
    assert {20 * DAY, 20 * DAY + 8} <= set(np.flatnonzero(watch(value, detector(), PLAN).raised).tolist())
    patient = WalkForward(warm=7 * DAY, every=DAY, calm=DAY, worse=np.inf)
    assert not watch(value, detector(), patient).raised[20 * DAY + 8]


def test_no_opinion_before_there_was_a_week_to_learn_from() -> None:
    watched = watch(days(10), detector(), PLAN)
    assert np.isnan(watched.ratio[: PLAN.warm]).all()
    assert np.isfinite(watched.ratio[PLAN.warm :]).all()


def test_a_week_that_teaches_nothing_is_told() -> None:
    value = days(10)
    value[: PLAN.warm] = np.nan
    with pytest.raises(NotEnoughData):
        watch(value, detector(), PLAN)


def test_a_lower_quantile_alarms_no_less() -> None:
    value = days(30)
    strict, loose = (watch(value, detector(), WalkForward(7 * DAY, DAY, DAY, q)).ratio for q in (1.0, 0.9))
    assert np.nansum(loose > 1) >= np.nansum(strict > 1)
    assert np.nansum(loose > 1) > 0
