"""The threshold that a budget allows: what it promises, how it grows, how feedback moves it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forewarn.domain.findings import Verdict
from forewarn.policies.alarm_budget import (
    AlarmBudget,
    HealthyTail,
    alarms_per_week,
    grown,
    healthy_tail,
    in_alarm,
    leeway,
    threshold,
)

BUDGET = AlarmBudget()
WEEK = 604_800
tails = st.builds(
    HealthyTail,
    level=st.floats(0.2, 1.5),
    rows=st.integers(100, 10**7),
    peaks=st.integers(0, 500),
    excess=st.floats(0.01, 50),
)
biases = st.floats(-1, 1)


def healthy(seed: int, rows: int) -> np.ndarray:
    """Ratios as an ensemble has them in health: smooth, below 1 nearly always."""
    random = np.random.default_rng(seed)
    noise = np.convolve(random.normal(0, 1, rows + 9), np.ones(10) / np.sqrt(10), "valid")
    return np.asarray(np.exp(-0.5 + 0.18 * noise))


def alarms_begun(ratio: np.ndarray, limit: float, budget: AlarmBudget = BUDGET) -> int:
    alarm = in_alarm(ratio, limit, budget.on_rows, budget.off_rows)
    return int(np.count_nonzero(np.diff(alarm.astype(int), prepend=0) == 1))


@pytest.mark.parametrize("rows", [400, 3_600, 20_000])
def test_the_budget_holds_over_weeks_whatever_little_was_seen(rows: int) -> None:
    """Twenty machines, each watched for a week after `rows` healthy seconds."""
    begun = []
    for seed in range(20):
        limit = threshold(healthy_tail(healthy(seed, rows), BUDGET), BUDGET)
        begun.append(alarms_begun(healthy(1000 + seed, WEEK), limit))
    assert np.mean(begun) <= BUDGET.per_week


def test_the_threshold_comes_down_as_healthy_data_grow() -> None:
    few = np.mean([threshold(healthy_tail(healthy(s, 400), BUDGET), BUDGET) for s in range(10)])
    many = np.mean([threshold(healthy_tail(healthy(s, 200_000), BUDGET), BUDGET) for s in range(10)])
    assert many < few - 0.05


def test_growing_piece_by_piece_knows_what_the_whole_knows() -> None:
    ratio = healthy(3, 60_000)
    tail = healthy_tail(ratio[:10_000], BUDGET)
    for first in range(10_000, 60_000, 10_000):
        tail = grown(tail, ratio[first : first + 10_000], BUDGET)
    level = tail.level
    whole = grown(HealthyTail(level, 1, 0, 0.0), ratio, BUDGET)
    assert abs(tail.peaks - whole.peaks) <= 12
    assert tail.rows == pytest.approx(len(ratio), rel=0.001)
    assert grown(HealthyTail(0.0, 0, 0, 0.0), ratio, BUDGET) == healthy_tail(ratio, BUDGET)


@given(tail=tails, low=st.floats(0.1, 10), more=st.floats(1, 100))
def test_a_larger_budget_never_raises_the_threshold(tail: HealthyTail, low: float, more: float) -> None:
    small, large = replace(BUDGET, per_week=low), replace(BUDGET, per_week=low * more)
    assert BUDGET.least <= threshold(tail, large) <= threshold(tail, small) <= BUDGET.most


@given(tail=tails, first=st.floats(0.5, 5), more=st.floats(0, 5))
def test_a_higher_threshold_never_expects_more_alarms(tail: HealthyTail, first: float, more: float) -> None:
    assert alarms_per_week(tail, first + more, BUDGET) <= alarms_per_week(tail, first, BUDGET)


@given(tail=tails)
def test_within_its_bounds_the_threshold_spends_the_budget(tail: HealthyTail) -> None:
    limit = threshold(tail, BUDGET)
    if BUDGET.least < limit < BUDGET.most and limit > tail.level:
        assert alarms_per_week(tail, limit, BUDGET) == pytest.approx(BUDGET.per_week, rel=1e-6)


@given(tail=tails, bias=biases, peak=st.floats(0.5, 50), verdict=st.sampled_from(Verdict))
def test_feedback_moves_the_right_way_and_stays_within_the_budgets_bounds(
    tail: HealthyTail, bias: float, peak: float, verdict: Verdict
) -> None:
    before = threshold(tail, BUDGET, bias)
    after = threshold(tail, BUDGET, leeway(tail, BUDGET).answered(verdict, peak, bias))
    tight, loose = replace(BUDGET, per_week=BUDGET.per_week / 4), replace(BUDGET, per_week=BUDGET.per_week * 4)
    assert threshold(tail, loose) - 1e-9 <= after <= threshold(tail, tight) + 1e-9
    slack = 1e-9 * before
    if verdict is Verdict.WRONG:
        assert after >= before - slack
    elif verdict is Verdict.CONFIRMED:
        assert after <= before + slack
    else:
        assert after == pytest.approx(before)


def test_a_wrong_finding_would_not_be_raised_again_where_the_bounds_allow() -> None:
    tail = healthy_tail(healthy(1, 400), BUDGET)
    now = threshold(tail, BUDGET)
    peak = now * 1.05
    after = threshold(tail, BUDGET, leeway(tail, BUDGET).answered(Verdict.WRONG, peak))
    assert now < peak < after


def test_nothing_known_is_most_cautious() -> None:
    nothing = healthy_tail(np.full(500, np.nan), BUDGET)
    assert nothing.rows == 0
    assert threshold(nothing, BUDGET) == BUDGET.most
    assert alarms_per_week(nothing, 2.0, BUDGET) == np.inf
    assert healthy_tail(np.zeros(0), BUDGET).rows == 0
    assert np.isfinite(threshold(healthy_tail(np.zeros(500), BUDGET), BUDGET))


@pytest.mark.parametrize(
    "wrong", [{"per_week": 0.0}, {"row_s": -1.0}, {"least": 5.0}, {"least": 0.0}, {"on_rows": 0}, {"off_rows": 0}]
)
def test_a_budget_that_means_nothing_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="alarm"):
        AlarmBudget(**wrong)  # type: ignore[arg-type]


@settings(max_examples=200)
@given(
    hot=st.lists(st.sampled_from([0.5, 2.0, np.nan]), max_size=60),
    on_rows=st.integers(1, 5),
    off_rows=st.integers(1, 6),
)
def test_hysteresis_is_that_of_a_row_by_row_walk(hot: list[float], on_rows: int, off_rows: int) -> None:
    wanted, alarm, run = [], False, 0
    for value in hot:
        against = (value > 1.0) != alarm
        run = run + 1 if against else 0
        if run >= (off_rows if alarm else on_rows):
            alarm, run = not alarm, 0
        wanted.append(alarm)
    ratio = np.array([hot, hot])
    got = in_alarm(ratio.reshape(2, len(hot)), 1.0, on_rows, off_rows)
    np.testing.assert_array_equal(got, [wanted, wanted])
