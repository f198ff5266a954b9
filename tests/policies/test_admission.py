"""Admission against a reading-by-reading model, and its rules by name."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from forewarn.domain.assets import Signal
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.signal_table import SignalTable
from forewarn.domain.status import BAD, BAD_SENSOR_FAILURE, GOOD, UNCERTAIN
from forewarn.domain.verdicts import REASONS, Reason, Verdict
from forewarn.policies.admission import NEVER, UNCERTAIN_OUT_OF_RANGE, Admission, LatestValues, admit
from forewarn.policies.row_order import by_signal, by_signal_and_time

NOW = 1_000_000_000
NAN, INF = float("nan"), float("inf")
Row = tuple[int, int, float, int]


def table() -> SignalTable:
    """Keys 1, 2 without range, 3 with range 0-10; 4 is not known, 5 is."""
    return SignalTable.of(
        [
            Signal("a", "x", "a", "t", "C", key=1),
            Signal("b", "x", "b", "t", "C", key=2),
            Signal("c", "x", "c", "t", "C", key=3, range_low=0.0, range_high=10.0),
            Signal("e", "x", "e", "t", "C", key=5, range_high=1.0),
        ]
    )


def batch(rows: list[Row]) -> ReadingBatch:
    signal, time, value, quality = zip(*rows, strict=True) if rows else ((), (), (), ())
    return ReadingBatch(
        np.array(signal, np.int32),
        np.array(time, np.int64),
        np.array(value, np.float64),
        np.array(quality, np.uint32),
        "gw",
        1,
    )


def judge(rows: list[Row], latest: dict[int, tuple[int, float, int]] | None = None, **more: object) -> Admission:
    known = LatestValues(table().size)
    for key, (time, value, quality) in (latest or {}).items():
        known.time[key], known.value[key], known.quality[key] = time, value, quality
    return admit(batch(rows), more.get("reason"), table(), known, NOW)  # type: ignore[arg-type]


def words(admission: Admission) -> list[tuple[Verdict, Reason]]:
    v = admission.verdicts
    return [(Verdict(a), REASONS[b]) for a, b in zip(v.verdict, v.reason, strict=True)]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ((0, 5, 1.0, GOOD), Reason.UNKNOWN_SIGNAL),
        ((4, 5, 1.0, GOOD), Reason.UNKNOWN_SIGNAL),
        ((6, 5, 1.0, GOOD), Reason.UNKNOWN_SIGNAL),
        ((2**31 - 1, 5, 1.0, GOOD), Reason.UNKNOWN_SIGNAL),
        ((-1, 5, 1.0, GOOD), Reason.UNKNOWN_SIGNAL),
        ((1, 5, NAN, GOOD), Reason.NOT_FINITE),
        ((1, 5, -INF, UNCERTAIN), Reason.NOT_FINITE),
        ((1, 0, 1.0, GOOD), Reason.TIME_NEGATIVE),
        ((1, -(2**63), 1.0, GOOD), Reason.TIME_NEGATIVE),
        ((1, NOW + 300_000_001, 1.0, GOOD), Reason.TIME_IN_FUTURE),
        ((4, -1, NAN, GOOD), Reason.UNKNOWN_SIGNAL),
    ],
)
def test_what_is_rejected_and_why(row: Row, reason: Reason) -> None:
    admission = judge([(1, 7, 1.0, GOOD), row, (2, 7, 1.0, GOOD)])
    assert words(admission)[1] == (Verdict.REJECTED, reason)
    assert words(admission)[::2] == [(Verdict.ACCEPTED, Reason.NONE)] * 2
    assert admission.stored.signal.tolist() == [1, 2]


def test_the_translators_reason_comes_first() -> None:
    given_reason = np.array([0, REASONS.index(Reason.NOT_A_NUMBER)], np.uint8)
    admission = judge([(1, 7, 1.0, GOOD), (4, -5, NAN, GOOD)], reason=given_reason)
    assert words(admission) == [(Verdict.ACCEPTED, Reason.NONE), (Verdict.REJECTED, Reason.NOT_A_NUMBER)]


def test_the_edge_of_the_future_is_inside() -> None:
    assert words(judge([(1, NOW + 300_000_000, 1.0, GOOD)])) == [(Verdict.ACCEPTED, Reason.NONE)]


def test_bad_readings_are_kept_and_infinities_become_no_value() -> None:
    stored = judge([(1, 5, NAN, BAD), (2, 5, INF, BAD_SENSOR_FAILURE), (3, 5, 99.0, BAD)]).stored
    assert stored.quality.tolist() == [BAD, BAD_SENSOR_FAILURE, BAD]
    assert np.isnan(stored.value[:2]).all()
    assert stored.value[2] == 99.0


def test_out_of_range_keeps_the_value_and_says_uncertain_only_where_it_was_good() -> None:
    rows = [(3, 1, 10.5, GOOD), (3, 2, -0.5, 0x0000_0482), (3, 3, 11.0, UNCERTAIN), (3, 4, 10.0, GOOD), (5, 5, 2.0, 0)]
    stored = judge(rows).stored
    assert stored.value.tolist() == [10.5, -0.5, 11.0, 10.0, 2.0]
    marked = UNCERTAIN_OUT_OF_RANGE
    assert stored.quality.tolist() == [marked, marked | 0x0482, UNCERTAIN, GOOD, marked]


def test_against_the_latest_stored() -> None:
    latest = {1: (50, 1.5, GOOD), 2: (50, NAN, BAD), 3: (50, 11.0, UNCERTAIN_OUT_OF_RANGE)}
    rows = [(1, 49, 1.5, 0), (1, 50, 1.5, 0), (1, 51, 1.5, 0), (2, 50, NAN, BAD), (2, 50, 3.0, 0), (3, 50, 11.0, 0)]
    admission = judge(rows, latest)
    assert words(admission) == [
        (Verdict.LATE, Reason.OLDER_THAN_LATEST),
        (Verdict.DUPLICATE, Reason.ALREADY_STORED),
        (Verdict.ACCEPTED, Reason.NONE),
        (Verdict.DUPLICATE, Reason.REPEATED_IN_BATCH),
        (Verdict.LATE, Reason.CORRECTS_STORED),
        (Verdict.DUPLICATE, Reason.ALREADY_STORED),
    ]
    assert admission.stored.time.tolist() == [49, 51, 50]
    assert admission.repeats.tolist() == [1, 3]
    assert list(zip(admission.newest.signal, admission.newest.time, strict=True)) == [(1, 51), (2, 50)]


def test_an_empty_batch_is_fine() -> None:
    admission = judge([])
    assert len(admission.stored) == len(admission.newest) == len(admission.verdicts.verdict) == 0


def model(rows: list[Row], latest: dict[int, tuple[int, float, int]]) -> list[tuple[Verdict, Reason]]:
    """The module's table, one reading at a time."""
    known, answer = table(), []
    sound = []
    for signal, time, value, quality in rows:
        bad = quality >> 31 == 1
        if not (0 < signal < known.size and known.known[signal]):
            reason = Reason.UNKNOWN_SIGNAL
        elif not np.isfinite(value) and not bad:
            reason = Reason.NOT_FINITE
        elif time <= 0:
            reason = Reason.TIME_NEGATIVE
        elif time > NOW + 300_000_000:
            reason = Reason.TIME_IN_FUTURE
        else:
            reason = Reason.NONE
        sound.append(reason is Reason.NONE)
        answer.append((Verdict.ACCEPTED if sound[-1] else Verdict.REJECTED, reason))
    for i, (signal, time, value, quality) in enumerate(rows):
        if not sound[i]:
            continue
        if any(sound[j] and rows[j][:2] == (signal, time) for j in range(i + 1, len(rows))):
            answer[i] = (Verdict.DUPLICATE, Reason.REPEATED_IN_BATCH)
            continue
        at, stored, stored_quality = latest.get(signal, (NEVER, NAN, 0))
        outside = value < known.range_low[signal] or value > known.range_high[signal]
        kept = UNCERTAIN_OUT_OF_RANGE | (quality & 0xFFFF) if outside and quality >> 30 == 0 else quality
        same = np.array_equal([NAN if np.isinf(value) else value], [stored], equal_nan=True)
        if time == at and same and kept == stored_quality:
            answer[i] = (Verdict.DUPLICATE, Reason.ALREADY_STORED)
        elif time <= at:
            answer[i] = (Verdict.LATE, Reason.CORRECTS_STORED if time == at else Reason.OLDER_THAN_LATEST)
    return answer


TIMES = st.one_of(st.integers(1, 6), st.sampled_from([0, -3, NOW + 300_000_000, NOW + 300_000_001]))
VALUES = st.sampled_from([1.0, 2.0, -1.0, 11.0, NAN, INF, 0.0])
QUALITIES = st.sampled_from([GOOD, UNCERTAIN, BAD, 0x0000_0400])
KEYS = st.sampled_from([1, 2, 3, 5])
ROWS = st.lists(st.tuples(st.integers(-1, 6), TIMES, VALUES, QUALITIES), max_size=14)
SOUND_ROWS = st.lists(st.tuples(KEYS, st.integers(1, 9), st.just(1.0), st.just(GOOD)), max_size=9)
STORED = st.tuples(st.integers(1, 6), st.sampled_from([1.0, 11.0, NAN]), QUALITIES)
LATEST = st.dictionaries(KEYS, STORED, max_size=4)


@settings(max_examples=400, deadline=None)
@given(rows=st.one_of(ROWS, SOUND_ROWS), latest=LATEST)
def test_columns_say_what_the_model_says(rows: list[Row], latest: dict[int, tuple[int, float, int]]) -> None:
    admission = judge(rows, latest)
    wanted = model(rows, latest)
    assert words(admission) == wanted
    kept = [row for row, (verdict, _) in zip(rows, wanted, strict=True) if verdict <= Verdict.LATE]
    assert [(s, t) for s, t, _, _ in kept] == list(
        zip(admission.stored.signal.tolist(), admission.stored.time.tolist(), strict=True)
    )
    newest: dict[int, int] = {}
    for signal, time, _, _ in kept:
        newest[signal] = max(time, newest.get(signal, NEVER))
    assert dict(zip(admission.newest.signal.tolist(), admission.newest.time.tolist(), strict=True)) == newest


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([0, 1, 2, 65_535, 65_536, 131_073, 2**31 - 1]), st.integers(-3, 3)), max_size=30)
)
def test_row_order_is_the_stable_sort(rows: list[tuple[int, int]]) -> None:
    signal = np.array([s for s, _ in rows], np.int32)
    time = np.array([t for _, t in rows], np.int64)
    for order, wanted in (
        (by_signal(signal), np.argsort(signal, kind="stable")),
        (by_signal_and_time(signal, time), np.lexsort((time, signal))),
    ):
        assert (np.arange(len(rows)) if order is None else order).tolist() == wanted.tolist()
