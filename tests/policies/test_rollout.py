"""A rollout goes its steps, comes back from each of them, and is the same after any number of restarts."""

import math
from dataclasses import replace
from typing import Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from forewarn.domain.errors import Conflict
from forewarn.domain.model_versions import ModelState
from forewarn.domain.rollouts import Observed, RollbackReason, Rollout, RolloutSettings
from forewarn.kit.clock import HOUR, SECOND
from forewarn.policies.rollout import (
    OPEN,
    STEPS,
    acts_on,
    begin,
    canary_of,
    check_step,
    decide,
    is_over,
    roll_back,
)
from forewarn.policies.rollout_bounds import chance_of, find_fault

NOW: Final = 1_800_000_000 * SECOND
WEEK_S: Final = 7 * 86_400.0
SETTINGS: Final = RolloutSettings()
ASSETS: Final = st.sets(st.text("abcde012-", min_size=1, max_size=6), max_size=40)
IDS: Final = st.text(max_size=6)


def rollout(count: int = 20) -> Rollout:
    return begin(Rollout("r1", {f"p{n}": f"v{n}" for n in range(count)}, NOW, since=NOW), NOW)


def seen(of: Rollout, **more: float) -> Observed:
    """A good challenger's, in the state that the rollout is in."""
    good = Observed(of.since, asset_s=WEEK_S, rows=100_000, opinions=90_000, alarms=0, calls=5_000, latency_ms=2.0)
    return replace(good, **more)  # type: ignore[arg-type]


@given(IDS, ASSETS, st.floats(0, 1), st.floats(0, 1))
def test_everybody_names_the_same_canary_and_a_greater_share_only_adds(
    name: str, assets: set[str], share: float, other: float
) -> None:
    low, high = sorted((share, other))
    chosen, more = canary_of(name, assets, low), canary_of(name, sorted(assets, reverse=True), high)
    assert chosen <= more <= assets
    assert abs(len(chosen) - low * len(assets)) < 1
    assert len(chosen) >= low * len(assets) - 1e-6
    assert canary_of(name, assets, 0) == frozenset()
    assert canary_of(name, assets, 1) == assets


def test_a_tenth_is_a_tenth_and_not_always_the_same_machines() -> None:
    assets = [f"p{n}" for n in range(100)]
    chosen = [canary_of(f"r{n}", assets, 0.1) for n in range(200)]
    assert {len(each) for each in chosen} == {10}
    times = [sum(asset in each for each in chosen) for asset in assets]
    assert min(times) > 4  # 20 on average: nobody is always spared
    assert max(times) < 45
    assert len(canary_of("r", ["only"], 0.1)) == 1


def test_good_evidence_takes_it_to_the_end() -> None:
    at, told = rollout(), [rollout().state]
    while not is_over(at, at.since + int(SETTINGS.watch_s * SECOND)):
        now = at.since + 24 * HOUR
        assert decide(at, seen(at), seen(at), now - 1) == at, "too soon"
        assert decide(at, seen(at, rows=3_599), None, now) == at, "too little was scored"
        at = decide(at, seen(at), seen(at), now)
        told.append(at.state)
    assert told == [ModelState.SHADOW, ModelState.CANARY, ModelState.CHAMPION]
    assert not is_over(at, at.since)


@pytest.mark.parametrize("state", [ModelState.SHADOW, ModelState.CANARY])
@pytest.mark.parametrize(("least_s", "after_h"), [(86_400.0, 72), (12 * 3_600.0, 36), (3_600.0, 24)])
def test_one_that_nobody_judges_ends(state: ModelState, least_s: float, after_h: int) -> None:
    at, told = replace(rollout(), state=state), RolloutSettings(shadow_s=least_s, canary_s=least_s)
    few, end = Observed(at.since, rows=3_599), at.since + after_h * HOUR
    assert decide(at, few, None, end - 1, told) == at
    after = decide(at, few, None, end, told)
    assert (after.state, after.reason) == (ModelState.ROLLED_BACK, RollbackReason.UNSEEN)
    assert after.note == f"nothing was seen of it: 3,599 rows in {after_h} h, 3,600 are needed"
    assert decide(at, seen(at), None, end, told).state is not ModelState.ROLLED_BACK
    watched = replace(at, state=ModelState.CHAMPION)
    assert decide(watched, few, None, at.since + 1_000 * HOUR, told) == watched


BAD: Final[dict[RollbackReason, dict[str, float]]] = {
    RollbackReason.ALARM_RATE: {"alarms": 9},
    RollbackReason.LATENCY: {"latency_ms": 10.5},
    RollbackReason.ERRORS: {"errors": 6},
    RollbackReason.SILENT: {"opinions": 44_000},
}


@pytest.mark.parametrize("state", [ModelState.SHADOW, ModelState.CANARY, ModelState.CHAMPION])
@pytest.mark.parametrize("reason", BAD)
def test_from_each_step_it_goes_back_for_each_reason(state: ModelState, reason: RollbackReason) -> None:
    at = replace(rollout(), state=state)
    after = decide(at, seen(at, **BAD[reason]), seen(at), at.since + 1)
    assert (after.state, after.reason) == (ModelState.ROLLED_BACK, reason)
    assert "champion" in after.note
    assert acts_on(after) == frozenset()
    assert is_over(after, after.since)


def test_a_champion_that_is_as_bad_is_no_reason_to_go_back() -> None:
    at = rollout()
    champion = seen(at, alarms=9, latency_ms=10.5, errors=6, opinions=44_000)
    for bad in BAD.values():
        assert decide(at, seen(at, **bad), champion, at.since + 1) == at


def test_few_alarms_in_a_short_time_are_chance_and_many_are_not() -> None:
    hour = Observed(NOW, asset_s=3_600.0)
    assert find_fault(replace(hour, alarms=1), None, SETTINGS) is None
    fault = find_fault(replace(hour, alarms=3), None, SETTINGS)
    assert fault is not None
    assert fault[0] is RollbackReason.ALARM_RATE


@pytest.mark.parametrize("judged_s", [0.0, 5e-324, 1.0])
def test_a_champion_s_alarm_in_its_first_seconds_allows_no_more(judged_s: float) -> None:
    champion, challenger = Observed(NOW, asset_s=judged_s, alarms=1), Observed(NOW, asset_s=WEEK_S, alarms=40)
    fault = find_fault(challenger, champion, SETTINGS)
    assert fault is not None
    assert fault[0] is RollbackReason.ALARM_RATE


def test_a_model_that_cannot_be_loaded_is_rolled_back_though_it_scored_nothing() -> None:
    at = rollout()
    after = decide(at, Observed(at.since, calls=1, errors=1), None, at.since + 1)
    assert after.reason is RollbackReason.ERRORS


@given(st.integers(0, 200), st.floats(0.01, 150))
def test_the_tail_is_that_of_poisson(count: int, mean: float) -> None:
    below = math.fsum(math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(count))
    assert chance_of(count, mean) == pytest.approx(1 - below, abs=1e-9)
    assert 0.0 <= chance_of(count, mean) <= 1.0 + 1e-9
    assert chance_of(count + 1, mean) <= chance_of(count, mean) + 1e-9


def test_only_the_steps_that_there_are() -> None:
    for before in ModelState:
        for after in ModelState:
            if after in STEPS[before]:
                check_step(before, after)
            else:
                with pytest.raises(Conflict, match=f"{words(before)} does not become {words(after)}"):
                    check_step(before, after)
    with pytest.raises(Conflict, match="was rolled back already: too loud"):
        roll_back(replace(rollout(), state=ModelState.ROLLED_BACK, note="too loud"), RollbackReason.BY_HAND, "", NOW)


def words(state: ModelState) -> str:
    return state.value.replace("_", " ")


COUNTS = st.integers(0, 50)
EVIDENCE = st.builds(
    Observed,
    since=st.just(0),
    asset_s=st.floats(0, 10 * WEEK_S),
    rows=st.integers(0, 10_000),
    opinions=st.integers(0, 10_000),
    alarms=COUNTS,
    calls=st.integers(0, 1_000),
    errors=st.integers(0, 3),
    latency_ms=st.none() | st.floats(0, 30),
)


class Rollouts(RuleBasedStateMachine):
    """Whatever is seen, in whatever order, with the power gone after any step."""

    @initialize(count=st.integers(1, 30), share=st.floats(0.01, 1))
    def start(self, count: int, share: float) -> None:
        self.now = NOW
        self.at = Rollout("r", {f"p{n}": f"v{n}" for n in range(count)}, NOW, since=NOW, share=share)
        self.before = [self.at]

    def _to(self, after: Rollout) -> None:
        if after != self.at:
            check_step(self.at.state, after.state)
            assert after.since > self.at.since
            self.before.append(after)
        self.at = after

    @rule(by=st.integers(-HOUR, 48 * HOUR))
    def time_goes_by(self, by: int) -> None:
        self.now += by

    @rule()
    def begun(self) -> None:
        self._to(begin(self.at, self.now))

    @rule(challenger=EVIDENCE, champion=st.none() | EVIDENCE)
    def evidence_comes(self, challenger: Observed, champion: Observed | None) -> None:
        challenger = replace(challenger, since=self.at.since)
        champion = None if champion is None else replace(champion, since=self.at.since)
        before = self.at
        after = decide(before, challenger, champion, self.now)
        assert decide(before, challenger, champion, self.now) == after
        assert decide(after, challenger, champion, self.now + 999 * HOUR) == after or after == before, "asked twice"
        bad = find_fault(challenger, champion, SETTINGS)
        if bad and before.state in (ModelState.SHADOW, ModelState.CANARY, ModelState.CHAMPION):
            assert (after.state, after.reason) == (ModelState.ROLLED_BACK, bad[0])
        waited = self.now - before.since >= 72 * HOUR and before.state in (ModelState.SHADOW, ModelState.CANARY)
        if not bad and waited:
            assert after != before, "nothing waits for ever"
            assert (after.reason is RollbackReason.UNSEEN) == (challenger.rows < SETTINGS.least_rows)
        if after.reason is RollbackReason.UNSEEN and after != before:
            assert waited
        if after.state in (ModelState.CANARY, ModelState.CHAMPION) and after != before:
            assert not bad
            assert challenger.rows >= SETTINGS.least_rows
        self._to(after)

    @rule(challenger=EVIDENCE, which=st.integers(0, 3))
    def evidence_of_a_former_step_changes_nothing(self, challenger: Observed, which: int) -> None:
        for former in self.before[:-1][: which + 1]:
            assert decide(self.at, replace(challenger, since=former.since), None, self.now + 999 * HOUR) == self.at

    @precondition(lambda self: ModelState.ROLLED_BACK in STEPS[self.at.state])
    @rule()
    def somebody_calls_it_back(self) -> None:
        self._to(roll_back(self.at, RollbackReason.BY_HAND, "noisy", self.now))

    @rule()
    def the_power_goes(self) -> None:
        assert msgspec.json.decode(msgspec.json.encode(self.at), type=Rollout) == self.at

    @invariant()
    def it_acts_where_its_state_says(self) -> None:
        acting = acts_on(self.at)
        if self.at.state is ModelState.CHAMPION:
            assert acting == self.at.versions.keys()
        elif self.at.state is ModelState.CANARY:
            assert 1 <= len(acting) == math.ceil(self.at.share * len(self.at.versions) - 1e-9)
        else:
            assert not acting
        assert (self.at.reason is not None) == (self.at.state is ModelState.ROLLED_BACK)
        assert is_over(self.at, self.now) <= (self.at.state not in OPEN)


TestRollouts = Rollouts.TestCase
