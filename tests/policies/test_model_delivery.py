"""Which version acts where, what is tried, and what all gateways together have seen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forewarn.domain.model_delivery import LATENCY_CLASSES, Side, Tally, Trial, WantedModels
from forewarn.domain.model_versions import ModelState
from forewarn.domain.rollouts import Rollout
from forewarn.policies.model_delivery import (
    acting_versions,
    fingerprint,
    held,
    latency_class,
    latency_ms,
    narrowed,
    observed,
    thresholds_name,
    trials_of,
)
from forewarn.policies.rollout import canary_of

ASSETS = [f"p{i}" for i in range(10)]
OLD = {asset: f"old-{asset}" for asset in ASSETS}
NEW = {asset: f"new-{asset}" for asset in ASSETS}


def rollout(state: ModelState, since: int = 7) -> Rollout:
    return Rollout("r", NEW, 1, state, since, 0.1)


@pytest.mark.parametrize("state", ModelState)
def test_a_canary_acts_on_its_share_and_on_nothing_else(state: ModelState) -> None:
    acting = acting_versions(OLD, [rollout(state)])
    sung = canary_of("r", ASSETS, 0.1)
    assert len(sung) == 1
    new = {asset for asset, version in acting.items() if version == NEW[asset]}
    assert new == (sung if state is ModelState.CANARY else set())


@pytest.mark.parametrize("state", [ModelState.SHADOW, ModelState.CANARY])
def test_every_machine_of_a_rollout_is_tried_beside_its_champion(state: ModelState) -> None:
    found = trials_of({**OLD, "p3": "x"} | {"p4": "y"}, {}, [rollout(state)])
    assert {t.asset_id for t in found} == set(ASSETS)
    assert Trial("r", 7, "p3", "new-p3", "x") in found
    assert trials_of({}, {}, [rollout(state)])[0].champion is None


def test_a_new_champion_is_watched_beside_the_one_before_until_another_takes_its_place() -> None:
    crowned = {**NEW, "p1": "by hand"}
    found = trials_of(crowned, {NEW["p0"]: "old-p0"}, [rollout(ModelState.CHAMPION)])
    assert {t.asset_id for t in found} == set(ASSETS) - {"p1"}
    assert {t.champion for t in found if t.asset_id == "p0"} == {"old-p0"}
    assert {t.champion for t in found if t.asset_id == "p2"} == {None}
    for state in (ModelState.CANDIDATE, ModelState.ROLLED_BACK, ModelState.RETIRED):
        assert trials_of(OLD, {}, [rollout(state)]) == []


def test_a_gateway_is_told_of_machines_all_of_whose_signals_it_collects() -> None:
    signals = {version: (f"{asset}.a", f"{asset}.b") for asset in ASSETS for version in (OLD[asset], NEW[asset])}
    whole = WantedModels("", OLD, tuple(trials_of(OLD, {}, [rollout(ModelState.SHADOW)])), ("gone",), ("key",))
    mine = narrowed(whole, signals, {"p1.a", "p1.b", "p2.a"})
    assert mine.acting == {"p1": "old-p1"}
    assert [t.asset_id for t in mine.trials] == ["p1"]
    assert (mine.withdrawn, mine.keys) == (("gone",), ("key",))
    assert mine == narrowed(whole, signals, {"p1.b", "p1.a"})
    assert mine.revision != narrowed(whole, signals, {"p1.a"}).revision
    assert narrowed(whole, {}, {"p1.a"}).acting == {}


def test_thresholds_go_to_whom_the_version_goes_to_and_name_another_list() -> None:
    signals = {version: (f"{asset}.a",) for asset in ASSETS for version in (OLD[asset], NEW[asset])}
    trials = tuple(trials_of(OLD, {}, [rollout(ModelState.SHADOW)]))
    told = {"old-p1": (1.5, None), "new-p1": (1.25, None), "old-p2": (2.0,)}
    moved = WantedModels("", OLD, trials, thresholds=told)
    mine = narrowed(moved, signals, {"p1.a"})
    assert mine.thresholds == {"old-p1": (1.5, None), "new-p1": (1.25, None)}
    as_learned = narrowed(WantedModels("", OLD, trials), signals, {"p1.a"})
    assert mine.revision != as_learned.revision
    assert (
        narrowed(moved, signals, {"p3.a"}).revision
        == narrowed(WantedModels("", OLD, trials), signals, {"p3.a"}).revision
    )


def test_what_is_held_has_a_name_for_all_of_it() -> None:
    key = "ab" * 32
    wanted = WantedModels("r", OLD, thresholds={"old-p1": (1.5,), "new-p1": (3.0,)})
    here = held(wanted, {"p1": "old-p1"}, {"p2": "damaged"}, [key])
    assert (here.revision, here.keys) == ("r", (fingerprint(key),))
    assert here.thresholds == thresholds_name({"old-p1": (1.5,)}) != ""
    others = [
        held(wanted, {"p1": "new-p1"}, {"p2": "damaged"}, [key]),
        held(wanted, {"p1": "old-p1"}, {}, [key]),
        held(wanted, {"p1": "old-p1"}, {"p2": "damaged"}, []),
        held(WantedModels("r"), {"p1": "old-p1"}, {"p2": "damaged"}, [key]),
        held(WantedModels("s", thresholds=wanted.thresholds), {"p1": "old-p1"}, {"p2": "damaged"}, [key]),
    ]
    assert len({one.name for one in (here, *others)}) == 6
    assert thresholds_name({}) == ""


def tally(since: int = 7, side: Side = Side.CHALLENGER, run: int = 0, calls: int = 60, name: str = "r") -> Tally:
    latency = tuple([calls] + [0] * len(LATENCY_CLASSES))
    return Tally(name, since, side, run, 10.0, 5, 4, 3, calls, 1, latency)


def test_what_several_told_is_added_and_what_is_of_another_state_left_out() -> None:
    told = [tally(), tally(run=1), tally(since=6), tally(side=Side.CHAMPION), tally(name="other")]
    seen = observed(rollout(ModelState.SHADOW), Side.CHALLENGER, told)
    assert seen is not None
    assert (seen.since, seen.asset_s, seen.rows, seen.opinions, seen.alarms) == (7, 20.0, 10, 8, 6)
    assert (seen.calls, seen.errors, seen.latency_ms) == (120, 2, LATENCY_CLASSES[0])
    assert observed(rollout(ModelState.SHADOW, since=8), Side.CHALLENGER, told) is None


@given(st.lists(st.floats(0.001, 2_000), min_size=100, max_size=300))
def test_the_99th_percentile_is_known_within_a_class(times: list[float]) -> None:
    counts = [0] * (len(LATENCY_CLASSES) + 1)
    for ms in times:
        counts[latency_class(ms)] += 1
    exact = sorted(times)[-(-99 * len(times) // 100) - 1]
    found = latency_ms([counts[:10], [0] * 10 + counts[10:]])
    assert found is not None
    assert exact <= found <= max(exact * 2**0.5 * 1.001, LATENCY_CLASSES[0])


def test_few_calls_have_no_99th_percentile() -> None:
    assert latency_ms([]) is None
    assert latency_ms([(99,)]) is None
    assert latency_ms([(50,), (50,)]) == LATENCY_CLASSES[0]
    assert latency_ms([tuple([0] * len(LATENCY_CLASSES) + [100])]) == 2 * LATENCY_CLASSES[-1]
