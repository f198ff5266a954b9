"""What was thinned is told from what was read."""

import numpy as np
import pytest

from forewarn.domain.series import Series
from forewarn.policies.read_fully import read_fully, share_read

SECOND = 1_000_000
START = 1_700_000_000 * SECOND // (10 * SECOND) * 10 * SECOND


def series(**seconds: list[int]) -> Series:
    """Readings of signals 1, 2, ... at those seconds."""
    times = list(seconds.values())
    signal = np.repeat(np.arange(1, len(times) + 1, dtype=np.int32), [len(t) for t in times])
    time = START + np.concatenate([np.array(t, np.int64) for t in times]) * SECOND
    return Series(signal, time, np.zeros(len(time)), np.zeros(len(time), np.uint32))


ROWS = START + np.arange(300, dtype=np.int64) * SECOND


def test_only_what_was_read_in_full_counts_and_needs_its_past() -> None:
    read = series(a=[*range(0, 100, 20), *range(100, 200), *range(200, 300, 15)])
    whole = read_fully(ROWS, read, {1: 1.0}, SECOND, 30)
    assert np.flatnonzero(whole).tolist() == list(range(130, 200))
    assert np.flatnonzero(read_fully(ROWS, read, {1: 1.0}, SECOND, 0)).tolist() == list(range(100, 200))


def test_a_signal_that_reports_on_change_does_not_hide_the_others() -> None:
    read = series(a=list(range(300)), b=[5, 200])
    assert read_fully(ROWS, read, {1: 1.0, 2: 1.0}, SECOND, 9)[9:].all()


def test_a_lost_reading_now_and_then_is_no_thinning() -> None:
    read = series(a=[t for t in range(300) if t % 5])
    assert read_fully(ROWS, read, {1: 1.0}, SECOND, 0).all()


@pytest.mark.parametrize("rate", [{}, {1: 0.0}, {1: 0.1}])
def test_where_nothing_can_be_told_all_counts(rate: dict[int, float]) -> None:
    assert read_fully(ROWS, series(a=[1]), rate, SECOND, 30).all()


def test_slow_machines_are_looked_at_in_longer_parts() -> None:
    rows = START + np.arange(60, dtype=np.int64) * 60 * SECOND
    read = series(a=[60 * t for t in range(30)])
    whole = read_fully(rows, read, {1: 1 / 60}, 60 * SECOND, 0)
    assert whole[10:20].all()
    assert not whole[30:].any()


def test_the_signal_that_came_most_fully_tells_how_much_of_a_stretch_is_there() -> None:
    read = series(a=list(range(0, 90, 3)), b=list(range(60)), c=[1])
    assert share_read(read, {1: 1.0, 2: 1.0, 3: 1.0}, 90 * SECOND) == pytest.approx(2 / 3)
    assert share_read(read, {1: 1.0, 3: 0.01}, 90 * SECOND) == pytest.approx(1 / 3)
    assert share_read(read, {9: 1.0}, 90 * SECOND) == 0.0
    assert share_read(read, {1: 0.05, 2: 0.0}, 90 * SECOND) is None
