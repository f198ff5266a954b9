"""Features of waveforms whose truth is known, and bearing faults of the public model named by their lines."""

import numpy as np
import pytest

from forewarn.policies.vibration_features import (
    ACCELERATION,
    BALL,
    CAGE,
    COUNT,
    CREST,
    ENVELOPE,
    INNER,
    KURTOSIS,
    ONCE,
    OUTER,
    TWICE,
    VELOCITY,
    VibrationFeatures,
    features,
)
from tests.bearing_signals import FAULTS, RATE_HZ, Array, impacts, machine, orders

N = 25_600


def seen(wave: Array, shaft_hz: float, rate_hz: float = RATE_HZ, n: int = N) -> VibrationFeatures:
    """Windows of n samples."""
    windows = wave[: len(wave) // n * n].reshape(-1, n)
    k = len(windows)
    order = np.tile(np.array(list(orders().values())), (k, 1))
    return features(windows, np.full(k, rate_hz), np.full(k, shaft_hz), order)


def sine(hertz: float, velocity: float, n: int = N, rate_hz: float = RATE_HZ) -> Array:
    """Acceleration of a vibration of `velocity` mm/s RMS."""
    w = 2 * np.pi * hertz
    return np.asarray(velocity / 1000 * np.sqrt(2) * w * np.cos(w * np.arange(n) / rate_hz + 0.3))


@pytest.mark.parametrize("hertz", [10.7, 24.6, 49.9, 333.3, 997.0])
def test_velocity_is_the_integral_of_acceleration(hertz: float) -> None:
    """To 1 %, on a bin or between two."""
    assert seen(sine(hertz, 2.8) + 9.81, np.nan).value[0, VELOCITY] == pytest.approx(2.8, rel=0.01)


def test_velocity_counts_from_10_to_1000_hz_and_from_2_hz_on_a_slow_machine() -> None:
    wave = sine(5.0, 3.0) + sine(100.0, 1.0) + sine(2000.0, 3.0)
    assert seen(wave, 25.0).value[0, VELOCITY] == pytest.approx(1.0, rel=0.01)
    # Five bins from zero a line's three bins are weighed unevenly by 1/f: 2 %.
    assert seen(wave, 5.0).value[0, VELOCITY] == pytest.approx(np.hypot(1.0, 3.0), rel=0.03)
    assert np.isnan(seen(wave[:2560], 25.0, n=2560).value[0, VELOCITY])  # 0.1 s cannot tell 10 Hz


def test_rms_crest_and_kurtosis_of_textbook_waves() -> None:
    random = np.random.default_rng(0)
    gaussian = seen(random.normal(0, 2, N), np.nan).value[0]
    assert gaussian[ACCELERATION] == pytest.approx(2.0, rel=0.02)
    assert gaussian[KURTOSIS] == pytest.approx(3.0, abs=0.15)
    pure = seen(sine(100.0, 1.0), np.nan).value[0]
    assert (pure[CREST], pure[KURTOSIS]) == (pytest.approx(np.sqrt(2), rel=1e-3), pytest.approx(1.5, rel=1e-3))
    still = seen(np.full(N, 3.0), 25.0).value[0]
    assert still[VELOCITY] == still[ACCELERATION] == 0.0
    assert np.isnan(still[[CREST, KURTOSIS]]).all()


def test_imbalance_shows_at_shaft_speed_and_misalignment_at_twice() -> None:
    """Between two bins and a little beside the speed that was told."""
    value = seen(machine(1, 24.63, 3, once=4.0, twice=1.5), 24.55)
    assert value.value[0, ONCE] == pytest.approx(4.0, rel=0.05)
    assert value.value[0, TWICE] == pytest.approx(1.5, rel=0.05)
    assert value.hertz[0, ONCE] == pytest.approx(24.63, abs=0.5)
    assert np.isnan(seen(machine(1, 25, 3), np.nan).value[0, [ONCE, TWICE, OUTER, INNER, BALL, CAGE]]).all()


@pytest.mark.parametrize("shaft_hz", [10.0, 16.7, 24.7, 49.3])
def test_each_fault_of_a_bearing_is_named_by_its_line(shaft_hz: float) -> None:
    """With impacts at 100 %, 50 % and 32 % of the noise's RMS (0, -6, -10 dB), and with 1 % of slip."""
    healthy = seen(machine(30, shaft_hz, 1), shaft_hz).value
    usual = np.median(healthy, axis=0)
    assert healthy[:, OUTER : CAGE + 1].max() < 4.0
    for share in (1.0, 0.5, 0.32):
        for number, fault in enumerate(FAULTS):
            found = seen(machine(6, shaft_hz, 2) + impacts(fault, 6, shaft_hz, 3, share), shaft_hz)
            ratio = np.median(found.value, axis=0) / usual
            assert FAULTS[int(np.argmax(ratio[OUTER : CAGE + 1]))] == fault, (shaft_hz, share, ratio)
            hertz = np.median(found.hertz[:, OUTER + number])
            assert hertz == pytest.approx(orders()[fault] * shaft_hz, rel=0.021)


@pytest.mark.parametrize("beside", [0.985, 1.0, 1.015])
def test_a_bearing_that_slips_or_a_speed_told_a_little_wrong_is_still_named(beside: float) -> None:
    """Far beyond the width of a line: 1.5 % of BPFI's third harmonic is 6 Hz."""
    wave = machine(6, 24.7, 2) + impacts("inner", 6, 24.7, 3, 0.7, slip=0.002)
    found = seen(wave, 24.7 * beside)
    assert np.median(found.value[:, INNER]) > 10
    assert np.median(found.hertz[:, INNER]) == pytest.approx(orders()["inner"] * 24.7, abs=1.0)


def test_the_envelope_finds_the_rate_of_knocks_without_speed_or_geometry() -> None:
    wave = machine(4, 25, 2) + impacts("outer", 4, 25, 3, 1.0)
    found = features(wave.reshape(4, -1), np.full(4, RATE_HZ), np.full(4, np.nan), np.full((4, 4), np.nan))
    expected = orders()["outer"] * 25
    assert np.median(found.value[:, ENVELOPE]) > 12
    assert np.allclose(found.hertz[:, ENVELOPE], expected, rtol=0.02)
    assert ((found.band_hz[:, ENVELOPE] <= 4000) & (2 * found.band_hz[:, ENVELOPE] >= 4000)).all()


@pytest.mark.parametrize(
    ("rate_hz", "n"), [(1000.0, 1000), (2560.0, 2500), (51_200.0, 51_200), (1000.0, 40), (1000.0, 8)]
)
def test_other_rates_and_short_windows_do_no_harm(rate_hz: float, n: int) -> None:
    wave = np.random.default_rng(0).normal(size=4 * n)
    value = seen(wave, 25.0, rate_hz, n).value
    assert value.shape == (4, COUNT)
    assert (value[:, ACCELERATION] > 0).all()


def test_what_stands_beside_a_window_changes_nothing() -> None:
    """To the last bit: a batch may be cut anywhere."""
    wave = machine(7, 25, 1) + impacts("inner", 7, 25, 2, 1.0)
    whole = seen(wave, 25.0)
    for i in range(7):
        alone = seen(wave[i * N : (i + 1) * N], 25.0)
        np.testing.assert_array_equal(alone.value[0], whole.value[i])
        np.testing.assert_array_equal(alone.hertz[0], whole.hertz[i])
