"""Changes of unit: told after a few readings, withheld from the first; what a fault does is none."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from forewarn.policies.unit_change import CONFIRM, GIVE_UP, RETURN, HealthyRange, UnitChanges
from forewarn.policies.unit_conversions import conversions

pytestmark = pytest.mark.filterwarnings("error")
UNITS = ("bar", "mm/s", "degC", "rpm")
KINDS = ("pressure", "vibration_velocity", "temperature", "speed")
CENTRE, SPREAD = np.array([8.0, 2.0, 60.0, 1450.0]), np.array([0.3, 0.4, 2.0, 4.0])
ALONE = np.zeros(1, np.intp)


def watch(machines: int = 1) -> UnitChanges:
    width = np.stack([CENTRE - 3 * SPREAD, CENTRE + 3 * SPREAD, CENTRE, 1.1 * SPREAD])
    healthy = HealthyRange(*(np.tile(part, (machines, 1)) for part in width))
    known = [conversions(unit, kind) for unit, kind in zip(UNITS, KINDS, strict=True)]
    return UnitChanges(healthy, [known] * machines)


def behaviour(rows: int, seed: int = 1) -> NDArray[np.float64]:
    noise = np.clip(np.random.default_rng(seed).normal(0, 1, (rows, 4)), -2.9, 2.9)
    return CENTRE + noise * SPREAD


def screened(units: UnitChanges, rows: NDArray[np.float64], first: int = 0) -> NDArray[np.float64]:
    time = (first + np.arange(len(rows), dtype=np.int64))[None]
    return units.screen(ALONE, time, rows[None], ~np.isnan(rows)[None])[0]


@pytest.mark.parametrize(
    ("column", "unit"),
    [
        (0, "psi"),
        (0, "kPa"),
        (0, "mbar"),
        (0, "Pa"),
        (1, "in/s"),
        (1, "m/s"),
        (1, "um/s"),
        (2, "K"),
        (2, "degF"),
        (3, "Hz"),
    ],
)
def test_a_change_is_told_by_name_withheld_from_its_first_row_and_ends(column: int, unit: str) -> None:
    rows = behaviour(300)
    (found,) = [c for c in conversions(UNITS[column], KINDS[column]) if c.unit == unit]
    rows[100:200, column] = rows[100:200, column] * found.factor + found.offset
    units = watch()
    out = screened(units, rows)
    withheld = np.isnan(out[:, column])
    assert np.flatnonzero(withheld).tolist() == list(range(100, 200 + RETURN - 1))
    assert not np.isnan(np.delete(out, column, axis=1)).any()
    began, ended = units.events
    assert (began.column, began.since, began.at, began.over) == (column, 100, 99 + CONFIRM, False)
    assert units.known[0][column][began.conversion].unit == unit
    assert (ended.since, ended.at, ended.over) == (100, 199 + RETURN, True)
    assert units.changed(0) == []


def test_a_spike_is_withheld_and_none_is_told() -> None:
    rows = behaviour(60)
    rows[30 : 30 + CONFIRM - 1, 0] *= 1000
    units = watch()
    out = screened(units, rows)
    assert np.flatnonzero(np.isnan(out[:, 0])).tolist() == list(range(30, 30 + CONFIRM - 1))
    assert units.events == []


def test_a_held_value_confirms_nothing() -> None:
    rows, units = behaviour(60), watch()
    rows[30:, 0] = 1000 * rows[30, 0]
    read = np.ones((1, 60, 4), np.bool_)
    read[0, 31:, 0] = False
    out = units.screen(ALONE, np.arange(60)[None], rows[None], read)[0]
    assert np.isnan(out[30:, 0]).all()
    assert units.events == []


@pytest.mark.parametrize("what", ["tenfold", "stop", "stuck", "sentinel", "slow", "elsewhere first", "all at once"])
def test_what_a_machine_or_a_sensor_does_is_no_unit(what: str) -> None:
    rows, units, column = behaviour(200), watch(), 1
    sick = slice(100, 200)
    if what == "tenfold":
        rows[sick, 1] *= 10.0
    elif what == "stop":
        rows[sick] = np.array([0.03, 0.02, 60.0, 0.0]) + np.random.default_rng(3).normal(0, 0.002, (100, 4))
    elif what == "stuck":
        rows[sick, 1] = 0.002
    elif what == "sentinel":
        rows[sick, 0], column = 9999.0, 0
    elif what == "slow":
        rows[sick, 1] = 2.0 * np.geomspace(1.5, 1000.0, 100)
    elif what == "elsewhere first":
        rows[sick, 1] = 30.0
        rows[150:, 1] = 2000.0 + np.arange(50)
    else:
        rows[sick, 1] *= 1000.0
        rows[sick, 0], rows[sick, 2] = 4.0, 200.0
    out = screened(units, rows)
    assert units.events == []
    assert not np.isnan(out[160:, column]).any()


def test_a_signal_about_zero_and_one_of_no_range_are_let_pass() -> None:
    part = np.array([[-1.0, np.nan, 3.0, 1.0]]), np.array([[1.0, np.nan, 9.0, 2.0]])
    nothing = np.zeros((1, 4))
    units = UnitChanges(HealthyRange(*part, nothing, nothing + 0.3), [[conversions("V", "voltage")] * 4])
    rows = np.random.default_rng(1).uniform(-0.5, 0.5, (100, 4))
    rows[50:] *= 1000.0
    rows[:, 1:] = 5.0
    out = screened(units, rows)
    assert np.isnan(out[50:, 0]).sum() <= 3  # by chance one is near enough for a moment
    assert not np.isnan(out[:, 1:]).any()
    assert units.events == []


def test_another_fault_while_the_unit_is_another_does_not_bring_it_back() -> None:
    rows, units = behaviour(300), watch()
    rows[50:, 0] *= 1000.0
    rows[120:, 0] *= 0.6
    assert np.isnan(screened(units, rows)[50:, 0]).all()
    assert [event.over for event in units.events] == [False]


def test_back_and_at_fault_is_back() -> None:
    rows, units = behaviour(300), watch()
    rows[50:150, 0] *= 1000.0
    rows[150:, 0] *= 0.3
    out = screened(units, rows)
    assert [event.over for event in units.events] == [False, True]
    assert not np.isnan(out[150 + RETURN :, 0]).any()


@pytest.mark.parametrize("value", [0.0, 400.0, 9e9])
def test_what_is_of_neither_unit_is_a_fault_and_is_let_pass(value: float) -> None:
    """A sensor that dies after its unit was changed."""
    rows, units = behaviour(400), watch()
    rows[50:100, 0] *= 1000.0
    rows[100:300, 0] = value
    out = screened(units, rows)
    assert np.flatnonzero(np.isnan(out[:, 0])).tolist() == list(range(50, 100 + GIVE_UP - 1))
    began, over = units.events
    assert (over.since, over.at, over.over) == (began.since, 99 + GIVE_UP, True)
    assert units.changed(0) == []


def test_a_machine_that_stops_or_a_few_such_readings_leave_the_unit_changed() -> None:
    rows, units = behaviour(400), watch()
    rows[50:, 0] *= 1000.0
    rows[100 : 100 + GIVE_UP - 1, 0] = 0.0
    rows[200:300] = np.array([0.0, 0.02, 20.0, 0.0])
    assert np.isnan(screened(units, rows)[50:, 0]).all()
    assert [event.over for event in units.events] == [False]


def test_one_that_stood_before_goes_on_without_being_told() -> None:
    rows, units = behaviour(60), watch()
    psi = [c.unit for c in units.known[0][0]].index("psi")
    units.resume(0, 0, psi, -77)
    rows[:20, 0] *= 14.5038
    out = screened(units, rows)
    assert np.isnan(out[: 20 + RETURN - 1, 0]).all()
    (over,) = units.events
    assert (over.since, over.over, over.conversion) == (-77, True, psi)


def test_a_machine_that_is_carried_goes_on() -> None:
    rows, before, after = behaviour(100), watch(2), watch(3)
    rows[50:, 0] *= 1000.0
    before.screen(np.array([1]), np.arange(53)[None], rows[None, :53], np.ones((1, 53, 4), np.bool_))
    after.carry(before, np.array([1]), np.array([2]))
    out = after.screen(np.array([2]), np.arange(53, 100)[None], rows[None, 53:], np.ones((1, 47, 4), np.bool_))
    assert np.isnan(out[0, :, 0]).all()
    assert [(e.machine, e.since) for e in after.events] == [(2, 50)]


@settings(max_examples=25)
@given(
    st.lists(st.integers(1, 239), max_size=12),
    st.integers(0, 40),
    st.lists(
        st.tuples(
            st.integers(0, 3),
            st.integers(0, 230),
            st.integers(1, 80),
            st.sampled_from([1000.0, 0.001, 14.5038, 100.0, 1e6, 10.0, 0.02, 1 / 60, 0.0, np.nan]),
        ),
        max_size=5,
    ),
    st.floats(0.0, 0.6),
)
def test_cutting_changes_nothing(
    cuts: list[int], seed: int, spells: list[tuple[int, int, int, float]], gaps: float
) -> None:
    rows = behaviour(240, seed)
    for column, first, length, factor in spells:
        rows[first : first + length, column] *= factor
    held = np.random.default_rng(seed).random(rows.shape) < gaps
    for t in range(1, 240):
        rows[t] = np.where(held[t], rows[t - 1], rows[t])
    read = (~held | (np.arange(240) == 0)[:, None])[None]
    time = np.arange(240, dtype=np.int64)[None]
    whole, pieces = watch(), watch()
    at_once = whole.screen(ALONE, time, rows[None], read)
    edges = [0, *sorted(set(cuts)), 240]
    parts = [pieces.screen(ALONE, time[:, a:b], rows[None, a:b], read[:, a:b]) for a, b in pairwise(edges)]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), at_once)
    assert sorted(map(repr, pieces.events)) == sorted(map(repr, whole.events))
    kept = ~np.isnan(at_once[0])
    np.testing.assert_array_equal(at_once[0][kept], rows[kept])
