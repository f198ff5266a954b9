"""When machines are trained by themselves: from what is on record alone."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from forewarn.domain.jobs import Attempts, NextTraining
from forewarn.jobs.training.schedule import (
    THEN,
    Reason,
    ScheduleSettings,
    TrainedMachine,
    due,
    least_past_us,
    lots_of,
    next_training,
    retry_at,
)
from forewarn.kit.clock import DAY, HOUR, MINUTE, SECOND

NOW = 20_000 * DAY
SETTINGS = ScheduleSettings()
OLD = TrainedMachine("p1", "acme/pune/pump", True, NOW - 5 * DAY, 14 * DAY, 14 * DAY)


def why(machine: TrainedMachine, now: int = NOW, settings: ScheduleSettings = SETTINGS) -> Reason | None:
    return next((reason for reason, assets in due([machine], now, settings).items() if assets), None)


def test_without_a_model_at_once_and_then_less_and_less_often() -> None:
    new = TrainedMachine("p1", "g")
    assert why(new) is Reason.FIRST
    waits = []
    for in_vain in range(1, 12):
        tried = replace(new, attempts=Attempts(last_at=NOW, in_vain=in_vain))
        waits.append(retry_at(tried.attempts, SETTINGS) - NOW)
        assert why(tried, NOW + waits[-1] - 1) is None
        assert why(tried, NOW + waits[-1]) is Reason.FIRST
    assert waits[:3] == [10 * MINUTE, 20 * MINUTE, 40 * MINUTE]
    assert waits == sorted(waits)
    assert waits[-1] == DAY


def test_who_has_a_job_or_is_in_a_rollout_is_left_alone() -> None:
    assert why(TrainedMachine("p1", "g", attempts=Attempts(is_open=True))) is None
    assert why(replace(OLD, refused_since=NOW - HOUR, is_tried=True)) is None
    cancelled = TrainedMachine("p1", "g", attempts=Attempts(NOW, cancelled_at=NOW))
    assert why(cancelled, NOW + HOUR) is None
    assert why(cancelled, NOW + DAY) is Reason.FIRST


def test_who_was_taken_back_by_hand_is_not_crowned_anew_the_next_minute() -> None:
    taken_back = replace(OLD, has_champion=False, learned_at=NOW - MINUTE, champion_us=0)
    assert why(taken_back) is None
    assert why(taken_back, NOW + 100 * DAY, replace(SETTINGS, every_us=0)) is None


def test_whose_first_model_could_not_be_crowned_is_learned_anew_also_where_nothing_else_is() -> None:
    left = replace(OLD, has_champion=False, champion_us=0, is_left=True, attempts=Attempts(NOW, in_vain=1))
    assert why(left, NOW + 9 * MINUTE, replace(SETTINGS, every_us=0)) is None
    assert why(left, NOW + 10 * MINUTE, replace(SETTINGS, every_us=0)) is Reason.FIRST


def test_little_past_is_learned_anew_when_it_has_doubled() -> None:
    young = replace(OLD, learned_at=NOW, learned_us=DAY, champion_us=DAY)
    assert why(young, NOW + DAY - 1) is None
    assert why(young, NOW + DAY) is Reason.GROWN
    # What was learned is the same as before, to the byte: it counts as learned then.
    again = replace(young, attempts=Attempts(NOW + DAY, NOW + DAY))
    assert why(again, NOW + DAY + HOUR) is None
    assert why(young, NOW + DAY, replace(SETTINGS, every_us=0)) is None
    # Somebody tried one of a day beside a champion of two.
    assert why(replace(young, champion_us=2 * DAY), NOW + 2 * DAY - 1) is None
    assert why(replace(young, champion_us=2 * DAY), NOW + 2 * DAY) is Reason.GROWN


def test_what_was_learned_in_a_hurry_is_learned_anew_as_soon_as_a_day_was_seen() -> None:
    hasty = replace(OLD, learned_at=NOW, champion_us=DAY - 1)
    assert why(hasty, NOW + HOUR - 1) is None
    assert why(hasty, NOW + HOUR) is Reason.YOUNG
    assert why(replace(hasty, has_champion=False), NOW + HOUR) is None
    tried_by_hand = replace(OLD, learned_at=NOW, learned_us=DAY // 2)
    assert why(tried_by_hand, NOW + 2 * HOUR) is None


def test_who_is_nearly_as_far_goes_along_with_its_lot() -> None:
    first = replace(OLD, learned_at=NOW - DAY, learned_us=DAY, champion_us=DAY)
    second = replace(first, asset_id="p2", learned_at=first.learned_at + HOUR)
    elsewhere = replace(second, asset_id="p3", group="acme/pune/fan")
    assert due([second, first, elsewhere], NOW, SETTINGS) == {Reason.GROWN: ("p1", "p2")}


def test_a_model_that_does_not_fit_is_learned_anew_once_and_then_once_a_day() -> None:
    refused = replace(OLD, learned_at=NOW - HOUR, refused_since=NOW)
    later = NOW + 10 * MINUTE
    assert why(refused, later - 1) is None  # what is mended by then was a moment's
    assert why(refused, later) is Reason.REFUSED
    tried = replace(refused, attempts=Attempts(last_at=later))
    assert why(tried, NOW + HOUR) is None
    assert why(tried, later + DAY) is Reason.REFUSED


def test_what_is_tried_beside_a_misfit_does_not_hold_it_up() -> None:
    misfit = replace(OLD, refused_since=NOW, is_misfit=True, is_tried=True)
    assert why(misfit, NOW + 10 * MINUTE - 1) is None
    assert why(misfit, NOW + 10 * MINUTE) is Reason.REFUSED
    assert why(replace(misfit, is_misfit=False), NOW + DAY) is None
    assert why(replace(misfit, refused_since=0), NOW + 100 * DAY) is None
    assert why(replace(misfit, attempts=Attempts(is_open=True)), NOW + DAY) is None


def test_drift_waits_for_a_person_unless_the_site_says_otherwise() -> None:
    drifting = replace(OLD, learned_at=NOW - HOUR, drifting_since=NOW)
    told = replace(SETTINGS, on_drift=True)
    assert why(drifting, NOW + DAY) is None
    assert why(drifting, NOW + DAY - 1, told) is None
    assert why(drifting, NOW + DAY, told) is Reason.DRIFT
    assert why(replace(drifting, attempts=Attempts(last_at=NOW + DAY)), NOW + 2 * DAY, told) is None


@given(st.integers(0, 6 * 7 * 24), st.text("abc", min_size=1))
def test_every_machine_about_once_a_week(started_h: int, group: str) -> None:
    """Hour by hour for five weeks: never twice within half of one, never more than one and a half apart."""
    machine = replace(OLD, group=group, learned_at=NOW + started_h * HOUR)
    trained = [machine.learned_at]
    for hour in range(5 * 7 * 24):
        now = trained[0] + hour * HOUR
        if why(machine, now) is Reason.OLD:
            machine = replace(machine, learned_at=now)
            trained.append(now)
    gaps = [b - a for a, b in pairwise(trained)]
    assert 4 <= len(gaps) <= 6
    assert all(SETTINGS.every_us // 2 <= gap <= SETTINGS.every_us * 3 // 2 for gap in gaps)
    assert len({gap // HOUR for gap in gaps[1:]}) <= 1


def test_lots_are_spread_over_the_week_and_are_no_greater_than_said() -> None:
    plant = [replace(OLD, asset_id=f"m{i}", group=f"acme/site-{i % 50}/pump") for i in range(10_000)]
    lots = lots_of(plant, 100)
    sizes = Counter(lots.values())
    assert max(sizes.values()) <= 150  # by their names, so that one more machine moves no other
    hours: Counter[int] = Counter()
    for lot, size in sizes.items():
        machine = replace(OLD, group=lot, learned_at=NOW - 100 * DAY)
        hour = next(h for h in range(7 * 24 + 1) if _is_at(machine, NOW + h * HOUR))
        hours[hour] += size
    assert max(hours.values()) < 1_200
    assert len(hours) > 60


def _is_at(machine: TrainedMachine, now: int) -> bool:
    """Its slot came within the last hour."""
    just = replace(machine, learned_at=now - HOUR - SETTINGS.every_us // 2)
    return why(just, now) is Reason.OLD


def test_what_is_read_seldom_needs_more_past() -> None:
    assert least_past_us(SECOND) == DAY
    assert least_past_us(10 * MINUTE) == 50 * HOUR


def test_what_the_next_one_waits_for_is_told() -> None:
    lot = lots_of([OLD], 100)["p1"]
    new = TrainedMachine("p1", "g")
    assert next_training(new, lot, NOW, SETTINGS, "3 h of 24") == NextTraining(None, "3 h of 24")
    assert next_training(new, lot, NOW, SETTINGS) == NextTraining(
        None, "it has no model yet; whether its past suffices is looked at"
    )
    tried = replace(new, attempts=Attempts(last_at=NOW, in_vain=2))
    assert next_training(tried, lot, NOW, SETTINGS, "3 h of 24") == NextTraining(
        NOW + 20 * MINUTE, "it has no model yet; the last 2 came to nothing"
    )
    assert next_training(replace(new, attempts=Attempts(is_open=True)), lot, NOW, SETTINGS) == NextTraining(
        None, "a training of it is under way, or waits for its turn"
    )
    in_rollout = replace(OLD, is_tried=True)
    assert next_training(in_rollout, lot, NOW, SETTINGS) == NextTraining(
        None, "it is in a rollout: after that has ended"
    )
    assert next_training(OLD, lot, NOW, replace(SETTINGS, every_us=0)) is None
    young = replace(OLD, learned_at=NOW - HOUR, learned_us=DAY, champion_us=DAY)
    assert next_training(young, lot, NOW, SETTINGS) == NextTraining(
        NOW + 23 * HOUR, "its past will have doubled by then"
    )
    assert next_training(replace(young, refused_since=NOW), lot, NOW + 10 * MINUTE, SETTINGS) == NextTraining(
        NOW + 10 * MINUTE, "its model does not fit the plant any more"
    )


TIMES = st.one_of(st.just(0), st.integers(NOW - 30 * DAY, NOW), st.integers(NOW - 2 * DAY, NOW))
LENGTHS = st.sampled_from((0, HOUR, DAY, 2 * DAY, 6 * DAY, 14 * DAY))
ATTEMPTS = st.builds(
    Attempts, TIMES, TIMES, TIMES, in_vain=st.integers(0, 12), is_open=st.sampled_from((False, False, False, True))
)
MACHINES = st.builds(
    TrainedMachine,
    *(st.just("p1"), st.text("abc", min_size=1), st.booleans(), TIMES, LENGTHS, LENGTHS, TIMES),
    *(st.booleans(), TIMES, st.sampled_from((False, False, True)), st.booleans(), ATTEMPTS),
)
RULES = st.builds(ScheduleSettings, st.sampled_from((0, DAY, 7 * DAY, 30 * DAY)), st.booleans())
AHEAD = st.integers(0, 100 * DAY)


@settings(max_examples=500)
@given(MACHINES, RULES, st.lists(AHEAD, min_size=1, max_size=10))
def test_it_is_due_when_it_was_said_to_be_and_not_before(
    machine: TrainedMachine, rules: ScheduleSettings, ahead: list[int]
) -> None:
    lot = lots_of([machine], rules.lot)["p1"]
    told = next_training(machine, lot, NOW, rules)
    if told is not None and told.at is not None:
        reason = why(machine, told.at, rules)
        assert reason is not None
        assert told.at == NOW or told.why.startswith((reason.value, THEN.get(reason, reason.value)))
        for later in ahead:  # a little before, and anywhere before
            for before in (told.at - SECOND, told.at - 1 - later % max(told.at - NOW, 1)):
                assert before < NOW or why(machine, before, rules) is None
        assert next_training(machine, lot, told.at + SECOND, rules) is not None
    elif why(machine, NOW, rules) is not None:
        assert why(machine, NOW, rules) in (Reason.FIRST, Reason.YOUNG)
    else:
        assert [later for later in ahead if why(machine, NOW + later, rules) is not None] == []


@given(st.lists(MACHINES, min_size=2, max_size=4), AHEAD)
def test_sooner_than_said_only_with_its_lot(machines: list[TrainedMachine], ahead: int) -> None:
    all_of = [replace(m, asset_id=f"p{i}", group="g") for i, m in enumerate(machines)]
    lots, now = lots_of(all_of, 100), NOW + ahead
    named = {asset_id: reason for reason, assets in due(all_of, now, SETTINGS).items() for asset_id in assets}
    for machine in all_of:
        told = next_training(machine, lots[machine.asset_id], NOW, SETTINGS)
        is_said = told is not None and (told.at or NOW) <= now
        if machine.asset_id in named and not is_said:
            assert named[machine.asset_id] in (Reason.GROWN, Reason.OLD)
            assert told is not None
            assert told.at is not None
            learned = max(machine.learned_at, machine.attempts.done_at)
            assert told.at - now <= max(machine.learned_us, machine.champion_us, DAY) / 10
            assert now - learned >= 0.9 * DAY
