"""The vibration detector on waveforms of the public bearing model, and the laws on signals that it follows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forewarn.domain.assets import Asset, Signal
from forewarn.domain.errors import InvalidInput
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.signal_table import SignalTable
from forewarn.domain.status import BAD_SENSOR_FAILURE
from forewarn.plugins.detectors.vibration import Vibration
from forewarn.policies.episodes import EpisodeSettings, EpisodeTracker
from tests.bearing_signals import BEARING, FAULTS, RATE_HZ, Array, impacts, machine

SECOND = 1_000_000
START = 1_700_000_000 * SECOND
SHAFT = 24.7
NAMEPLATE: dict[str, str | float | int | bool] = {
    "bearing_balls": 9,
    "bearing_pitch_mm": 39.04,
    "bearing_ball_mm": 7.94,
    "rated_speed_rpm": 1480,
}
ISO: dict[str, str | float | int | bool] = {"rated_power_kw": 45.0, "mounting": "rigid"}
SENSOR = Signal("m.vib", "m", "vib", "vibration_acceleration", "m/s2", key=1, rate_hz=RATE_HZ)
SPEED = Signal("m.speed", "m", "speed", "speed", "rpm", key=2, running_above=100.0, range_high=1900.0)
WORDS = {"outer": "BPFO", "inner": "BPFI", "ball": "BSF", "cage": "FTF"}


def table(*signals: Signal, **specifications: str | float | int | bool) -> SignalTable:
    asset = Asset("m", "M", ("e", "s", "a", "l"), specifications={**NAMEPLATE, **specifications})
    return SignalTable.of(signals or (SENSOR, SPEED), {"m": asset})


def batch(wave: Array, rpm: float | None = SHAFT * 60, start: int = START, rate_hz: float = RATE_HZ) -> ReadingBatch:
    """The waveform as signal 1, and once a second the speed as signal 2."""
    time = start + np.rint(np.arange(len(wave)) * 1e6 / rate_hz).astype(np.int64)
    seconds = 0 if rpm is None else int(len(wave) / rate_hz) + 1
    signal = np.r_[np.ones(len(wave), np.int32), np.full(seconds, 2, np.int32)]
    when = np.r_[time, start + np.arange(seconds) * SECOND].astype(np.int64)
    value = np.r_[wave, np.full(seconds, rpm or 0.0)]
    return ReadingBatch(signal, when, value, np.zeros(len(signal), np.uint32), "gw", 0)


def opinions(detector: Vibration, given: ReadingBatch) -> Array:
    score = detector.score(given).score
    return np.asarray(score[~np.isnan(score)])


def trained(seconds: int = 70, signals: SignalTable | None = None) -> tuple[Vibration, Array]:
    """A detector that has seen a healthy machine, and what it said."""
    detector = Vibration()
    detector.configure(signals or table())
    return detector, opinions(detector, batch(machine(seconds, SHAFT, 1)))


LATER = START + 70 * SECOND


@pytest.mark.parametrize("fault", FAULTS)
def test_a_damaged_bearing_is_found_and_the_part_is_named(fault: str) -> None:
    detector, healthy = trained()
    assert len(healthy) >= 9
    assert (healthy < 0.5).all()
    wave = machine(8, SHAFT, 2) + impacts(fault, 8, SHAFT, 3, 0.6)
    found = opinions(detector, batch(wave, start=LATER))
    assert (found[2:] > 0.5).all()
    reason = detector.explain(1, 0.0, float(found[-1]), float("nan"))
    assert WORDS[fault] in reason
    assert "times its healthy level" in reason
    assert not [w for f, w in WORDS.items() if f != fault and w in reason]


def test_damage_is_one_episode_however_the_seconds_come() -> None:
    """From the second window on, with the persistence of detectors that confirm for themselves."""
    detector, _ = trained()
    tracker = EpisodeTracker(EpisodeSettings(off_s=30.0))
    tracker.resize(3)
    wave = machine(12, SHAFT, 2) + impacts("outer", 12, SHAFT, 3, 0.6)
    told = []
    for second in range(12):
        readings = batch(wave[second * 25_600 : (second + 1) * 25_600], start=LATER + second * SECOND)
        scores = detector.score(readings)
        told += tracker.track(readings, scores.score, scores.expected)
    assert {e.started_at for e in told} == {told[0].started_at}
    assert 1 <= (told[0].started_at - LATER) / SECOND <= 2.1
    assert len(tracker.standing()) == 1
    assert tracker.standing()[0].count >= 9


def test_imbalance_and_misalignment_are_told_by_their_order() -> None:
    for once, twice, word in ((4.0, 0.2, "imbalance"), (0.5, 2.5, "misalignment")):
        detector, _ = trained()
        found = opinions(detector, batch(machine(5, SHAFT, 4, once=once, twice=twice), start=LATER))
        assert found[-1] > 0.7
        assert word in detector.explain(1, 0.0, float(found[-1]), float("nan"))


@pytest.mark.parametrize("seed", [11, 12])
def test_a_healthy_machine_stays_quiet(seed: int) -> None:
    """Ten minutes of windows in two states of load; a wave of 4,096 Hz, so that they are quickly computed."""
    signal = Signal("m.vib", "m", "vib", "vibration_acceleration", "g", key=1, rate_hz=4096.0)
    detector = Vibration()
    detector.configure(table(signal, SPEED))
    random = np.random.default_rng(seed)
    load = np.repeat(1.0 + 0.1 * random.normal(size=600), 4096)
    found = opinions(detector, batch(load * random.normal(0, 0.3, len(load)), rate_hz=4096.0))
    assert len(found) > 530
    assert (found < 0.5).all()


def test_one_knock_from_outside_is_no_damage_and_is_not_learned() -> None:
    detector, _ = trained()
    wave = machine(6, SHAFT, 5)
    wave[60_000:60_050] += 80.0
    assert (opinions(detector, batch(wave, start=LATER)) < 0.5).all()


def test_the_zones_speak_from_the_first_windows_on() -> None:
    """45 kW on a rigid base: zone C begins at 2.8 mm/s, D at 4.5 (ISO 20816-3, group 2)."""
    for velocity, zone, low, high in ((2.0, "", 0.0, 0.45), (3.5, "C", 0.5, 0.8), (5.5, "D", 0.8, 0.95)):
        detector = Vibration()
        detector.configure(table(**ISO))
        found = opinions(detector, batch(machine(4, SHAFT, 6, noise=0.3, once=velocity, twice=0.0)))
        assert len(found) == 4
        assert low < found[-1] < high
        told = detector.explain(1, 0.0, float(found[-1]), float("nan"))
        assert (f"ISO 20816-3 zone {zone}" in told) == bool(zone)
        assert not detector.baselining()[1]


def test_without_a_class_or_a_bearing_nothing_is_guessed() -> None:
    detector = Vibration()
    detector.configure(SignalTable.of([SENSOR, SPEED]))
    assert not len(opinions(detector, batch(machine(20, SHAFT, 1, once=20.0))))
    assert detector.baselining().tolist() == [False, True, False]
    opinions(detector, batch(machine(60, SHAFT, 1), start=START + 20 * SECOND))
    wave = machine(4, SHAFT, 2) + impacts("outer", 4, SHAFT, 3, 1.0)
    found = opinions(detector, batch(wave, start=START + 80 * SECOND))
    assert found[-1] > 0.6
    told = detector.explain(1, 0.0, float(found[-1]), float("nan"))
    assert "knocks repeat at" in told
    turns = float(told.split(" times shaft speed")[0].rsplit("(", 1)[1])
    assert turns == pytest.approx(BEARING.orders.outer, rel=0.02)


def test_a_machine_without_a_speed_signal_turns_at_its_rated_speed() -> None:
    detector = Vibration()
    detector.configure(table(SENSOR))
    opinions(detector, batch(machine(70, SHAFT, 1), rpm=None))
    found = opinions(detector, batch(machine(4, SHAFT, 2) + impacts("inner", 4, SHAFT, 3, 1.0), None, LATER))
    assert "BPFI" in detector.explain(1, 0.0, float(found[-1]), float("nan"))


def test_a_standing_machine_gets_no_opinion_and_teaches_nothing() -> None:
    detector = Vibration()
    detector.configure(table(**ISO))
    assert not len(opinions(detector, batch(machine(5, SHAFT, 1, once=9.0), rpm=0.0)))
    assert not len(opinions(detector, batch(machine(8, SHAFT, 1), start=START + 5 * SECOND)))  # settling
    assert len(opinions(detector, batch(machine(9, SHAFT, 1), start=START + 13 * SECOND)))


def test_slow_signals_other_kinds_and_other_units_get_nothing() -> None:
    wave = machine(3, SHAFT, 1, once=50.0)
    for signal in (
        Signal("m.vib", "m", "vib", "vibration_velocity", "mm/s", key=1, rate_hz=RATE_HZ),
        Signal("m.vib", "m", "vib", "vibration_acceleration", "m/s2", key=1, rate_hz=100.0),
        Signal("m.vib", "m", "vib", "vibration_acceleration", "V", key=1, rate_hz=RATE_HZ),
    ):
        detector = Vibration()
        detector.configure(table(signal, SPEED, **ISO))
        assert not len(opinions(detector, batch(wave)))
        assert not detector.baselining().any()


def test_a_level_that_lasts_becomes_the_new_normal() -> None:
    detector = Vibration(warm_up=20, absorb_s=30.0)
    detector.configure(table())
    opinions(detector, batch(machine(30, SHAFT, 1)))
    found = opinions(detector, batch(machine(70, SHAFT, 2, noise=3.0), start=START + 30 * SECOND))
    assert (found[2:28] > 0.5).all()
    assert (found[-10:] < 0.5).all()


QUICK = 1000.0
RAGGED = (
    Signal("m.vib", "m", "vib", "vibration_acceleration", "g", key=1, rate_hz=QUICK),
    SPEED,
    Signal("m.axial", "m", "axial", "vibration_acceleration", "m/s2", key=3, rate_hz=2 * QUICK),
)


def small() -> Vibration:
    detector = Vibration(window_s=0.1, warm_up=8, keep=16, longest_stride=4, refresh=2, settle_s=0.5, absorb_s=3.0)
    detector.configure(table(*RAGGED, **ISO))
    return detector


def ragged(seed: int, seconds: int = 8) -> ReadingBatch:
    """Two fast signals with lost and bad readings, level changes, and a machine that stops and starts."""
    random = np.random.default_rng(seed)
    parts = []
    for key, rate in ((1, QUICK), (2, 5.0), (3, 2 * QUICK)):
        n = int(seconds * rate)
        value = random.normal(0, 1, n) * np.repeat(random.choice([1.0, 1.0, 4.0], 8), n // 8)
        if key == 2:
            value = 1480 + value
            first = int(random.integers(0, n))
            value[first : first + 5] = random.choice([0.0, 600.0])
        bad = random.random(n) < random.choice([0.0, 0.002, 0.3])
        quality = np.where(bad, BAD_SENSOR_FAILURE, 0).astype(np.uint32)
        value[bad] = np.nan
        kept = random.random(n) > random.choice([0.0, 0.002])
        time = START + np.rint(np.arange(n) * 1e6 / rate).astype(np.int64)
        parts.append((np.full(n, key, np.int32)[kept], time[kept], value[kept], quality[kept]))
    signal, when, values, quality = (np.concatenate(c) for c in zip(*parts, strict=True))
    return ReadingBatch(signal, when, values, quality, "gw", 0)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), cuts=st.lists(st.floats(0.01, 7.99), max_size=8))
def test_cutting_a_batch_in_time_changes_no_score(seed: int, cuts: list[float]) -> None:
    whole, detector = ragged(seed), small()
    expected = small().score(whole).score
    score = np.full(len(whole), -1.0)
    piece = np.searchsorted([START + int(c * SECOND) for c in sorted(cuts)], whole.time, side="right")
    for i in range(len(cuts) + 1):
        rows = np.flatnonzero(piece == i)
        score[rows] = detector.score(whole.take(rows)).score
    np.testing.assert_array_equal(score, expected)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_bad_and_older_readings_teach_nothing(seed: int) -> None:
    given_, good = ragged(seed), np.flatnonzero(ragged(seed).quality == 0)
    mixed, pure, again = small(), small(), small()
    first = mixed.score(given_).score
    np.testing.assert_array_equal(first[good], pure.score(given_.take(good)).score)
    again.score(given_)
    assert np.isnan(again.score(given_).score).all()
    later = ReadingBatch(given_.signal, given_.time + 8 * SECOND, given_.value, given_.quality, "gw", 1)
    np.testing.assert_array_equal(mixed.score(later).score, again.score(later).score)


def test_a_signal_that_vanishes_and_one_that_appears_leave_the_rest_as_it_is() -> None:
    whole = ragged(3)
    early, late = np.flatnonzero(whole.time < START + 4 * SECOND), np.flatnonzero(whole.time >= START + 4 * SECOND)
    plain, changed = small(), small()
    for detector in (plain, changed):
        detector.score(whole.take(early))
    fresh = Signal("m.new", "m", "new", "vibration_acceleration", "g", key=9, rate_hz=QUICK)
    changed.configure(table(RAGGED[0], RAGGED[1], fresh, **ISO))
    assert changed.baselining().shape == (10,)
    rows = late[whole.signal[late] != 3]
    np.testing.assert_array_equal(plain.score(whole.take(rows)).score, changed.score(whole.take(rows)).score)


def test_a_signal_full_of_gaps_costs_no_window_and_no_memory() -> None:
    """Every other reading lost: half the stated rate is no waveform of that rate."""
    detector = small()
    n = 200_000
    time = START + np.arange(n, dtype=np.int64) * 2_000
    readings = ReadingBatch(np.ones(n, np.int32), time, np.ones(n), np.zeros(n, np.uint32), "gw", 0)
    assert np.isnan(detector.score(readings).score).all()


def test_garbage_is_no_vibration_and_leaves_no_trace() -> None:
    """Values that no accelerometer says, good quality or not, in the middle of the warm-up."""
    plain, _ = trained()
    spoilt = Vibration()
    spoilt.configure(table())
    first, rest = machine(70, SHAFT, 1)[: 20 * int(RATE_HZ)], machine(70, SHAFT, 1)[20 * int(RATE_HZ) :]
    opinions(spoilt, batch(first))
    garbage = np.tile([1e300, -np.inf, np.inf, 3e12], int(RATE_HZ))
    assert not len(opinions(spoilt, batch(garbage, start=START + 20 * SECOND)))
    opinions(spoilt, batch(rest, start=START + 24 * SECOND))
    worn = machine(5, SHAFT, 2) + impacts("inner", 5, SHAFT, 3, 0.6)
    expected = opinions(plain, batch(worn, start=START + 80 * SECOND))
    np.testing.assert_array_equal(opinions(spoilt, batch(worn, start=START + 80 * SECOND)), expected)


def test_a_unit_that_changes_by_a_thousand_is_found() -> None:
    detector, _ = trained()
    found = opinions(detector, batch(1000 * machine(4, SHAFT, 2), start=LATER))
    assert (found[1:] > 0.95).all()


def test_a_window_that_cannot_be_is_refused() -> None:
    with pytest.raises(InvalidInput, match="window_s"):
        Vibration(window_s=0.001)
