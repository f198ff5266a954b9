"""Regimes: found where a machine is run in ways that stand apart, and nowhere else."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from forewarn.policies.operating_regimes import UNKNOWN, find_regimes, one_regime, settled

KINDS = ["temperature", "speed", "power"]


def rows(speed: list[tuple[float, int]], seed: int = 0, power: float = 2.0) -> NDArray[np.float64]:
    """Stays of (speed, rows) with noise, and a power that follows."""
    random = np.random.default_rng(seed)
    level = np.concatenate([np.full(n, at) for at, n in speed])
    n = len(level)
    noisy = level + random.normal(0, 0.002 * (level.max() + 1), n)
    return np.column_stack((random.normal(50, 5, n), noisy, power * noisy + random.normal(0, 1, n)))


def test_two_speeds_and_standing_are_three_regimes() -> None:
    healthy = rows([(1450, 800), (0, 500), (2900, 900), (1450, 400), (0, 100)])
    tree = find_regimes(healthy, KINDS)
    assert tree.count == 3
    regime = tree.of(healthy)
    assert len(set(regime[:800])) == len(set(regime[800:1300])) == len(set(regime[1300:2200])) == 1
    assert len({regime[0], regime[1000], regime[2000]}) == 3


@settings(max_examples=30)
@given(st.integers(0, 1000), st.floats(1, 3000), st.sampled_from([0.02, 0.1, 0.3]))
def test_a_speed_that_wanders_is_one_regime(seed: int, level: float, swing: float) -> None:
    random = np.random.default_rng(seed)
    n = 3000
    speed = level * (1 + swing * np.sin(np.arange(n) / 200) + random.normal(0, 0.01, n))
    healthy = np.column_stack((random.normal(50, 5, n), speed, 2 * speed))
    tree = find_regimes(healthy, KINDS)
    assert tree.count == 1
    assert (tree.of(healthy) == 0).all()


def test_a_speed_never_seen_is_of_no_regime() -> None:
    tree = find_regimes(rows([(1450, 800), (0, 500)]), KINDS)
    seen = tree.of(np.array([[50.0, 1460.0, 2920.0], [50, 2900, 5800], [50, np.nan, 2900], [90, 1450, 9000]]))
    assert (seen == UNKNOWN).tolist() == [False, True, True, False]  # a strange load or heat is no other regime


def test_loads_are_told_apart_within_a_speed_and_few_rows_are_not() -> None:
    at_full = rows([(1450, 1000)], 1)
    at_half = rows([(1450, 1000)], 2, power=1.0)
    assert find_regimes(np.vstack((at_full, at_half)), KINDS).count == 2
    assert find_regimes(np.vstack((at_full, at_half[:100])), KINDS).count == 1


def test_a_signal_that_only_flickers_makes_no_regimes() -> None:
    n = 4000
    flicker = np.where(np.arange(n) % 4 < 2, 0.0, 1450.0)
    assert find_regimes(np.column_stack((flicker, flicker, flicker)), KINDS).count == 1


def test_without_values_or_settings_all_is_one_regime() -> None:
    empty = np.full((500, 3), np.nan)
    assert find_regimes(empty, KINDS).count == 1
    plain = np.random.default_rng(0).normal(0, 1, (900, 2))
    assert find_regimes(plain, ["temperature", "pressure"]).count == 1
    assert (one_regime(2).of(plain) == 0).all()


def test_after_a_change_nothing_is_settled_for_a_while() -> None:
    regime = np.array([0, 0, 0, 1, 1, 1, 1, UNKNOWN, 1, 1, 1, 1])
    expected = [True, True, True, False, False, True, True, False, False, False, True, True]
    assert settled(regime, 2).tolist() == expected


def settled_one_by_one(regime: list[int], breaks: list[bool], rows: int) -> list[bool]:
    told, known, since = [], False, 0
    for i, (code, is_break) in enumerate(zip(regime, breaks, strict=True)):
        if is_break:
            known = False
        changed = i > 0 and code != regime[i - 1]
        since = 0 if changed or i == 0 else since + 1
        if changed or i == 0:
            first = not known
        known = known or code >= 0
        told.append(code >= 0 and (first or since >= rows))
    return told


@given(st.lists(st.tuples(st.sampled_from([UNKNOWN, 0, 0, 0, 1]), st.booleans()), min_size=1, max_size=40))
def test_what_follows_a_break_counts_as_settled_until_it_changes(rows: list[tuple[int, bool]]) -> None:
    regime = [code for code, _ in rows]
    breaks = [code == UNKNOWN and is_break for code, is_break in rows]
    found = settled(np.array(regime, np.intp), 3, np.array(breaks))
    assert found.tolist() == settled_one_by_one(regime, breaks, 3)
