"""What a person is told of a rollout (bounds, what comes next and when) is what is then decided."""

import math
from dataclasses import replace
from typing import Final

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from forewarn.domain.model_versions import ModelState
from forewarn.domain.rollouts import Bounds, Observed, RollbackReason, Rollout, RolloutSettings
from forewarn.kit.clock import DAY, HOUR, SECOND
from forewarn.policies.rollout import OPEN, decide, is_over, next_step
from forewarn.policies.rollout_bounds import bounds_of, chance_of, find_fault

NOW: Final = 1_800_000_000 * SECOND
WEEK_S: Final = 7 * 86_400.0
SETTINGS: Final = RolloutSettings()
LATENCIES: Final = st.none() | st.floats(0, 5_000)


@st.composite
def sides(draw: st.DrawFn) -> Observed:
    rows, calls = draw(st.integers(0, 10**6)), draw(st.integers(0, 10**5))
    return Observed(
        NOW,
        asset_s=draw(st.floats(0, 3_000 * WEEK_S)),
        rows=rows,
        opinions=draw(st.integers(0, rows)),
        alarms=draw(st.integers(0, 20_000)),
        calls=calls,
        errors=draw(st.integers(0, calls)),
        latency_ms=draw(LATENCIES),
    )


def good(challenger: Observed, bounds: Bounds) -> Observed:
    """The same, as bad as it may be."""
    return replace(
        challenger,
        alarms=bounds.alarms,
        errors=math.floor(bounds.errors * challenger.calls),
        latency_ms=bounds.latency_ms,
        opinions=challenger.rows,
    )


def reason(challenger: Observed, champion: Observed | None) -> RollbackReason | None:
    fault = find_fault(challenger, champion, SETTINGS)
    return None if fault is None else fault[0]


@given(sides(), st.none() | sides())
def test_within_the_bounds_it_stays_and_beyond_one_of_them_it_goes(
    challenger: Observed, champion: Observed | None
) -> None:
    bounds = bounds_of(challenger, champion, SETTINGS)
    assume(bounds is not None)
    assert bounds is not None
    within = good(challenger, bounds)
    assert reason(within, champion) is None
    assert reason(replace(within, alarms=bounds.alarms + 1), champion) is RollbackReason.ALARM_RATE
    assert reason(replace(within, errors=within.errors + 1), champion) is RollbackReason.ERRORS
    assert reason(replace(within, latency_ms=bounds.latency_ms * 1.001), champion) is RollbackReason.LATENCY
    for opinions in (0, challenger.rows // 3, challenger.rows // 2, challenger.rows):
        silent = reason(replace(within, opinions=opinions), champion) is RollbackReason.SILENT
        is_judged = challenger.rows >= SETTINGS.least_rows
        assert silent == (is_judged and opinions / max(challenger.rows, 1) < bounds.opinions)


@given(sides(), st.none() | sides())
def test_the_rate_that_is_told_says_of_any_count_whether_it_is_within(
    challenger: Observed, champion: Observed | None
) -> None:
    bounds = bounds_of(challenger, champion, SETTINGS)
    assert (bounds is not None) or challenger.asset_s < 1e-290, "too little to tell a rate"
    if bounds is not None:
        is_within = challenger.alarms / (challenger.asset_s / WEEK_S) <= bounds.alarms_per_week
        fine = replace(good(challenger, bounds), alarms=challenger.alarms)
        assert (reason(fine, champion) is None) == is_within


def test_one_alarm_in_an_hour_is_chance_and_the_bound_comes_down_as_more_is_judged() -> None:
    told = [bounds_of(Observed(NOW, asset_s=hours * 3_600.0), None, SETTINGS) for hours in (0.01, 1, 24, 168, 168_000)]
    assert [b and b.alarms for b in told] == [1, 1, 2, 5, 1_099]
    assert [b and round(b.alarms_per_week, 2) for b in told] == [16_800.0, 168.0, 14.0, 5.0, 1.1]
    assert told[-1] == Bounds(1_099, 1.099, 10.0, 0.001, 0.0)


@pytest.mark.parametrize(
    ("new", "champion", "judged_s"),
    [(1, 1, 30), (2, 2, 1_200), (3, 3, 3_600), (10, 10, 7_200), (1, 0, 590), (1, 0, 1), (4, 3, 600), (3, 1, 60)],
)
def test_a_fault_of_the_machine_of_which_both_tell_is_none_of_the_model(new: int, champion: int, judged_s: int) -> None:
    """Or of which the new one tells a little earlier."""
    sides = Observed(NOW, asset_s=judged_s, alarms=new), Observed(NOW, asset_s=judged_s, alarms=champion)
    assert find_fault(*sides, SETTINGS) is None


@pytest.mark.parametrize(("new", "champion", "judged_s"), [(2, 0, 600), (9, 1, 600), (30, 10, 7_200), (60, 20, 90_000)])
def test_alarms_of_its_own_are(new: int, champion: int, judged_s: int) -> None:
    sides = Observed(NOW, asset_s=judged_s, alarms=new), Observed(NOW, asset_s=judged_s, alarms=champion)
    fault = find_fault(*sides, SETTINGS)
    assert fault is not None
    assert fault[0] is RollbackReason.ALARM_RATE


def test_why_it_goes_is_told_in_counts_and_the_time_they_were_counted_in() -> None:
    hours = Observed(NOW, asset_s=5_400, alarms=12), Observed(NOW, asset_s=5_400, alarms=1)
    assert find_fault(*hours, SETTINGS) == (
        RollbackReason.ALARM_RATE,
        "12 alarms in 1.5 machine-hours, where 6 may be chance (champion: 1 alarm in 1.5 machine-hours)",
    )
    assert find_fault(Observed(NOW, asset_s=WEEK_S, alarms=9), None, SETTINGS) == (
        RollbackReason.ALARM_RATE,
        "9 alarms in 1.00 asset-weeks, where 5 may be chance (no champion)",
    )


def test_what_a_gateway_tells_in_excess_is_judged_at_once() -> None:
    """Counts are bounded by 2^53; summing as many terms as their root would take minutes."""
    most = 1 << 53
    champion = Observed(NOW, asset_s=1.0, alarms=most)
    challenger = Observed(NOW, asset_s=float(most), alarms=most)
    assert find_fault(challenger, None, SETTINGS) is not None
    assert find_fault(challenger, champion, SETTINGS) is None
    assert bounds_of(challenger, champion, SETTINGS) is not None


@given(st.floats(8_000, 12_000), st.floats(-3, 4))
def test_the_tail_goes_on_where_it_is_worked_out(mean: float, spreads: float) -> None:
    count = round(mean + spreads * math.sqrt(mean))
    terms = (math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(count, count + 1_500))
    assert chance_of(count, mean) == pytest.approx(math.fsum(terms), rel=1e-3)


@given(
    st.sampled_from(list(ModelState)),
    st.integers(0, 10_000),
    st.integers(-DAY, 40 * DAY),
    st.floats(1e-9, 20 * 86_400),
    st.floats(1e-9, 20 * 86_400),
)
def test_it_is_where_it_was_told_to_be_and_then(
    state: ModelState, rows: int, after: int, least_s: float, watch_s: float
) -> None:
    settings = RolloutSettings(shadow_s=least_s, canary_s=least_s, watch_s=watch_s)
    at, seen = Rollout("r1", {"p1": "v1"}, NOW, state, NOW), Observed(NOW, asset_s=WEEK_S, rows=rows)
    told = next_step(at, seen, NOW + after, settings)
    assert (told is None) == (state is ModelState.CANDIDATE or is_over(at, NOW + after, settings))
    if told is None:
        return
    assert 0 <= told.progress <= 1
    enough = told.rows >= told.least_rows
    if told.into is None:
        assert (state, told.least_rows) == (ModelState.CHAMPION, 0)
        assert told.at is not None
        assert is_over(at, told.at, settings)
        assert not is_over(at, told.at - 1, settings)
        return
    assert (told.at is None) == (not enough and NOW + after >= NOW + math.ceil(least_s * SECOND))
    if told.at is None:
        assert decide(at, seen, None, NOW + after, settings).state is not told.into
        assert told.progress == rows / SETTINGS.least_rows
        return
    assert decide(at, seen, None, told.at - 1, settings) == at
    moved = decide(at, replace(seen, rows=max(rows, told.least_rows)), None, told.at, settings)
    assert moved.state is told.into
    assert (told.progress == 1) == (enough and NOW + after >= told.at)


def test_what_another_state_counted_is_no_progress() -> None:
    at = Rollout("r1", {"p1": "v1"}, NOW, ModelState.CANARY, NOW)
    for seen in (None, Observed(NOW - 1, rows=9_999)):
        told = next_step(at, seen, NOW + 12 * HOUR)
        assert told is not None
        assert (told.into, told.rows, told.progress, told.at) == (ModelState.CHAMPION, 0, 0.0, NOW + 24 * HOUR)
    assert all(state in OPEN or not next_step(replace(at, state=state), None, NOW + 9 * DAY) for state in ModelState)


@given(st.floats(0, 1e15), st.integers(0, 1 << 53))
@example(0.0, 1)
@example(5e-324, 1)
@example(1e-300, 1 << 53)
def test_alarms_a_week_are_a_number_or_not_told(asset_s: float, alarms: int) -> None:
    seen = Observed(NOW, asset_s=asset_s, alarms=alarms)
    told, bounds = seen.alarms_per_week, bounds_of(seen, None, SETTINGS)
    assert told is None or (math.isfinite(told) and told == alarms / seen.asset_weeks)
    assert bounds is None or math.isfinite(bounds.alarms_per_week)
    assert (told is None) <= (asset_s < 1)
