"""Thinning keeps its stated error for every reading it drops, however the readings are cut into batches."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forewarn.domain.assets import Limits, Signal
from forewarn.domain.errors import ConfigurationError, InvalidInput
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.series import Aggregates, Series
from forewarn.domain.signal_table import SignalTable
from forewarn.policies.thinning import Thinned, Thinning
from forewarn.policies.thinning_minutes import MINUTE, joined
from forewarn.policies.thinning_plan import Method, ThinPlan, ThinRule

T0 = 1_767_225_600_000_000
SECOND = 1_000_000
GAP_S = 20.0


def plan(method: Method, error: float | None = 0.5, percent: float = 1.0, signals: int = 4) -> ThinPlan:
    rule = ThinRule(method, error, percent, GAP_S)
    rows = [Signal(f"a.{k}", "a", str(k), "temperature", "°C", key=k) for k in range(1, signals + 1)]
    return ThinPlan.of(SignalTable.of(rows), rule)


def batch_of(readings: Series) -> ReadingBatch:
    order = np.lexsort((readings.time, readings.signal))
    return ReadingBatch(
        readings.signal[order], readings.time[order], readings.value[order], readings.quality[order], "gw", 1
    )


def one(signal: int, seconds: list[float], values: list[float], quality: list[int] | None = None) -> ReadingBatch:
    n = len(values)
    time = T0 + (np.array(seconds) * SECOND).astype(np.int64)
    codes = np.array(quality or [0] * n, np.uint32)
    return ReadingBatch(np.full(n, signal, np.int32), time, np.array(values, float), codes, "gw", 1)


def taken(thinning: Thinning, batch: ReadingBatch, full: bool = False) -> Thinned:
    return thinning.take(batch, np.full(len(batch), full), T0)


@st.composite
def streams(draw: st.DrawFn) -> Series:
    """Readings of up to four signals in order of arrival, times rising within each; some are bad, some not numbers."""
    n = draw(st.integers(1, 120))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    signal = rng.integers(1, 5, n).astype(np.int32)
    gaps = rng.choice([0.1, 1.0, 1.0, 1.0, 5.0, 19.0, 21.0, 60.0], n, p=[0.2, 0.2, 0.2, 0.2, 0.1, 0.04, 0.03, 0.03])
    time = T0 + (np.cumsum(gaps * rng.uniform(0.5, 1.5, n)) * SECOND).astype(np.int64)
    shape = draw(st.sampled_from(["noise", "walk", "steps", "flat"]))
    noise = rng.normal(size=n)
    value = {
        "noise": noise,
        "walk": np.cumsum(noise * 0.2),
        "steps": np.round(np.cumsum(noise * 0.3)) * draw(st.sampled_from([1.0, 1e9])),
        "flat": np.zeros(n),
    }[shape]
    value[rng.random(n) < 0.02] = np.nan
    value[rng.random(n) < 0.01] = np.inf
    quality = np.where(rng.random(n) < 0.05, rng.choice([0x80310000, 0x40000000, 0x00960000], n), 0)
    return Series(signal, time, value, quality.astype(np.uint32))


@st.composite
def cuts(draw: st.DrawFn, n: int) -> list[int]:
    return sorted(draw(st.lists(st.integers(0, n), max_size=8)))


def pieces(stream: Series, at: list[int]) -> Iterator[ReadingBatch]:
    for start, stop in zip([0, *at], [*at, len(stream)], strict=True):
        rows = slice(start, stop)
        yield batch_of(Series(stream.signal[rows], stream.time[rows], stream.value[rows], stream.quality[rows]))


def all_kept(parts: list[Series]) -> set[tuple[int, int, bytes, int]]:
    rows: set[tuple[int, int, bytes, int]] = set()
    for p in parts:
        for s, t, v, q in zip(p.signal, p.time, p.value, p.quality, strict=True):
            row = (int(s), int(t), v.tobytes(), int(q))
            assert row not in rows, "a reading is kept once"
            rows.add(row)
    return rows


def run(thinning: Thinning, batches: Iterator[ReadingBatch]) -> tuple[list[Series], int, list[Aggregates]]:
    """Kept, thinned, minutes; the count is right after every batch."""
    kept: list[Series] = []
    thinned = read = told = 0
    over: list[Aggregates] = []
    for batch in batches:
        out = taken(thinning, batch)
        kept.append(out.kept)
        over.append(out.over)
        read, thinned, told = read + len(batch), thinned + out.thinned, told + len(out.kept)
        assert read == told + thinned + thinning.in_hand
    return kept, thinned, over


@given(streams())
@settings(deadline=None, max_examples=150)
def test_the_line_between_kept_readings_passes_all_others_within_the_error(stream: Series) -> None:
    thinning = Thinning(plan(Method.SWINGING_DOOR))
    kept, _, _ = run(thinning, pieces(stream, []))
    kept.append(thinning.release(np.arange(5)))
    rows = all_kept(kept)
    for key in np.unique(stream.signal):
        mine = sorted((t, np.frombuffer(v)[0], q) for s, t, v, q in rows if s == key)
        times, values = [t for t, _, _ in mine], [v for _, v, _ in mine]
        of_signal = stream.signal == key
        for t, v, q in zip(stream.time[of_signal], stream.value[of_signal], stream.quality[of_signal], strict=True):
            if (int(key), int(t), v.tobytes(), int(q)) in rows:
                continue
            assert q >> 30 == 0
            assert np.isfinite(v)
            i = int(np.searchsorted(times, t))
            assert 0 < i < len(times), "what is dropped lies between kept readings"
            share = (t - times[i - 1]) / (times[i] - times[i - 1])
            line = values[i - 1] + share * (values[i] - values[i - 1])
            assert abs(line - v) <= 0.5 + 1e-12 * max(abs(v), 1.0)
            assert times[i] - times[i - 1] <= GAP_S * SECOND


@given(streams())
@settings(deadline=None, max_examples=150)
def test_the_last_kept_reading_holds_within_the_error(stream: Series) -> None:
    thinning = Thinning(plan(Method.DEADBAND))
    kept, _, _ = run(thinning, pieces(stream, []))
    assert thinning.in_hand == 0
    rows = all_kept(kept)
    last: dict[int, tuple[int, float]] = {}
    for s, t, v, q in zip(stream.signal, stream.time, stream.value, stream.quality, strict=True):
        if (int(s), int(t), v.tobytes(), int(q)) in rows:
            last[int(s)] = (int(t), float(v))
        else:
            since, value = last[int(s)]
            assert abs(value - v) <= 0.5
            assert t - since <= GAP_S * SECOND
            assert q >> 30 == 0


@given(streams(), st.sampled_from(list(Method)), st.sampled_from([0.5, None]), st.data())
@settings(deadline=None, max_examples=150)
def test_cutting_and_restarting_changes_nothing(
    stream: Series, method: Method, error: float | None, data: st.DataObject
) -> None:
    whole = Thinning(plan(method, error))
    kept, thinned, over = run(whole, pieces(stream, []))
    cut = Thinning(plan(method, error))
    parts: list[Series] = []
    minutes: list[Aggregates] = []
    dropped = 0
    for piece in pieces(stream, data.draw(cuts(len(stream)))):
        cut = Thinning(plan(method, error), cut.state())
        out = taken(cut, piece)
        parts.append(out.kept)
        minutes.append(out.over)
        dropped += out.thinned
    assert all_kept(parts) == all_kept(kept)
    assert (dropped, cut.in_hand) == (thinned, whole.in_hand)
    if method is not Method.MINUTES:
        assert cut.state() == whole.state()
    a, b = joined([m for m in over if len(m)]), joined([m for m in minutes if len(m)])
    for name in ("signal", "start", "minimum", "maximum", "count", "good"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    for name in ("mean", "stddev"):
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=1e-9, atol=1e-7)


@given(streams(), st.data())
@settings(deadline=None, max_examples=100)
def test_minutes_are_the_statistics_of_all_that_was_heard(stream: Series, data: st.DataObject) -> None:
    thinning = Thinning(plan(Method.MINUTES))
    kept, thinned, over = run(thinning, pieces(stream, data.draw(cuts(len(stream)))))
    last = thinning.tick(T0 + 3_600 * SECOND)
    assert thinning.in_hand == 0
    told = joined([m for m in [*over, last.over] if len(m)])
    assert int(told.count.sum()) == len(stream) == thinned + last.thinned + sum(map(len, kept))
    minute = stream.time - stream.time % MINUTE
    usable = (stream.quality >> 30 == 0) & np.isfinite(stream.value)
    assert len(told) == len(set(zip(stream.signal.tolist(), minute.tolist(), strict=True)))
    for i in range(len(told)):
        rows = (stream.signal == told.signal[i]) & (minute == told.start[i])
        assert told.count[i] == rows.sum()
        good = stream.value[rows & usable]
        assert told.good[i] == len(good)
        if len(good):
            expected = good.mean(), good.min(), good.max()
            np.testing.assert_allclose((told.mean[i], told.minimum[i], told.maximum[i]), expected, rtol=1e-9, atol=1e-9)
        else:
            assert np.isnan(told.mean[i])
        if len(good) > 1:
            np.testing.assert_allclose(told.stddev[i], good.std(ddof=1), rtol=1e-6, atol=1e-6)
        else:
            assert np.isnan(told.stddev[i])


@pytest.mark.parametrize("method", [Method.DEADBAND, Method.SWINGING_DOOR, Method.MINUTES])
def test_bad_readings_and_changes_of_quality_are_kept(method: Method) -> None:
    bad, good = 0x80310000, 0
    thinning = Thinning(plan(method, 100.0))
    out = taken(
        thinning, one(1, [0, 1, 2, 3, 4, 5, 6], [1, 1, 1, 1, 1, 1, 1], [good, good, bad, bad, good, good, good])
    )
    seconds = set(((out.kept.time - T0) // SECOND).tolist())
    assert {2, 3} <= seconds
    if method is not Method.MINUTES:
        assert {0, 4} <= seconds
        assert 5 not in seconds
    if method is Method.SWINGING_DOOR:
        assert 1 in seconds, "the last good one before the change"


@pytest.mark.parametrize("method", [Method.DEADBAND, Method.SWINGING_DOOR])
def test_the_first_reading_after_a_gap_is_kept(method: Method) -> None:
    out = taken(Thinning(plan(method)), one(1, [0, 1, 2, 50, 51], [1, 1, 1, 1, 1]))
    seconds = ((out.kept.time - T0) // SECOND).tolist()
    assert 50 in seconds
    assert (2 in seconds) == (method is Method.SWINGING_DOOR)


@pytest.mark.parametrize("method", [Method.DEADBAND, Method.SWINGING_DOOR])
def test_a_machines_start_is_not_smeared(method: Method) -> None:
    values = [0.0] * 10 + [1480.0] * 10
    thinning = Thinning(plan(method))
    out = taken(thinning, one(1, list(range(20)), values))
    seconds = [*((out.kept.time - T0) // SECOND).tolist(), *((thinning.release(np.arange(3)).time - T0) // SECOND)]
    assert 10 in seconds
    assert method is Method.DEADBAND or 9 in seconds


def test_a_steady_signal_is_told_at_least_every_max_gap() -> None:
    out = taken(Thinning(plan(Method.SWINGING_DOOR)), one(1, list(range(200)), [5.0] * 200))
    seconds = (out.kept.time - T0) // SECOND
    assert np.diff(seconds).max() <= GAP_S
    assert len(seconds) <= 11


@pytest.mark.parametrize("method", list(Method))
def test_late_readings_are_kept(method: Method) -> None:
    thinning = Thinning(plan(method))
    taken(thinning, one(1, [100, 101, 102, 170], [5, 5, 5, 5]))
    out = taken(thinning, one(1, [50, 101], [5, 5]))
    assert ((out.kept.time - T0) // SECOND).tolist() == [50, 101]


def test_full_resolution_keeps_all_and_lets_go_of_what_was_in_hand() -> None:
    thinning = Thinning(plan(Method.SWINGING_DOOR, 100.0))
    taken(thinning, one(1, [0, 1, 2], [5, 5, 5]))
    out = taken(thinning, one(1, [3, 4, 5], [5, 5, 5]), full=True)
    assert ((out.kept.time - T0) // SECOND).tolist() == [2, 3, 4, 5]
    assert out.own.tolist() == [False, True, True, True]
    assert thinning.in_hand == 0


def test_what_is_in_hand_of_a_silent_signal_is_told_after_max_gap() -> None:
    thinning = Thinning(plan(Method.SWINGING_DOOR))
    taken(thinning, one(1, [0, 1, 2], [5, 5, 5]))
    assert len(thinning.tick(T0 + 19 * SECOND).kept) == 0
    assert ((thinning.tick(T0 + 21 * SECOND).kept.time - T0) // SECOND).tolist() == [2]
    assert thinning.in_hand == 0


def test_a_minute_is_told_when_the_devices_clock_must_have_passed_it() -> None:
    thinning = Thinning(plan(Method.MINUTES))
    taken(thinning, one(1, [0, 10], [1, 3]))
    assert len(thinning.tick(T0 + 54 * SECOND).over) == 0  # 10 s + 54 s: within the grace
    out = thinning.tick(T0 + 56 * SECOND)
    assert (out.over.mean.tolist(), out.thinned, thinning.in_hand) == ([2.0], 2, 0)
    late = taken(thinning, one(1, [11], [1]))
    assert len(late.kept) == 1, "a minute is told once; what comes later is kept"


def test_rows_told_besides_do_not_count_twice() -> None:
    thinning = Thinning(plan(Method.MINUTES))
    batch = one(1, [0, 10, 20], [1, 2, 3])
    taken(thinning, batch)
    still = thinning.told_besides(batch.signal[1:], batch.time[1:])
    assert (len(still), thinning.in_hand) == (2, 1)
    out = taken(thinning, one(1, [70], [1]))
    assert (out.over.count.tolist(), out.thinned) == ([3], 1)


def test_unknown_signals_are_not_thinned() -> None:
    out = taken(Thinning(plan(Method.SWINGING_DOOR)), one(9, [0, 1, 2], [5, 5, 5]))
    assert len(out.kept) == 3


def test_a_plant_that_grows_keeps_what_is_in_hand() -> None:
    thinning = Thinning(plan(Method.SWINGING_DOOR))
    taken(thinning, one(1, [0, 1], [5, 5]))
    thinning.follow(plan(Method.SWINGING_DOOR, signals=9))
    assert thinning.in_hand == 1
    out = taken(thinning, one(9, [0, 1, 2], [5, 5, 5]))
    assert len(out.kept) == 1
    assert len(thinning.state()) <= 9 + 2 * 58, "only signals that were heard cost bytes"


def test_percent_is_of_the_range_else_of_the_limits_else_of_the_value() -> None:
    rows = [
        Signal("a.1", "a", "1", "t", "", key=1, range_low=0.0, range_high=200.0),
        Signal("a.2", "a", "2", "t", "", key=2, limits=Limits(low=10.0, high=50.0, high_critical=60.0)),
        Signal("a.3", "a", "3", "t", "", key=3),
        Signal("a.4", "a", "4", "t", "", key=4),
    ]
    made = ThinPlan.of(SignalTable.of(rows), ThinRule(percent=1.0), {"a.4": ThinRule(error=3.0), "x": ThinRule()})
    np.testing.assert_allclose(made.error[1:], [2.0, 0.5, np.nan, 3.0])
    assert made.method[0] == Method.NONE
    thinning = Thinning(made)
    out = taken(thinning, one(3, [0, 1, 2, 3], [100.0, 100.9, 102.0, 100.0]))
    assert ((out.kept.time - T0) // SECOND).tolist() == [0, 2]


def test_bad_rules_and_states_are_refused_by_name() -> None:
    for bad in ({"error": -1.0}, {"error": float("nan")}, {"percent": 101.0}, {"max_gap_s": 0.0}):
        with pytest.raises(ConfigurationError):
            ThinRule(**bad)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="version 7"):
        Thinning(plan(Method.NONE), b"\x07" + bytes(20))


@pytest.mark.parametrize("method", [Method.SWINGING_DOOR, Method.MINUTES])
def test_what_is_in_hand_of_signals_that_left_the_plant_is_told(method: Method) -> None:
    thinning = Thinning(plan(method))
    out = taken(thinning, one(4, [0, 1, 2], [0.0, 0.1, 0.2]))
    assert thinning.in_hand
    thinning.follow(plan(method, signals=2))
    rest = thinning.tick(T0)
    assert thinning.in_hand == 0
    told = int(rest.over.count.sum()) if method is Method.MINUTES else len(rest.kept)
    assert told == (3 if method is Method.MINUTES else 1)
    assert len(out.kept) + out.thinned + len(rest.kept) + rest.thinned == 3
