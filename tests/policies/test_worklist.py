"""The worklist: condition, reason and order."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forewarn.domain.alarms import AlarmRule, AlarmState, AlarmStatus, Condition, Priority
from forewarn.domain.findings import BY_CONDITION, Finding, Severity
from forewarn.policies.worklist import AssetCondition, AssetFacts, Standing, rank, stand

NOW = 1_000_000_000
CALM = "all signals within limits"
HEALTHY = AssetFacts("p1", (), (), NOW - 1_000_000, 30_000_000, heard=4)
Pair = tuple[AlarmRule, AlarmStatus]


def alarm(priority: Priority, state: AlarmState, at: int = 5) -> Pair:
    rule = AlarmRule("p1", priority.value, 1, f"p1.{priority}", Condition.ABOVE, 1.0, priority, f"{priority} alarm")
    return rule, AlarmStatus(state, raised_at=at, returned_at=at + 1)


def episode(score: float) -> Finding:
    return Finding(1, "p1.v", "p1", "robust_z", "spike", Severity.LOW, score, 1.0, None, f"score {score}", 7, 8)


def trouble(text: str) -> Finding:
    return replace(episode(0.7), detector=BY_CONDITION, reason=text, started_at=9)


@pytest.mark.parametrize(
    ("facts", "condition", "reason"),
    [
        (HEALTHY, "normal", CALM),
        (replace(HEALTHY, learning=3), "baselining", "learning what is normal: 1 of 4 signals known"),
        (replace(HEALTHY, learning=1), "normal", f"{CALM}; 1 of 4 still learning what is normal"),
        (replace(HEALTHY, last_reading_at=None), "no_data", "no reading has arrived yet"),
        (replace(HEALTHY, last_reading_at=NOW - 90_000_000), "stale", "no reading for 1 min"),
        (replace(HEALTHY, episodes=[episode(0.6), episode(0.9)]), "advisory", "score 0.9 (and 1 more)"),
        (replace(HEALTHY, episodes=[trouble("disk full"), episode(0.6)]), "advisory", "score 0.6"),
        (replace(HEALTHY, episodes=[trouble("disk full")]), "advisory", "disk full"),
        (
            replace(HEALTHY, last_reading_at=NOW - 90_000_000, episodes=[trouble("plc away")]),
            "stale",
            "no reading for 1 min: plc away",
        ),
        (
            replace(HEALTHY, last_reading_at=None, episodes=[trouble("plc away")]),
            "no_data",
            "no reading has arrived yet: plc away",
        ),
        (
            replace(HEALTHY, episodes=[trouble("disk full")], alarms=[alarm(Priority.HIGH, AlarmState.RETURNED)]),
            "advisory",
            "high alarm: back to normal, not yet acknowledged",
        ),
        (replace(HEALTHY, alarms=[alarm(Priority.LOW, AlarmState.ACKNOWLEDGED)]), "alarm", "low alarm"),
        (replace(HEALTHY, alarms=[alarm(Priority.ADVISORY, AlarmState.UNACKNOWLEDGED)]), "advisory", "advisory alarm"),
        (
            replace(
                HEALTHY,
                alarms=[
                    alarm(Priority.LOW, AlarmState.UNACKNOWLEDGED),
                    alarm(Priority.CRITICAL, AlarmState.ACKNOWLEDGED),
                ],
            ),
            "critical",
            "critical alarm (and 1 more)",
        ),
        (
            replace(HEALTHY, alarms=[alarm(Priority.HIGH, AlarmState.RETURNED)]),
            "advisory",
            "high alarm: back to normal, not yet acknowledged",
        ),
        (replace(HEALTHY, alarms=[alarm(Priority.HIGH, AlarmState.SHELVED)]), "normal", CALM),
        (
            replace(HEALTHY, alarms=[alarm(Priority.HIGH, AlarmState.OUT_OF_SERVICE)]),
            "normal",
            "all signals within limits",
        ),
    ],
)
def test_condition_and_reason(facts: AssetFacts, condition: str, reason: str) -> None:
    standing = stand(facts, NOW)
    assert (standing.condition, standing.reason) == (condition, reason)


def test_counts() -> None:
    states = (AlarmState.UNACKNOWLEDGED, AlarmState.ACKNOWLEDGED, AlarmState.RETURNED, AlarmState.SHELVED)
    standing = stand(replace(HEALTHY, alarms=[alarm(Priority.LOW, s) for s in states]), NOW)
    assert (standing.active_alarms, standing.unacknowledged, standing.shelved) == (2, 2, 1)


def test_an_alarm_outlives_silence() -> None:
    silent = replace(HEALTHY, last_reading_at=None, alarms=[alarm(Priority.CRITICAL, AlarmState.UNACKNOWLEDGED)])
    assert stand(silent, NOW).condition is AssetCondition.CRITICAL


pairs = st.builds(alarm, st.sampled_from(Priority), st.sampled_from(AlarmState), st.integers(0, NOW))
facts = st.builds(
    AssetFacts,
    st.sampled_from("abc"),
    st.lists(pairs, max_size=4),
    st.lists(st.floats(0, 1).map(episode), max_size=2),
    st.none() | st.integers(0, NOW),
    st.just(30_000_000),
    st.booleans(),
)


@given(st.lists(facts, max_size=12))
def test_more_urgent_never_comes_after_less(given_facts: list[AssetFacts]) -> None:
    ranked = rank([stand(f, NOW) for f in given_facts])
    places = [list(AssetCondition).index(s.condition) for s in ranked]
    assert places == sorted(places)
    assert rank(ranked[::-1]) == ranked or len({s.asset_id for s in ranked}) < len(ranked)


def test_within_a_condition_the_unseen_and_the_newest_lead() -> None:
    def standing(asset_id: str, priority: Priority, unacknowledged: int, since: int) -> Standing:
        return Standing(asset_id, AssetCondition.ALARM, "", since, None, priority, unacknowledged, 1, 0)

    order = [
        standing("high", Priority.HIGH, 0, 1),
        standing("unseen", Priority.LOW, 1, 1),
        standing("newest", Priority.LOW, 0, 9),
        standing("oldest", Priority.LOW, 0, 1),
    ]
    assert rank(order[::-1]) == order


def test_what_is_over_comes_after_what_lasts() -> None:
    over = replace(HEALTHY, asset_id="over", alarms=[alarm(Priority.HIGH, AlarmState.RETURNED, NOW - 2)])
    odd = replace(HEALTHY, asset_id="odd", episodes=[episode(0.9)])
    advised = replace(HEALTHY, asset_id="advised", alarms=[alarm(Priority.ADVISORY, AlarmState.UNACKNOWLEDGED)])
    ranked = rank([stand(facts, NOW) for facts in (over, odd, advised)])
    assert {s.condition for s in ranked} == {AssetCondition.ADVISORY}
    assert [s.asset_id for s in ranked] == ["advised", "odd", "over"]


def test_what_a_gateway_vouches_for_is_not_stale_until_it_falls_silent_too() -> None:
    quiet = replace(HEALTHY, last_reading_at=NOW - 300_000_000)
    assert stand(quiet, NOW).condition is AssetCondition.STALE
    assert stand(replace(quiet, vouched_at=NOW - 5_000_000), NOW).condition is AssetCondition.NORMAL
    away = stand(replace(quiet, vouched_at=NOW - 60_000_000), NOW)
    assert (away.condition, away.reason) == (AssetCondition.STALE, "no reading for 1 min")
