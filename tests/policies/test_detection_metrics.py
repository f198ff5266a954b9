"""Scores that must not flatter: what theory says of perfect, silent and blind detectors, and published values."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forewarn.policies.detection_metrics import (
    ChangePoints,
    Confusion,
    change_point_score,
    changes,
    confusion,
    detection,
    episodes,
    summary,
)

SECOND = 1_000_000
FLAGS = st.lists(st.booleans(), min_size=1, max_size=80).map(lambda rows: np.array(rows, bool))


def seconds(n: int) -> np.ndarray:
    return np.arange(n, dtype=np.int64) * SECOND


@given(FLAGS)
def test_a_perfect_detector(anomaly: np.ndarray) -> None:
    found = confusion(anomaly, anomaly)
    assert (found.fp, found.fn) == (0, 0)
    if anomaly.any() and not anomaly.all():
        assert (found.f1, found.mcc, found.false_alarm_rate, found.missed_alarm_rate) == (1.0, 1.0, 0.0, 0.0)


@given(FLAGS)
def test_what_always_alarms_earns_the_f1_of_the_share_of_faults(anomaly: np.ndarray) -> None:
    found = confusion(np.ones_like(anomaly), anomaly)
    share = anomaly.mean()
    assert found.f1 == pytest.approx(2 * share / (1 + share))
    assert found.mcc == 0.0
    assert found.alarm_rate == 1.0


def test_chance_has_no_correlation() -> None:
    rng = np.random.default_rng(1)
    anomaly = rng.random(200_000) < 0.4
    found = confusion(rng.random(200_000) < 0.3, anomaly)
    assert abs(found.mcc) < 0.01
    assert found.false_alarm_rate == pytest.approx(0.3, abs=0.01)
    assert found.missed_alarm_rate == pytest.approx(0.7, abs=0.01)


@given(FLAGS, st.data())
def test_counts_add_up_over_files(anomaly: np.ndarray, data: st.DataObject) -> None:
    alarm = np.array(data.draw(st.lists(st.booleans(), min_size=len(anomaly), max_size=len(anomaly))), bool)
    cut = data.draw(st.integers(0, len(anomaly)))
    assert confusion(alarm[:cut], anomaly[:cut]) + confusion(alarm[cut:], anomaly[cut:]) == confusion(alarm, anomaly)


def test_nothing_to_divide_by_is_no_figure() -> None:
    healthy = confusion(np.zeros(3, bool), np.zeros(3, bool))
    assert np.isnan(healthy.f1)
    assert np.isnan(healthy.missed_alarm_rate)
    assert np.isnan(Confusion().alarm_rate)


def test_matthews_by_hand() -> None:
    assert Confusion(tp=6, fp=1, fn=2, tn=3).mcc == pytest.approx((6 * 3 - 1 * 2) / np.sqrt(7 * 8 * 4 * 5))


def test_one_fault_as_people_met_it() -> None:
    alarm = np.zeros(400, bool)
    alarm[[10, 25, 100, 229]] = True  # 15 s apart is one alarm, 75 s is another; the last comes 29 s into the fault
    anomaly = np.zeros(400, bool)
    anomaly[200:300] = True
    met = detection(alarm, anomaly, seconds(400))
    assert met.delay_s == 29.0
    assert met.false_episodes == 2
    assert met.healthy_hours == pytest.approx(200 / 3600)


def test_an_alarm_after_the_fault_finds_nothing() -> None:
    alarm, anomaly = np.zeros(10, bool), np.zeros(10, bool)
    anomaly[3:5], alarm[5:] = True, True
    assert detection(alarm, anomaly, seconds(10)).delay_s is None


def test_gaps_in_time_part_alarms_that_stand_side_by_side_in_rows_only_if_rows_part_them() -> None:
    time = np.array([0, 1, 100, 101, 102]) * SECOND
    alarm = np.array([True, True, True, False, True])
    assert episodes(alarm, time).tolist() == [[0, 4]]
    assert episodes(alarm, np.array([0, 1, 2, 50, 100]) * SECOND).tolist() == [[0, 2], [4, 4]]


@given(FLAGS, FLAGS)
def test_the_future_changes_nothing_that_was(alarm: np.ndarray, more: np.ndarray) -> None:
    anomaly = np.zeros(len(alarm) + len(more), bool)
    anomaly[len(alarm) // 2 : len(alarm)] = True
    whole = detection(np.r_[alarm, more], anomaly, seconds(len(anomaly)))
    assert whole == detection(alarm, anomaly[: len(alarm)], seconds(len(alarm)))


def test_summary_of_faults() -> None:
    anomaly = np.zeros(100, bool)
    anomaly[50:] = True
    told = [detection(np.arange(100) == row, anomaly, seconds(100)) for row in (52, 60, 20)]
    of_all = summary(told)
    assert (of_all.faults, of_all.found, of_all.false_episodes) == (3, 2, 1)
    assert of_all.median_delay_s == 6.0
    assert of_all.false_episodes_an_hour == pytest.approx(1 / (150 / 3600))
    assert np.isnan(summary([]).median_delay_s)


def _points(true: list[int], told: list[int], n: int = 400) -> ChangePoints:
    return ChangePoints(seconds(n), np.isin(np.arange(n), true), np.isin(np.arange(n), told))


def test_change_points_told_at_once_earn_all_and_silence_nothing() -> None:
    perfect = change_point_score([_points([100, 250], [100, 250])])
    assert (perfect.standard, perfect.low_fp, perfect.low_fn) == pytest.approx((100.0, 100.0, 100.0))
    silent = change_point_score([_points([100, 250], [])])
    assert (silent.standard, silent.low_fp, silent.low_fn) == (0.0, 0.0, 0.0)


def test_each_point_told_outside_costs() -> None:
    score = change_point_score([_points([100, 250], [99, 161, 311, 320])])
    assert score.standard == pytest.approx(100 * -4 * 0.11 / 4)
    assert score.low_fp == pytest.approx(100 * -4 * 0.22 / 4)
    assert score.low_fn == pytest.approx(100 * -4 * 0.11 / 6)


@given(st.integers(0, 59))
def test_later_earns_less(late: int) -> None:
    sooner, later = (change_point_score([_points([100], [100 + late + i])]).standard for i in (0, 1))
    assert later < sooner


def test_a_window_begins_where_the_one_before_ends() -> None:
    """Two true points 20 s apart: what is told 45 s after the first is in its window only, not in the second's."""
    alone = change_point_score([_points([100, 120], [145])])
    assert alone.standard == pytest.approx(change_point_score([_points([100], [145])]).standard / 2)


def test_an_alarm_tells_of_its_beginning_and_end() -> None:
    assert changes(np.array([1, 1, 0, 0, 1], bool)).tolist() == [True, False, True, False, True]
    assert changes(np.zeros(0, bool)).tolist() == []
