"""Rows of machines against a slow reading of the same definition."""

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from forewarn.domain.readings import ReadingBatch
from forewarn.policies.machine_rows import GRACE, MachineRows

SECOND = 1_000_000
KEYS = np.array([[3, 1], [5, 8], [2, 0]], np.int32)
HOLD = np.array([[2, 4], [3, 0], [1, 1]], np.int64)
DEPTH = 3
Row = tuple[int, int, bool, tuple[float, ...]]
Reading = tuple[int, int, float, int]  # signal, time in tenths of a step, value, quality


def batch(readings: list[Reading]) -> ReadingBatch:
    ordered = sorted(readings, key=lambda r: (r[0], r[1]))
    signal, time, value, quality = zip(*ordered, strict=True) if ordered else ((), (), (), ())
    when = np.array(time, np.int64) * (SECOND // 10)
    return ReadingBatch(np.array(signal, np.int32), when, np.array(value, float), np.array(quality, np.uint32), "gw", 0)


def told(rows: MachineRows, one: ReadingBatch) -> list[Row]:
    found = []
    for block in rows.take(one):
        assert block.value.shape == (len(block.machine), DEPTH + block.time.shape[1], 2)
        for k, machine in enumerate(block.machine):
            for n, time in enumerate(block.time[k]):
                line = tuple(np.nan_to_num(block.value[k, DEPTH + n], nan=-1.0))
                found.append((int(machine), int(time // SECOND), bool(block.fresh[k, n]), line))
    return found


def expected(readings: list[Reading], machine: int) -> list[Row]:
    """Every row up to the newest but GRACE in which something was read."""
    mine = [r for r in readings if r[0] in KEYS[machine] and r[0] and r[3] == 0 and np.isfinite(r[2])]
    if not mine:
        return []
    found = []
    steps = [r[1] // 10 for r in mine]
    for step in sorted({s for s in steps if s <= max(steps) - 1 - GRACE}):
        line = []
        for column, key in enumerate(KEYS[machine]):
            before = [r for r in mine if r[0] == key and step - HOLD[machine, column] <= r[1] // 10 <= step]
            line.append(max(before, key=lambda r: r[1])[2] if before else -1.0)
        found.append((machine, step, True, tuple(line)))
    return found


READINGS = st.lists(
    st.tuples(
        st.sampled_from([1, 2, 3, 5, 7, 8]),
        st.one_of(st.integers(100, 400), st.integers(3000, 3050)),
        st.one_of(st.integers(0, 9).map(float), st.just(float("nan"))),
        st.sampled_from([0, 0, 0, 0x80000000]),
    ),
    max_size=40,
    unique_by=lambda r: (r[0], r[1]),
)


@settings(max_examples=150)
@given(READINGS, st.lists(st.integers(90, 3060), max_size=4))
def test_rows_are_what_was_read_however_it_is_cut(readings: list[Reading], cuts: list[int]) -> None:
    rows = MachineRows(KEYS, SECOND, HOLD, DEPTH)
    edges = [0, *sorted(cuts), 10_000]
    found = []
    for first, end in pairwise(edges):
        found += told(rows, batch([r for r in readings if first <= r[1] < end]))
    fresh = sorted(row for row in found if row[2])
    assert fresh == sorted(row for machine in range(len(KEYS)) for row in expected(readings, machine))


@settings(max_examples=60)
@given(READINGS, st.integers(90, 3060))
def test_what_stands_before_a_row_is_what_was_told_before_it(readings: list[Reading], cut: int) -> None:
    def context(pieces: list[list[Reading]]) -> dict[tuple[int, int], NDArray[np.float64]]:
        rows = MachineRows(KEYS, SECOND, HOLD, DEPTH)
        seen = {}
        for piece in pieces:
            for block in rows.take(batch(piece)):
                for k, machine in enumerate(block.machine):
                    for n, time in enumerate(block.time[k]):
                        if block.fresh[k, n]:
                            seen[int(machine), int(time)] = block.value[k, n : n + DEPTH + 1]
        return seen

    whole = context([readings])
    cut_up = context([[r for r in readings if r[1] < cut], [r for r in readings if r[1] >= cut]])
    assert whole.keys() == cut_up.keys()
    for key, block in whole.items():
        np.testing.assert_array_equal(block, cut_up[key])


def test_a_long_silence_costs_no_rows_and_leaves_nothing_behind() -> None:
    rows = MachineRows(KEYS, SECOND, HOLD, DEPTH)
    told(rows, batch([(1, 100, 1.0, 0), (3, 101, 2.0, 0)]))
    day = 10 * 86_400
    found = told(rows, batch([(1, 100 + day, 5.0, 0), (1, 100 + day + 50, 6.0, 0)]))
    assert len(found) < 20
    assert [row for row in found if row[2]][-1] == (0, 10 + 86_400, True, (-1.0, 5.0))


def test_what_comes_too_late_changes_nothing() -> None:
    rows = MachineRows(KEYS, SECOND, HOLD, DEPTH)
    told(rows, batch([(1, 100, 1.0, 0), (1, 150, 2.0, 0)]))
    assert told(rows, batch([(3, 110, 9.0, 0)])) == []
    assert [row[3] for row in told(rows, batch([(1, 160, 3.0, 0)])) if row[2]] == []


def live(rows: MachineRows, steps: range, size: int = 1) -> list[Row]:
    """Batches of `size` steps each of one machine."""
    return [row for at in steps for row in told(rows, batch([(1, 10 * (at + i), 1.0, 0) for i in range(size)]))]


def test_a_clock_that_goes_back_is_followed_once_rows_have_come_for_a_minute() -> None:
    rows = MachineRows(KEYS, SECOND, HOLD, DEPTH)
    live(rows, range(10_000, 10_100))
    assert live(rows, range(5_000, 5_060)) == []
    assert [row[1] for row in live(rows, range(5_060, 5_070))] == list(range(5_059, 5_068))


def test_the_past_told_fast_is_none_unless_nothing_else_comes_for_long() -> None:
    rows = MachineRows(KEYS, SECOND, HOLD, DEPTH)
    live(rows, range(10_000, 10_100))
    assert live(rows, range(1_000, 2_900, 10), 10) == []
    assert len(live(rows, range(10_100, 10_110))) == 10
    assert live(rows, range(3_000, 4_990, 10), 10) == []
    assert live(rows, range(5_000, 5_020, 10), 10) != []


def test_the_past_told_out_of_order_is_no_clock_that_goes_back() -> None:
    rows = MachineRows(KEYS, SECOND, HOLD, DEPTH)
    live(rows, range(10_000, 10_100))
    assert live(rows, range(5_190, 5_000, -1)) == []
    assert live(rows, range(2_000, 2_004)) + live(rows, range(7_000, 7_004)) == []
    assert len(live(rows, range(10_100, 10_110))) == 10


def test_a_source_that_sends_ten_seconds_at_a_time_is_followed_back() -> None:
    rows = MachineRows(KEYS, SECOND, HOLD, DEPTH)
    live(rows, range(10_000, 10_100, 10), 10)
    assert len(live(rows, range(5_000, 5_100, 10), 10)) > 20
