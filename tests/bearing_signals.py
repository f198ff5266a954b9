"""Accelerations of a machine with a damaged rolling bearing, from the public model and from no data.

Source: Antoni and Randall, A stochastic model for simulation and diagnostics of rolling element bearings with localized
faults, Journal of Vibration and Acoustics 125 (2003) 282-289; Randall and Antoni, MSSP 25 (2011) 485-520, section 3:
impacts whose spacing slips at random, each rings a resonance of the structure; an inner race's damage passes through
the load zone once a turn, a ball's once a turn of the cage.
"""

import numpy as np
from numpy.typing import NDArray

from forewarn.policies.bearing_frequencies import BearingGeometry

RATE_HZ = 25_600.0
BEARING = BearingGeometry(9, 39.04, 7.94)
FAULTS = ("outer", "inner", "ball", "cage")
Array = NDArray[np.float64]


def orders() -> dict[str, float]:
    """Of the shaft speed, by fault."""
    o = BEARING.orders
    return {"outer": o.outer, "inner": o.inner, "ball": 2 * o.spin, "cage": o.cage}


def machine(
    seconds: float, shaft_hz: float, seed: int, noise: float = 1.0, once: float = 0.5, twice: float = 0.2
) -> Array:
    """A healthy machine, m/s2: noise RMS, and velocity RMS in mm/s at one and two times shaft speed."""
    random = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    wave = random.normal(0.0, noise, len(time))
    for order, velocity in ((1, once), (2, twice)):
        w = 2 * np.pi * order * shaft_hz
        wave += velocity / 1000 * w * np.sqrt(2) * np.cos(w * time + random.uniform(0, 6.28))
    return wave


def impacts(
    fault: str, seconds: float, shaft_hz: float, seed: int, rms: float, resonance_hz: float = 4000.0, slip: float = 0.01
) -> Array:
    """What the damage adds, m/s2 of the given RMS. slip: standard deviation of the spacing, as a share of it."""
    random = np.random.default_rng(seed)
    many = int(seconds * orders()[fault] * shaft_hz * 1.1) + 8
    strike = np.cumsum((1.0 + slip * random.normal(size=many)) / (orders()[fault] * shaft_hz))
    strike = strike[strike < seconds]
    carried = {"outer": 0.0, "inner": shaft_hz, "ball": BEARING.orders.cage * shaft_hz, "cage": 0.0}[fault]
    load = np.maximum(np.cos(2 * np.pi * carried * strike), 0.0) if carried else np.ones(len(strike))
    height = load * (1.0 + 0.1 * random.normal(size=len(strike)))
    n = round(seconds * RATE_HZ)
    train = np.zeros(n)
    np.add.at(train, (strike * RATE_HZ).astype(int), height)
    ring_time = np.arange(int(0.01 * RATE_HZ)) / RATE_HZ
    ring = np.exp(-0.04 * 2 * np.pi * resonance_hz * ring_time) * np.sin(2 * np.pi * resonance_hz * ring_time)
    length = n + len(ring)
    wave = np.fft.irfft(np.fft.rfft(train, length) * np.fft.rfft(ring, length), length)[:n]
    return np.asarray(wave * (rms / np.sqrt(np.mean(wave**2))))
