"""A stretch of the past scored again says what the stream said of it, and what was expected meanwhile."""

from dataclasses import replace

import numpy as np
import pytest

from forewarn.domain.evidence import Evidence
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.series import Series
from forewarn.learning.fleet import Fleet
from forewarn.learning.hindsight import ROWS, Course, as_of, healthy_scores, hindsight, lead_us
from tests.learning.test_fleet import DETECTORS, MODELS, SECOND, START, TABLE, behaviour

MODEL = MODELS[0]
KEYS = np.array([TABLE.key_of[s] for s in MODEL.signals], np.int32)
ROWS_STORED = 900


def stored(shifted_from: int) -> Series:
    """Fifteen minutes at 1 Hz, in which the flow falls by 3 from a row on."""
    values = behaviour(77, ROWS_STORED)
    values[shifted_from:, 1] -= 3.0
    signal = np.repeat(KEYS, ROWS_STORED)
    time = np.tile(START + np.arange(ROWS_STORED, dtype=np.int64) * SECOND, len(KEYS))
    return Series(signal, time, values.T.ravel(), np.zeros(len(signal), np.uint32))


READINGS = stored(600)


def course(first: int, last: int, *signals: str) -> Course:
    span = (START + first * SECOND, START + last * SECOND)
    return hindsight(MODEL, TABLE, DETECTORS, READINGS, span, signals or MODEL.signals)


def test_every_row_has_the_ratio_that_the_stream_gave_it() -> None:
    streamed: dict[int, float] = {}
    fleet = Fleet([MODEL], TABLE, DETECTORS)
    for first in range(0, ROWS_STORED, 60):
        now = (READINGS.time - START) // SECOND
        part = np.flatnonzero((now >= first) & (now < first + 60))
        quality = READINGS.quality[part]
        batch = ReadingBatch(READINGS.signal[part], READINGS.time[part], READINGS.value[part], quality, "", 0)
        for scores in fleet.score(batch):
            streamed |= dict(zip(scores.time[0].tolist(), scores.ratio[0].tolist(), strict=True))
    told = course(550, 700)
    assert len(told.time) == 150
    for time, ratio in zip(told.time.tolist(), told.ratio.tolist(), strict=True):
        assert ratio == pytest.approx(streamed[time], nan_ok=True)
    assert told.ratio[:45].max() < 1 < told.ratio[100:].min()


def test_what_was_measured_stands_beside_what_the_rest_would_have_had_it_be() -> None:
    told = course(550, 700, MODEL.signals[1])
    assert told.signals == (MODEL.signals[1],)
    off = told.measured[:, 0] - told.expected[:, 0]
    assert abs(np.nanmedian(off[:45])) < 1 < abs(np.nanmedian(off[100:]))


def test_a_long_stretch_keeps_the_worst_of_each_part_and_stays_small() -> None:
    told = course(60, ROWS_STORED)
    assert len(told.time) <= ROWS + 3  # a part is cut at either end, and where blocks meet
    assert (np.diff(told.time) > 0).all()
    assert np.nanmax(told.ratio) == np.nanmax(course(600, 840).ratio)


def test_after_the_last_reading_nobody_knows_anything() -> None:
    told = course(880, ROWS_STORED + 600)
    assert told.time.max() == START + (ROWS_STORED - 1) * SECOND
    nothing = Series(*(column[:0] for column in (READINGS.signal, READINGS.time, READINGS.value, READINGS.quality)))
    assert len(hindsight(MODEL, TABLE, DETECTORS, nothing, (START, START + SECOND), MODEL.signals).time) == 0


def test_its_lead_fills_the_windows_of_the_first_row() -> None:
    lead = lead_us(MODEL, TABLE, DETECTORS) // SECOND
    first = START + 600 * SECOND
    late = READINGS.time >= first - lead * SECOND
    columns = (READINGS.signal[late], READINGS.time[late], READINGS.value[late], READINGS.quality[late])
    short = hindsight(MODEL, TABLE, DETECTORS, Series(*columns), (first, first + 60 * SECOND), ())
    np.testing.assert_allclose(short.ratio, course(600, 660).ratio)


def test_the_threshold_is_that_of_the_finding() -> None:
    ensemble = MODEL.ensembles[0]
    assert ensemble is not None
    evidence = Evidence(2.0, ensemble.threshold * 2, 0, 1, START, START + SECOND)
    span = (START + 700 * SECOND, START + 710 * SECOND)
    moved = hindsight(as_of(MODEL, evidence), TABLE, DETECTORS, READINGS, span, ())
    np.testing.assert_allclose(moved.ratio * 2, course(700, 710).ratio)


def test_healthy_scores_lie_where_the_threshold_was_learned_from() -> None:
    (told,) = healthy_scores(MODEL)
    ensemble = MODEL.ensembles[0]
    assert ensemble is not None
    assert sum(told.share) == pytest.approx(1.0, abs=1e-3)
    assert told.threshold == ensemble.threshold < told.width * len(told.share)
    assert told.rows == np.isfinite(ensemble.held_out).sum()
    over = [s for i, s in enumerate(told.share) if i * told.width >= told.threshold]
    assert sum(over) <= float(np.mean(ensemble.held_out[np.isfinite(ensemble.held_out)] > told.threshold)) + 1e-6
    assert healthy_scores(replace(MODEL, ensembles=(None,))) == ()
