"""Each kind of fault is seen by the detector made for it, and health is not."""

import doctest
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray

from forewarn.contracts.detector import Detector, Scores
from forewarn.domain.assets import Limits as Band
from forewarn.domain.assets import Signal
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.signal_table import SignalTable
from forewarn.plugins.detectors import flatline, limits, rate_of_change, robust_z
from forewarn.plugins.detectors.flatline import Flatline
from forewarn.plugins.detectors.limits import Limits
from forewarn.plugins.detectors.rate_of_change import RateOfChange
from forewarn.plugins.detectors.robust_z import RobustZ

SECOND = 1_000_000
START = 1_700_000_000 * SECOND
FLOW = Signal("p.flow", "p", "flow", "flow", "m3/h", key=1, flatline_s=60.0, max_rate_per_s=5.0)
SPEED = Signal("p.speed", "p", "speed", "speed", "rpm", key=2, running_above=100.0, range_high=1900.0)


def series(*values: NDArray[np.float64], every_s: float = 1.0, start: int = START) -> ReadingBatch:
    """Signal 1, 2, ... with the given values."""
    n = len(values[0])
    time = start + (np.arange(n) * every_s * SECOND).astype(np.int64)
    signal = np.repeat(np.arange(1, len(values) + 1, dtype=np.int32), n)
    return ReadingBatch(
        signal, np.tile(time, len(values)), np.concatenate(values), np.zeros(len(signal), np.uint32), "gw", 0
    )


def scores(detector: Detector, batch: ReadingBatch, *signals: Signal) -> Scores:
    detector.configure(SignalTable.of(signals or (FLOW,)))
    return detector.score(batch)


def noise(n: int, seed: int = 0, sd: float = 0.2) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(50.0, sd, n)


@pytest.mark.parametrize("module", [limits, rate_of_change, flatline, robust_z])
def test_docstring_examples_run(module: ModuleType) -> None:
    outcome = doctest.testmod(module)
    assert outcome.attempted > 0
    assert outcome.failed == 0


def test_limits_are_graded_and_end_only_below_the_deadband() -> None:
    band = Signal("a", "a", "a", "k", "u", key=1, limits=Band(10.0, 20.0, 80.0, 90.0), deadband=2.0)
    score = scores(Limits(), series(np.array([50.0, 80.0, 81.0, 79.0, 77.0, 90.0, 19.0, 10.0])), band).score
    assert score[0] == 0.0
    assert score[1] == 0.5
    assert 0.8 < score[2] < 0.95
    assert 0.4 < score[3] < 0.5
    assert score[4] == 0.0
    assert score[5] >= 0.95
    assert 0.8 < score[6] < 0.95
    assert score[7] >= 0.95


def test_a_spike_is_too_fast_and_a_gap_is_no_spike() -> None:
    values = np.array([50.0, 50.5, 62.0, 50.0])
    found = scores(RateOfChange(), series(values))
    assert np.isnan(found.score[0])
    assert found.score[1] < 0.5 < min(found.score[2], found.score[3])
    assert found.expected[2] == 50.5
    assert np.isnan(scores(RateOfChange(), series(values, every_s=11.0)).score).all()


def test_a_stuck_sensor_is_flat_only_while_the_machine_runs() -> None:
    stuck = noise(300)
    stuck[100:] = stuck[100]
    running, standing = np.full(300, 1450.0), np.full(300, 0.0)
    found = scores(Flatline(), series(stuck, running), FLOW, SPEED).score[:300]
    assert not (found[:160] > 0.5).any()
    assert (found[162:] > 0.5).all()
    assert np.isnan(scores(Flatline(), series(stuck, standing), FLOW, SPEED).score[:300]).all()


def stuck_after(value: NDArray[np.float64], speed: float = 1450.0) -> NDArray[np.bool_]:
    """Per reading, whether Flatline with a limit of a day calls it flat."""
    slow = Signal("p.flow", "p", "flow", "flow", "m3/h", key=1, flatline_s=86_400.0, range_low=0.0, range_high=100.0)
    return scores(Flatline(), series(value, np.full(len(value), speed)), slow, SPEED).score[: len(value)] > 0.5


def test_a_noisy_signal_that_repeats_itself_is_seen_long_before_its_flatline_limit() -> None:
    value = np.round(noise(3_000), 1)
    value[2_000:] = value[2_000]
    flat = stuck_after(value)
    assert not flat[:2_020].any()
    assert flat[2_040:].all()
    assert not stuck_after(value, speed=0.0).any()


def test_a_run_of_repeats_is_explained_by_what_the_signal_has_shown() -> None:
    value = np.round(noise(2_000), 2)
    value[1_900:] = 50.0
    detector = Flatline()
    scores(detector, series(value, np.full(2_000, 1450.0)), FLOW, SPEED)
    text = detector.explain(1, 50.0, 0.6, float("nan"))
    assert text.startswith("exactly 50 m3/h for 30 s while the machine runs; never more than ")
    assert "equal readings in a row among" in text


RANDOM = np.random.default_rng(5)
STEPS = np.cumsum(RANDOM.random(20_000) < 0.002)


@pytest.mark.parametrize(
    ("what", "value"),
    [
        ("constant", np.full(20_000, 41.5)),
        ("set-point moved now and then", 40.0 + STEPS % 7),
        ("coarse converter over a slow wave", np.round(50 + 5 * np.sin(np.arange(20_000) / 2_000))),
        ("coarse converter over noise", np.round(noise(20_000, 2, 0.3))),
        ("device that measures every ten seconds", np.round(np.repeat(noise(2_000), 10), 2)),
        ("on and off", (np.arange(20_000) // 900 % 2).astype(np.float64)),
        ("rests at zero between spells", np.where(np.arange(20_000) // 3_000 % 2 == 0, noise(20_000), 0.0)),
        ("rests at the end of its range", np.minimum(100.0, np.where(STEPS % 2 == 0, noise(20_000), 100.0))),
    ],
)
def test_what_may_stand_still_is_not_called_stuck(what: str, value: NDArray[np.float64]) -> None:
    assert not stuck_after(value).any(), what


def test_flat_time_counts_from_the_start_of_the_machine() -> None:
    speed = np.where(np.arange(300) < 200, 0.0, 1450.0)
    found = scores(Flatline(), series(np.full(300, 50.0), speed), FLOW, SPEED).score[:300]
    assert not (found[:261] > 0.5).any()
    assert (found[262:] > 0.5).all()


@pytest.mark.parametrize("fault", ["step", "drift", "spike"])
def test_robust_z_sees(fault: str) -> None:
    values = noise(1500)
    if fault == "step":
        values[1000:] += 2.5
    elif fault == "drift":
        values[1000:] += np.linspace(0, 5, 500)
    else:
        values[1400] += 30.0
    found = scores(RobustZ(), series(values))
    assert np.isnan(found.score[:400]).all()
    assert not (found.score[400:1000] > 0.5).any()
    assert (found.score[1400:1401] > 0.5).all()
    assert abs(found.expected[1400] - 50.0) < 0.2


def test_robust_z_learns_nothing_from_what_lasts_until_it_has_lasted_long() -> None:
    values = noise(4000)
    values[1000:] += 5.0
    patient = scores(RobustZ(), series(values)).score
    assert (patient[1000:] > 0.5).all()
    quick = scores(RobustZ(absorb_s=1000.0), series(values)).score
    assert (quick[1000:2000] > 0.5).all()
    assert np.isnan(quick[2010:2390]).all()
    assert (quick[2420:] < 0.5).all()


def test_robust_z_knows_each_regime_by_itself() -> None:
    n = 4000
    fast = (np.arange(n) // 1000) % 2 == 0
    flow = np.where(fast, 80.0, 20.0) + noise(n) - 50.0
    flow[3900] = 80.0  # usual at the other speed
    speed = np.where(fast, 1450.0, 400.0)
    found = scores(RobustZ(), series(flow, speed), FLOW, SPEED)
    assert found.score[3900] > 0.5
    calm = np.delete(found.score[:n], 3900)
    assert not (calm > 0.5).any()
    assert abs(found.expected[3900] - 20.0) < 0.3


def test_robust_z_says_nothing_while_a_start_settles() -> None:
    n = 3000
    running = (np.arange(n) < 1000) | (np.arange(n) >= 1500)
    flow = np.where(running, 50.0, 0.0) + noise(n, sd=0.2) - 50.0
    flow[1500:1560] *= np.linspace(0, 1, 60)
    found = scores(RobustZ(), series(flow, np.where(running, 1450.0, 0.0)), FLOW, SPEED).score[:n]
    assert np.isnan(found[1000:1119]).all()
    assert np.isnan(found[1500:1619]).all()
    assert (found[1625:] < 0.5).all()


def test_quantised_and_constant_signals_do_not_explode() -> None:
    coarse = np.round(noise(2000, sd=0.04), 1)
    assert not (scores(RobustZ(), series(coarse)).score > 0.5).any()
    still = np.full(2000, 7.0)
    assert not (scores(RobustZ(), series(still)).score > 0.5).any()


def test_a_signal_that_drifts_in_warm_up_gets_no_opinion_yet() -> None:
    warming = noise(800, sd=0.01) + np.linspace(0, 10, 800)
    assert np.isnan(scores(RobustZ(), series(warming)).score).all()


def test_large_counters_keep_their_last_digits() -> None:
    counter = 2.0**40 + noise(1000)
    counter[900:] += 5.0
    found = scores(RobustZ(), series(counter)).score
    assert (found[900:] > 0.5).all()
    assert not (found[:900] > 0.5).any()


def test_baselining_is_told_by_the_regime_the_machine_is_in() -> None:
    detector = RobustZ()
    detector.configure(SignalTable.of((FLOW, SPEED)))
    assert detector.baselining()[1:].all()
    run = np.full(600, 1450.0) + noise(600, 1, 1.0) - 50
    detector.score(series(noise(600), run))
    assert not detector.baselining()[1:].any()
    later = START + 600 * SECOND
    detector.score(series(noise(200), np.zeros(200), start=later))
    assert detector.baselining()[1:].all()
    detector.score(series(noise(10), run[:10], start=later + 200 * SECOND))
    assert not detector.baselining()[1:].any()
    grown = Signal("p.level", "p", "level", "level", "m", key=7)
    detector.configure(SignalTable.of((FLOW, SPEED, grown)))
    assert np.flatnonzero(detector.baselining()[1:]).tolist() == [2, 3, 4, 5, 6]
