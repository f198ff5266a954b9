"""The laws of contracts/detector.py, kept by every detector that is installed."""

from importlib.metadata import entry_points

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from forewarn.contracts.detector import Detector
from forewarn.domain.assets import Limits as Band
from forewarn.domain.assets import Signal
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.signal_table import SignalTable
from forewarn.domain.status import BAD_SENSOR_FAILURE
from forewarn.plugins.detectors.flatline import Flatline
from forewarn.plugins.detectors.limits import Limits
from forewarn.plugins.detectors.rate_of_change import RateOfChange
from forewarn.plugins.detectors.robust_z import RobustZ

SECOND = 1_000_000
START = 1_700_000_000 * SECOND
# A short memory, so that a few hundred readings pass through warm-up, refresh, thinning, freezing and absorbing.
QUICK = {
    "robust_z": lambda: RobustZ(
        warm_up=12, window=24, refresh=3, settle_s=4.0, absorb_s=15.0, longest_stride_s=4.0, limit=2.0, headroom=1.0
    )
}
INSTALLED = {e.name: e.load() for e in entry_points(group="forewarn.detectors")} or {
    d.name: d for d in (Limits, RateOfChange, Flatline, RobustZ)
}
SIGNALS = [
    Signal("m.speed", "m", "speed", "speed", "rpm", key=2, running_above=100.0, range_high=3000.0, flatline_s=3.0),
    Signal("m.t", "m", "t", "temperature", "C", key=1, limits=Band(low=-2.0, high=2.0), flatline_s=3.0),
    Signal("m.p", "m", "p", "pressure", "bar", key=4, limits=Band(high_critical=2.0), max_rate_per_s=1.0),
    Signal("n.q", "n", "q", "flow", "l/s", key=3, max_rate_per_s=0.5, flatline_s=2.0, range_low=-5, range_high=5),
]
TABLE = SignalTable.of(SIGNALS)
Plan = tuple[int, int, list[int]]


def new(name: str) -> Detector:
    detector: Detector = QUICK.get(name, INSTALLED[name])()
    detector.configure(TABLE)
    return detector


def history(seed: int, seconds: int) -> ReadingBatch:
    """Every signal once a second: starts and stops, steps, flat spells and bad readings."""
    random = np.random.default_rng(seed)
    time = START + np.arange(seconds, dtype=np.int64) * SECOND
    columns: list[tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.float64], NDArray[np.uint32]]] = []
    for key in sorted(s.key for s in SIGNALS):
        value = np.round(random.normal(0, 1, seconds), int(random.integers(0, 4)))
        for _ in range(3):
            first = int(random.integers(0, seconds))
            value[first : first + int(random.integers(1, 40))] = random.choice([np.nan, 0.0, 6.0])
        if key == 2:
            value = 1400 + 10 * np.nan_to_num(value)
            for first in random.integers(0, seconds, 2):
                value[first : first + 30] = random.choice([0.0, 700.0, 2500.0])
        bad = np.isnan(value) | (random.random(seconds) < 0.03)
        quality = np.where(bad, BAD_SENSOR_FAILURE, 0).astype(np.uint32)
        kept = random.random(seconds) < 0.95
        columns.append((np.full(seconds, key, np.int32)[kept], time[kept], value[kept], quality[kept]))
    signal, when, values, quality = (np.concatenate(c) for c in zip(*columns, strict=True))
    return ReadingBatch(signal, when, values, quality, "gw", 0)


def in_pieces(batch: ReadingBatch, cuts: list[int]) -> list[NDArray[np.intp]]:
    """Row numbers of the batch cut in time at `cuts` seconds."""
    edges = [START + cut * SECOND for cut in sorted(cuts)]
    piece = np.searchsorted(edges, batch.time, side="right")
    return [np.flatnonzero(piece == i) for i in range(len(edges) + 1)]


@pytest.mark.parametrize("name", sorted(INSTALLED))
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), cuts=st.lists(st.integers(1, 199), max_size=12))
def test_cutting_a_batch_in_time_changes_no_score(name: str, seed: int, cuts: list[int]) -> None:
    batch = history(seed, 200)
    whole = new(name).score(batch)
    detector = new(name)
    score, expected = np.full(len(batch), -1.0), np.full(len(batch), -1.0)
    for rows in in_pieces(batch, cuts):
        part = detector.score(batch.take(rows))
        score[rows], expected[rows] = part.score, part.expected
    np.testing.assert_array_equal(score, whole.score)
    np.testing.assert_array_equal(expected, whole.expected)


@pytest.mark.parametrize("name", sorted(INSTALLED))
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_scores_are_from_0_to_1_and_the_batch_is_untouched(name: str, seed: int) -> None:
    batch = history(seed, 150)
    before = [batch.signal.copy(), batch.time.copy(), batch.value.copy(), batch.quality.copy()]
    scores = new(name).score(batch)
    assert len(scores.score) == len(scores.expected) == len(batch)
    opinion = scores.score[~np.isnan(scores.score)]
    assert ((opinion >= 0) & (opinion <= 1)).all()
    for column, was in zip((batch.signal, batch.time, batch.value, batch.quality), before, strict=True):
        np.testing.assert_array_equal(column, was)


@pytest.mark.parametrize("name", sorted(INSTALLED))
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_a_bad_reading_gets_no_opinion_and_teaches_nothing(name: str, seed: int) -> None:
    batch = history(seed, 200)
    good = np.flatnonzero(batch.quality == 0)
    mixed = new(name).score(batch)
    assert np.isnan(mixed.score[batch.quality != 0]).all()
    np.testing.assert_array_equal(mixed.score[good], new(name).score(batch.take(good)).score)


@pytest.mark.parametrize("name", sorted(INSTALLED))
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), cut=st.integers(20, 180))
def test_older_readings_teach_nothing(name: str, seed: int, cut: int) -> None:
    batch = history(seed, 200)
    early, late = in_pieces(batch, [cut])
    plain, repeated = new(name), new(name)
    for detector in (plain, repeated):
        detector.score(batch.take(early))
    repeated.score(batch.take(early))
    np.testing.assert_array_equal(plain.score(batch.take(late)).score, repeated.score(batch.take(late)).score)


@pytest.mark.parametrize("name", sorted(INSTALLED))
def test_a_reading_is_scored_before_it_is_learned(name: str) -> None:
    batch = history(7, 200)
    last = np.flatnonzero(np.diff(batch.signal, append=0) != 0)
    changed = batch.value.copy()
    changed[last] += 1000.0
    altered = ReadingBatch(batch.signal, batch.time, changed, batch.quality, "gw", 0)
    rest = np.setdiff1d(np.arange(len(batch)), np.flatnonzero(batch.time >= batch.time[last].min()))
    np.testing.assert_array_equal(new(name).score(batch).score[rest], new(name).score(altered).score[rest])


@pytest.mark.parametrize("name", sorted(INSTALLED))
def test_signals_may_appear_and_vanish_and_the_rest_keeps_its_state(name: str) -> None:
    batch = history(3, 200)
    early, late = in_pieces(batch, [120])
    plain, changed = new(name), new(name)
    for detector in (plain, changed):
        detector.score(batch.take(early))
    extra = Signal("x.new", "x", "new", "level", "m", key=9, limits=Band(high=1.0), max_rate_per_s=1.0, flatline_s=5.0)
    changed.configure(SignalTable.of([*SIGNALS, extra]))
    np.testing.assert_array_equal(plain.score(batch.take(late)).score, changed.score(batch.take(late)).score)
    without = SignalTable.of([s for s in [*SIGNALS, extra] if s.key != 3])
    changed.configure(without)
    newcomer = ReadingBatch(
        np.full(3, 9, np.int32), START + np.arange(3) * SECOND, np.zeros(3), np.zeros(3, np.uint32), "gw", 1
    )
    assert len(changed.score(newcomer).score) == 3


@pytest.mark.parametrize("name", sorted(INSTALLED))
def test_an_empty_batch_is_no_trouble_and_a_score_can_be_explained(name: str) -> None:
    detector = new(name)
    assert len(detector.score(history(1, 10).take(slice(0, 0))).score) == 0
    assert detector.explain(1, 3.0, 0.8, 1.0).strip()
    assert INSTALLED[name](**detector.parameters()).parameters() == detector.parameters()


@pytest.mark.parametrize("name", sorted(INSTALLED))
def test_while_it_learns_a_signal_there_is_no_opinion_on_it(name: str) -> None:
    """Second by second, on the signal of a machine without a speed signal, whose regime never changes."""
    detector, batch, alone = new(name), history(5, 200), 3
    assert detector.baselining().shape == (TABLE.size,)
    for piece in in_pieces(batch, list(range(1, 200))):
        part = batch.take(piece)
        learning = bool(detector.baselining()[alone])
        score = detector.score(part).score[part.signal == alone]
        assert not learning or np.isnan(score).all()
