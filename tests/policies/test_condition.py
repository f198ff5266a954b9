"""Deadband and delays in source time, the same however readings are cut."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from forewarn.domain.alarms import AlarmRule, Condition, Priority
from forewarn.policies.condition import Flip, Holding, advance, raw_condition
from forewarn.policies.value_watch import RUNNING, STANDING, ValueWatch

SECOND = 1_000_000


def rule(condition: Condition = Condition.ABOVE, on_s: float = 0.0, off_s: float = 0.0, **more: bool) -> AlarmRule:
    return AlarmRule(
        "a", "r", 1, "a.s", condition, 10.0, Priority.LOW, "t", deadband=2.0, on_delay_s=on_s, off_delay_s=off_s, **more
    )


def run(watched: AlarmRule, values: list[float], holding: Holding, first: int = 0) -> tuple[Holding, list[Flip]]:
    value = np.array(values)
    time = (first + np.arange(len(value))) * SECOND
    return advance(watched, holding, time, value, raw_condition(watched, holding.raw, value))


def flips(watched: AlarmRule, values: list[float]) -> list[tuple[bool, int]]:
    return [(f.active, f.at // SECOND) for f in run(watched, values, Holding())[1]]


def test_the_threshold_itself_is_not_beyond_and_the_deadband_holds() -> None:
    assert flips(rule(), [10.0, 10.1, 8.1, 8.0, 8.1]) == [(True, 1), (False, 3)]
    assert flips(rule(Condition.BELOW), [10.0, 9.9, 11.9, 12.0]) == [(True, 1), (False, 3)]


def test_a_condition_must_hold_for_the_whole_delay() -> None:
    assert flips(rule(on_s=3.0), [11, 11, 11, 7, 11, 11, 11, 11]) == [(True, 7)]
    assert flips(rule(off_s=2.0), [11, 7, 7, 11, 7, 7, 7]) == [(True, 0), (False, 6)]


@settings(max_examples=200, deadline=None)
@given(
    values=st.lists(st.sampled_from([7.0, 9.0, 11.0]), min_size=1, max_size=40),
    cut=st.integers(0, 40),
    on_s=st.integers(0, 3),
    off_s=st.integers(0, 3),
)
def test_cutting_changes_nothing_and_a_plain_loop_agrees(values: list[float], cut: int, on_s: int, off_s: int) -> None:
    watched = rule(on_s=on_s, off_s=off_s)
    whole = run(watched, values, Holding())
    middle, before = run(watched, values[:cut], Holding())
    end, after = run(watched, values[cut:], middle, cut)
    assert (end, before + after) == whole
    active, raw, since, expected = False, False, None, []
    for at, value in enumerate(values):
        raw = value > 10 if value > 10 or value <= 8 else raw
        since = None if raw == active else (at if since is None else since)
        if since is not None and at - since >= (off_s if active else on_s):
            active, since = raw, None
            expected.append((active, at))
    assert [(f.active, f.at // SECOND) for f in whole[1]] == expected


@settings(max_examples=200, deadline=None)
@given(
    values=st.lists(st.floats(5, 15), min_size=1, max_size=6),
    active=st.booleans(),
    below=st.booleans(),
)
def test_a_value_inside_the_quiet_band_can_change_nothing(values: list[float], active: bool, below: bool) -> None:
    watched = rule(Condition.BELOW if below else Condition.ABOVE)
    holding = Holding(active, active)
    watch = ValueWatch([watched], [holding], 2)
    one, no = np.array([1], np.int32), np.array([False])
    after, changed = run(watched, values, holding)
    if not watch.may_change(one, np.array([min(values)]), np.array([max(values)]), no)[0]:
        assert not changed
        assert after == holding


def test_a_standing_machine_has_its_own_band() -> None:
    low = rule(Condition.BELOW, only_running=True)
    watch = ValueWatch([low], [Holding()], 2)
    one, three = np.array([1], np.int32), np.array([3.0])
    assert watch.may_change(one, three, three, np.array([bool(RUNNING)]))[0]
    assert not watch.may_change(one, three, three, np.array([bool(STANDING)]))[0]
    watch.hold([(0, Holding(False, True, 5))])
    assert watch.may_change(one, np.array([11.0]), np.array([11.0]), np.array([False]))[0]
