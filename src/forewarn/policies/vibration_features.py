"""What a waveform of acceleration says about a machine: overall level, impulsiveness, shaft lines, bearing lines.

Arrays are [k windows, n samples]; each row is computed by itself, so that what stands beside it changes nothing.

Sources: ISO 20816-1 (velocity RMS, 10-1000 Hz); ISO 13373-2 (spectra, crest factor); Randall and Antoni, Rolling
element bearing diagnostics - a tutorial, MSSP 25 (2011) 485-520 (squared envelope spectrum, slip, demodulation bands).
In place of one band chosen by a kurtogram (Antoni, MSSP 21 (2007) 108-124), which a single knock misleads, fixed octave
bands are all demodulated and each kind of damage is read where it stands out most.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Spectrum = NDArray[np.complex128]
Rows = NDArray[np.intp]

VELOCITY, ACCELERATION, CREST, KURTOSIS, ONCE, TWICE, OUTER, INNER, BALL, CAGE, ENVELOPE = range(11)
FEATURES: Final = (
    "velocity_rms",
    "acceleration_rms",
    "crest",
    "kurtosis",
    "velocity_1x",
    "velocity_2x",
    "bpfo",
    "bpfi",
    "bsf",
    "ftf",
    "envelope",
)
COUNT: Final = len(FEATURES)
VELOCITY_BAND_HZ: Final = (10.0, 1000.0)
SLOW_VELOCITY_FROM_HZ: Final = 2.0  # below 600 rpm (ISO 20816-1, 4.5)
SLOW_SHAFT_HZ: Final = 10.0
_HARMONICS: Final = np.arange(1, 4)
_SLIP: Final = 1.0 + np.linspace(-0.02, 0.02, 33)
_HANN_POWER: Final = 3.0 / 8.0
_OCTAVES: Final = 4
_LOWEST_BAND_HZ: Final = 200.0
_ENVELOPE_TO_HZ: Final = 1200.0
_LEAST_BINS: Final = 3  # nearer to zero a line cannot be told from the mean


@dataclass(frozen=True, slots=True, eq=False)
class VibrationFeatures:
    """value: float64[k, COUNT]: velocities mm/s RMS, acceleration m/s2 RMS, crest and kurtosis without unit (3 =
    Gaussian), the rest as prominence: mean height of the first three harmonics in the squared envelope spectrum over
    its median. NaN where it cannot be known (no shaft speed, no geometry, window too short, nothing measured). hertz:
    float64[k, COUNT], where the line was found; NaN for what is no line. band_hz: float64[k, COUNT], lower edge of the
    octave it was found in."""

    value: Array
    hertz: Array
    band_hz: Array


def features(waves: Array, rate_hz: Array, shaft_hz: Array, orders: Array) -> VibrationFeatures:
    """waves: m/s2 [k, n]; rate_hz [k]; shaft_hz [k], NaN = unknown; orders [k, 4]: outer, inner, ball (twice its spin)
    and cage damage in multiples of the shaft speed, NaN = unknown."""
    k, n = waves.shape
    value, hertz, band = (np.full((k, COUNT), np.nan) for _ in range(3))
    moving = waves - waves.mean(axis=1, keepdims=True)
    value[:, ACCELERATION], value[:, CREST], value[:, KURTOSIS] = impulsiveness(moving)
    spectrum = np.fft.rfft(moving, axis=1)
    step = rate_hz / n
    power = velocity_power(spectrum, n, step)
    value[:, VELOCITY] = velocity_rms(power, step, shaft_hz)
    for feature, order in ((ONCE, 1.0), (TWICE, 2.0)):
        value[:, feature], hertz[:, feature] = line_rms(power, step, order * shaft_hz)
    bands = octave_bands(n, float(rate_hz.max()) if k else 0.0)
    if bands:
        reach = int(min(_ENVELOPE_TO_HZ / float(step.min()), n // 8))
        prominence = envelope_prominence(spectrum, bands, reach)
        edge = np.array([first for first, _ in bands], float)
        wanted = orders * shaft_hz[:, None]
        value[:, OUTER : CAGE + 1], hertz[:, OUTER : CAGE + 1], where = comb(prominence, step, wanted)
        band[:, OUTER : CAGE + 1] = edge[where] * step[:, None]
        value[:, ENVELOPE], hertz[:, ENVELOPE], place = strongest(prominence, step)
        band[:, ENVELOPE] = edge[place] * step
    return VibrationFeatures(value, hertz, band)


def impulsiveness(moving: Array) -> tuple[Array, Array, Array]:
    """RMS, crest factor (peak over RMS) and kurtosis of waves without their mean; the latter NaN where nothing
    moves."""
    square = moving * moving
    mean_square = square.mean(axis=1)
    rms = np.sqrt(mean_square)
    still = ~(mean_square > 0.0)
    safe = np.where(still, 1.0, mean_square)
    crest = np.sqrt(square.max(axis=1) / safe)
    kurtosis = (square * square).mean(axis=1) / (safe * safe)
    return rms, np.where(still, np.nan, crest), np.where(still, np.nan, kurtosis)


def velocity_power(spectrum: Spectrum, n: int, step: Array) -> Array:
    """Mean square velocity (mm/s)^2 by bin [k, n // 2 + 1], Hann windowed; integration is division by 2 pi f."""
    windowed = _hann(spectrum)
    hertz = np.maximum(np.arange(spectrum.shape[1]), 1) * step[:, None]
    scale = 1000.0 / (2.0 * np.pi * hertz * n)
    power: Array = (windowed.real**2 + windowed.imag**2) * (2.0 / _HANN_POWER) * scale * scale
    power[:, 0] = 0.0
    return power


def velocity_rms(power: Array, step: Array, shaft_hz: Array) -> Array:
    """mm/s RMS from 10 Hz (2 Hz where the shaft turns slower than 600 rpm) to 1000 Hz; NaN where the window is too
    short."""
    low = np.where(shaft_hz < SLOW_SHAFT_HZ, SLOW_VELOCITY_FROM_HZ, VELOCITY_BAND_HZ[0])
    hertz = np.arange(power.shape[1]) * step[:, None]
    inside = (hertz >= low[:, None]) & (hertz <= VELOCITY_BAND_HZ[1])
    total = np.where(inside, power, 0.0).sum(axis=1)
    return np.where(low < 2.0 * step, np.nan, np.sqrt(total))


def line_rms(power: Array, step: Array, hertz: Array, slack: float = 0.02) -> tuple[Array, Array]:
    """RMS of the strongest line within `slack` of `hertz` (or two bins), and where it lies. NaN where hertz is, or
    where it lies outside the spectrum."""
    bins = power.shape[1]
    centre = hertz / step
    known = (centre >= _LEAST_BINS) & (centre * (1.0 + slack) < bins - 6)
    middle = np.rint(np.where(known, centre, _LEAST_BINS)).astype(np.intp)
    most = int(middle.max(initial=0) * slack) + 2
    offset = np.arange(-most, most + 1)
    allowed = np.abs(offset) <= np.maximum(middle[:, None] * slack, 2.0)
    at = np.clip(middle[:, None] + offset, 0, bins - 1)
    height = np.where(allowed, np.take_along_axis(power, at, axis=1), -1.0)
    peak = np.take_along_axis(at, np.argmax(height, axis=1)[:, None], axis=1)
    around = np.clip(peak + np.arange(-2, 3), 0, bins - 1)  # a line's whole lobe in a Hann window
    rms = np.sqrt(np.take_along_axis(power, around, axis=1).sum(axis=1))
    return np.where(known, rms, np.nan), np.where(known, peak[:, 0] * step, np.nan)


def octave_bands(n: int, rate_hz: float) -> list[tuple[int, int]]:
    """(first, last) bins of up to four octaves below the Nyquist frequency, none beginning below 200 Hz."""
    bands = [(n >> (octave + 1), n >> octave) for octave in range(1, _OCTAVES + 1)]
    return [b for b in bands if b[0] * rate_hz >= _LOWEST_BAND_HZ * n and b[1] - b[0] >= 8 * _LEAST_BINS]


def envelope_prominence(spectrum: Spectrum, bands: list[tuple[int, int]], reach: int) -> Array:
    """Squared envelope spectrum of each band over its own median: float64[k, bands, reach], 0 beyond half the band's
    width. Each bin holds the highest of itself and its neighbours, as slip spreads a line.

    The bins of a band, moved to zero, are the spectrum of its analytic signal at twice its width: no filter is
    needed."""
    k = spectrum.shape[0]
    prominence = np.zeros((k, len(bands), reach))
    for b, (first, last) in enumerate(bands):
        width = last - first
        shifted = np.zeros((k, 2 * width), np.complex128)
        shifted[:, :width] = spectrum[:, first:last]
        analytic = np.fft.ifft(shifted, axis=1)
        squared = analytic.real**2 + analytic.imag**2
        squared -= squared.mean(axis=1, keepdims=True)
        upto = min(reach, width // 2)
        height = np.abs(_hann(np.fft.rfft(squared, axis=1)[:, : upto + 1]))
        floor = np.median(height[:, _LEAST_BINS:upto], axis=1, keepdims=True)
        height = np.divide(height, floor, out=np.zeros_like(height), where=floor > 0.0)
        height[:, :_LEAST_BINS] = 0.0
        inner = prominence[:, b, 1:upto]
        np.maximum(height[:, : upto - 1], height[:, 1:upto], out=inner)
        np.maximum(inner, height[:, 2 : upto + 1], out=inner)
    return prominence


def comb(prominence: Array, step: Array, hertz: Array) -> tuple[Array, Array, Rows]:
    """Of each wanted line [k, j]: mean prominence of its first three harmonics where it is highest within 2 % and over
    the bands, the frequency found, and the band. NaN where hertz is, or where it lies outside."""
    k, bands, reach = prominence.shape
    known = (hertz >= _LEAST_BINS * step[:, None]) & (hertz < (reach - 1) * step[:, None])
    tried = np.where(known, hertz, 0.0)[..., None] * _SLIP
    at = np.rint(tried[..., None] * _HARMONICS / step[:, None, None, None]).astype(np.intp)
    inside = at < reach
    at[~inside] = 0
    row = np.arange(k)[:, None, None, None]
    mean = np.stack([(prominence[row, b, at] * inside).sum(axis=-1) for b in range(bands)]) / len(_HARMONICS)
    best = mean.max(axis=-1)
    where = best.argmax(axis=0)
    of_band = np.take_along_axis(mean, where[None, ..., None], axis=0)[0]
    found = np.take_along_axis(tried, of_band.argmax(axis=-1)[..., None], axis=-1)[..., 0]
    return np.where(known, best.max(axis=0), np.nan), np.where(known, found, np.nan), where


def strongest(prominence: Array, step: Array) -> tuple[Array, Array, Rows]:
    """The line whose first three harmonics stand out most, whatever it is: its mean prominence [k], frequency and
    band."""
    k, _, reach = prominence.shape
    last = (reach - 1) // len(_HARMONICS)
    if last <= _LEAST_BINS:
        return np.full(k, np.nan), np.full(k, np.nan), np.zeros(k, np.intp)
    line = np.arange(_LEAST_BINS, last)
    mean = (prominence[:, :, line] + prominence[:, :, 2 * line] + prominence[:, :, 3 * line]) / len(_HARMONICS)
    flat = mean.reshape(k, -1)
    best = flat.argmax(axis=1)
    band, place = np.divmod(best, len(line))
    return flat[np.arange(k), best], line[place] * step, band


def _hann(spectrum: Spectrum) -> Spectrum:
    """The spectrum of the same wave under a Hann window: a sum of three neighbours."""
    windowed = 0.5 * spectrum
    windowed[:, 1:-1] -= 0.25 * (spectrum[:, :-2] + spectrum[:, 2:])
    windowed[:, 0] -= 0.5 * spectrum[:, 1].real
    return windowed
