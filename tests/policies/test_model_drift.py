"""How far a machine's rows are from what its model was trained on."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from forewarn.policies.model_drift import (
    BINS,
    DriftCounts,
    DriftSettings,
    Judged,
    ScoreReference,
    excess_tail,
    input_reference,
    nothing_known,
    score_reference,
    stability_index,
)

Matrix = NDArray[np.float64]
QUICK = DriftSettings(half_life_s=600.0, least_s=300.0, sample_s=1.0)
CALM = ScoreReference(10_000, 50, 10.0)


def noise(seed: int, rows: int, width: int = 3) -> Matrix:
    return np.random.default_rng(seed).normal(0.0, 1.0, (rows, width))


REFERENCE = input_reference(noise(0, 5_000), 900)


def judged(
    rows: Matrix, ratio: Matrix | None = None, cuts: list[int] | None = None, counts: DriftCounts | None = None
) -> Judged:
    """Of one machine with one regime, a row a second."""
    counts = counts or DriftCounts([[REFERENCE]], [[CALM]])
    ratio = np.full(len(rows), 0.5) if ratio is None else ratio
    machine, each = np.zeros(1, np.intp), np.full(1, 0.5 ** (1 / QUICK.half_life_s))
    for part in np.split(np.arange(len(rows)), sorted(cuts or [])):
        regime, sampled = np.zeros((1, len(part)), np.intp), np.ones((1, len(part)), np.bool_)
        counts.add(machine, regime, rows[None, part], ratio[None, part], (each, sampled, each))
    return counts.judge(machine, 1.0, 1.0, QUICK)


shares = (
    arrays(np.float64, BINS, elements=st.floats(0.0, 100.0)).filter(lambda a: a.sum() > 0).map(lambda a: a / a.sum())
)


@given(shares, shares)
def test_the_index_is_a_distance(p: Matrix, q: Matrix) -> None:
    assert stability_index(p, q) >= 0
    assert stability_index(p, q) == pytest.approx(stability_index(q, p))
    assert stability_index(p, p) == 0
    assert np.isfinite(stability_index(p, q))


@settings(max_examples=30)
@given(st.integers(0, 1000), st.lists(st.integers(1, 699), max_size=10))
def test_cutting_changes_no_judgement(seed: int, cuts: list[int]) -> None:
    rows, ratio = noise(seed, 700), np.random.default_rng(seed).exponential(0.4, 700)
    rows[5:300:7, 1] = np.nan
    ratio[100:130] = np.nan
    whole, cut_up = judged(rows, ratio), judged(rows, ratio, cuts)
    np.testing.assert_allclose(whole.psi, cut_up.psi)
    np.testing.assert_allclose(whole.over, cut_up.over)


@settings(max_examples=20)
@given(st.integers(1, 1000), st.floats(-1e6, 1e6), st.floats(1e-3, 1e3))
def test_the_same_behaviour_is_no_drift_and_two_spreads_are_whatever_the_unit(
    seed: int, offset: float, unit: float
) -> None:
    learned = input_reference(offset + unit * noise(0, 5_000), 900)
    alike = judged(offset + unit * noise(seed, 3_000), counts=DriftCounts([[learned]], [[CALM]]))
    assert (alike.psi < alike.mark).all()
    away = noise(seed, 3_000)
    away[:, 1] += 2.0
    moved = judged(offset + unit * away, counts=DriftCounts([[learned]], [[CALM]]))
    assert np.argmax(moved.psi / moved.mark) == 1
    assert moved.psi[0, 1] > 3 * moved.mark[0, 1]
    assert (np.delete(moved.psi, 1) < np.delete(moved.mark, 1)).all()


def test_a_signal_that_wanders_in_health_may_wander_as_far() -> None:
    wandering = np.cumsum(noise(3, 5_000, 1), axis=0)
    own, steady = input_reference(wandering, 900), input_reference(noise(3, 5_000, 1), 900)
    assert own.wander[0] > 1.0 > 0.25 > steady.wander[0]
    assert judged(wandering[-1_000:], counts=DriftCounts([[own]], [[CALM]])).mark[0, 0] == own.wander[0]


def test_what_came_back_is_forgotten_after_a_while() -> None:
    counts = DriftCounts([[REFERENCE]], [[CALM]])
    away = judged(noise(1, 2_000) + 2.0, np.full(2_000, 2.0), counts=counts)
    assert away.psi[0, 0] > 1
    assert away.tail[0] < 1e-6
    back = judged(noise(2, 6_000), counts=counts)
    assert back.psi[0, 0] < 0.1
    assert back.tail[0] > 0.1


def test_what_cannot_be_judged_is_not() -> None:
    assert np.isnan(judged(noise(1, 200)).psi).all()  # too short
    constant = noise(1, 5_000)
    constant[:, 2] = 7.0
    one = judged(noise(1, 900), counts=DriftCounts([[input_reference(constant, 900)]], [[None]]))
    assert np.isnan(one.psi[0]).tolist() == [False, False, True]
    assert np.isnan(one.over[0])
    assert one.tail[0] == 1.0
    none = judged(noise(1, 900), counts=DriftCounts([[nothing_known(3)]], [[CALM]]))
    assert np.isnan(none.psi).all()
    empty = input_reference(np.full((10, 2), np.nan), 900)
    assert np.isnan(empty.edges).all()


def test_another_regime_is_held_against_its_own_past() -> None:
    fast = input_reference(noise(5, 5_000) + 40.0, 900)
    counts = DriftCounts([[REFERENCE, fast]], [[CALM, CALM]])
    machine, each = np.zeros(1, np.intp), np.full(1, 0.5 ** (1 / 600))
    keep = each, np.ones((1, 2_000), np.bool_), each
    counts.add(machine, np.ones((1, 2_000), np.intp), noise(6, 2_000)[None] + 40.0, np.full((1, 2_000), 0.5), keep)
    found = counts.judge(machine, 1.0, 1.0, QUICK)
    assert (found.psi < 0.25).all()


@given(st.integers(0, 5_000), st.integers(0, 5_000), st.integers(1, 10_000), st.floats(1.0, 200.0))
def test_the_more_rows_are_over_the_less_likely_that_is_in_health(a: int, b: int, rows: int, dispersion: float) -> None:
    reference = replace(CALM, dispersion=dispersion)
    few, many = (excess_tail(min(n, rows), rows, reference) for n in sorted((a, b)))
    assert 0 <= many <= few + 1e-12 <= 1 + 1e-12
    assert excess_tail(0, rows, reference) == 1.0


def test_the_tail_is_that_of_a_negative_binomial_count() -> None:
    """Against a simulation: a rate from its gamma distribution, a Poisson count from the rate."""
    reference = ScoreReference(1_000, 40, 10.0)
    random = np.random.default_rng(0)
    counts = random.poisson(random.gamma(4.5, 2_000 / 1_000, 400_000))
    for events in (5, 12, 25):
        simulated = np.mean(counts >= events)
        assert excess_tail(10.0 * events, 2_000, reference) == pytest.approx(simulated, rel=0.1)


def test_rows_over_the_quantile_in_one_stretch_are_one_event() -> None:
    ratio = np.full(5_000, 0.5)
    ratio[1_000:1_200] = 1.5
    assert score_reference(ratio) == ScoreReference(5_000, 200, 200.0)
    assert excess_tail(400, 5_000, score_reference(ratio)) > 0.05
    ratio[:] = np.nan
    assert score_reference(ratio) == ScoreReference(0, 0, 10.0)
