"""Each reading belongs to the regime of the last speed at or before its own time."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from forewarn.domain.assets import Signal
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.signal_table import SignalTable
from forewarn.policies.regimes import FAST, LONG_AGO, MIDDLE, SLOW, STANDING, UNCONDITIONAL, UNKNOWN, Regimes
from forewarn.policies.runs import Runs

TABLE = SignalTable.of(
    [
        Signal("a.n", "a", "n", "speed", "rpm", key=3, running_above=10.0, range_high=100.0),
        Signal("a.t", "a", "t", "temperature", "C", key=1),
        Signal("b.t", "b", "t", "temperature", "C", key=2),
    ]
)
Row = tuple[int, int, float]


def batch(rows: list[Row]) -> ReadingBatch:
    signal, time, value = zip(*sorted(rows), strict=True)
    n = len(rows)
    return ReadingBatch(
        np.array(signal, np.int32), np.array(time), np.array(value, float), np.zeros(n, np.uint32), "", 0
    )


def regimes() -> Regimes:
    made = Regimes()
    made.configure(TABLE)
    return made


def follow(made: Regimes, rows: list[Row]) -> tuple[list[int], list[int]]:
    readings = batch(rows)
    view = made.follow(readings, Runs.of(readings))
    return list(view.row_regime), list(view.row_since)


def test_bins_and_the_time_of_the_last_start() -> None:
    made = regimes()
    assert follow(made, [(1, 5, 0.0), (2, 5, 0.0)])[0] == [UNKNOWN, UNCONDITIONAL]
    rows = [(1, t, 0.0) for t in range(10, 16)]
    speeds = [(3, 10, 0.0), (3, 11, 20.0), (3, 12, 50.0), (3, 13, 90.0), (3, 14, -90.0), (3, 15, 10.0)]
    regime, since = follow(made, rows + speeds)
    assert regime[:6] == [STANDING, SLOW, MIDDLE, FAST, FAST, STANDING]
    assert since[:6] == [LONG_AGO, 11, 11, 11, 11, 15]
    assert follow(made, [(1, 20, 0.0)]) == ([STANDING], [15])


@settings(max_examples=150, deadline=None)
@given(
    speeds=st.dictionaries(st.integers(0, 30), st.sampled_from([0.0, 20.0, 50.0, 90.0]), max_size=12),
    times=st.sets(st.integers(0, 30), min_size=1, max_size=15),
    cut=st.integers(0, 30),
)
def test_a_plain_search_agrees_and_cutting_in_time_changes_nothing(
    speeds: dict[int, float], times: set[int], cut: int
) -> None:
    codes = {0.0: STANDING, 20.0: SLOW, 50.0: MIDDLE, 90.0: FAST}
    known = {t: max((s for s in speeds if s <= t), default=None) for t in times}
    expected = {t: UNKNOWN if s is None else codes[speeds[s]] for t, s in known.items()}
    rows = [(1, t, 0.0) for t in times] + [(3, t, v) for t, v in speeds.items()]
    whole, _ = follow(regimes(), rows)
    assert whole[: len(times)] == [expected[t] for t in sorted(times)]
    made, found = regimes(), []
    for part in ([r for r in rows if r[1] < cut], [r for r in rows if r[1] >= cut]):
        if part:
            count = sum(r[0] == 1 for r in part)
            found += follow(made, part)[0][:count]
    assert found == whole[: len(times)]
