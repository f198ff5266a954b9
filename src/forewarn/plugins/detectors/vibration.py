"""Vibration: does the waveform of an accelerometer show damage?"""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from forewarn.contracts.detector import Scores
from forewarn.domain.assets import Asset
from forewarn.domain.errors import InvalidInput
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.signal_table import SignalTable
from forewarn.domain.status import is_good
from forewarn.policies.asset_templates import TEMPLATES
from forewarn.policies.bearing_frequencies import bearing_geometry
from forewarn.policies.healthy_windows import HealthySettings, HealthyWindows
from forewarn.policies.regimes import COUNT as REGIMES
from forewarn.policies.regimes import STANDING, UNKNOWN, Regimes
from forewarn.policies.runs import Runs, resized
from forewarn.policies.scoring import ratio_score
from forewarn.policies.shaft_speed import ShaftSpeed
from forewarn.policies.vibration_features import COUNT, VELOCITY, VELOCITY_BAND_HZ, features
from forewarn.policies.vibration_words import found_in
from forewarn.policies.waveforms import WaveformWindows, Windows
from forewarn.policies.zones import ISO_20816_3, Zones, vibration_zones

Array = NDArray[np.float64]
Rows = NDArray[np.intp]
_CONFIRMED_OF: Final = 3  # the median of so many windows counts: one knock from outside is nobody's damage
_AT_ONCE: Final = 16  # windows transformed together: 3 MB at 25.6 kHz
_SHORTEST_S: Final = 0.05
_LONGEST_S: Final = 30.0
_MOST_ACCELERATION: Final = 1e9  # no accelerometer says so; squares of garbage must not overflow
_D_RATIO: Final = 4.0  # the boundary of zones C and D scores 0.8
# Least limits by feature: below these nothing is damage. mm/s, m/s2, 1, 1, mm/s, mm/s, and prominences.
_FLOOR: Final = np.array([0.3, 0.1, 5.0, 4.5, 0.3, 0.3, 4.0, 4.0, 4.0, 4.0, 4.5])


class Vibration:
    """Features of each whole window of an accelerometer (`policies/vibration_features.py`) against the same machine's
    healthy windows in the same regime, as r / (1 + r) of the worst one's ratio to its limit, the median of three
    windows. The limit is the higher of `headroom` x the `quantile` of the healthy windows and their median + `spreads`
    robust sigmas.

    The velocity RMS also has the zones of ISO 20816, where the asset's specifications give its class: 0.5 at the
    boundary of zones B and C, 0.8 at that of C and D, with no need to learn. Bearing lines need bearing_balls,
    bearing_pitch_mm, bearing_ball_mm (and bearing_contact_deg) and the shaft's speed: of the asset's speed signal as of
    the window's end, of rated_speed_rpm where it has none.

    Signals of kind vibration_acceleration in m/s2 or g read at 1,000 Hz or more; others get NaN, and so does every
    reading but the last of a window. `expected` is NaN. No opinion during the first `warm_up` windows of a regime (but
    for the zones), while the machine stands and within `settle_s` of a start or stop. While over a limit it learns
    nothing; a level that has lasted `absorb_s` becomes the new normal. Memory: one window of waveform a signal, `keep`
    x 11 numbers a regime.

    >>> from forewarn.domain.assets import Signal
    >>> import numpy as np
    >>> sensor = Signal("p1.vib", "p1", "vib", "vibration_acceleration", "m/s2", key=1, rate_hz=4096.0)
    >>> detector = Vibration(window_s=0.25, warm_up=20)
    >>> detector.configure(SignalTable.of([sensor]))
    >>> values = np.random.default_rng(1).normal(0, 1.0, 30_000)
    >>> values[25_000::200] += 30.0
    >>> time = np.arange(30_000) * 1_000_000 // 4096
    >>> batch = ReadingBatch(np.ones(30_000, np.int32), time, values, np.zeros(30_000, np.uint32), "gw", 0)
    >>> score = detector.score(batch).score
    >>> score = score[~np.isnan(score)]
    >>> bool((score[:4] < 0.5).all()), bool((score[-2:] > 0.5).all())
    (True, True)
    """

    name: ClassVar[str] = "vibration"
    anomaly_type: ClassVar[str] = "vibration"

    def __init__(
        self,
        window_s: float = 1.0,
        warm_up: int = 60,
        keep: int = 128,
        longest_stride: int = 4096,
        headroom: float = 1.5,
        quantile: float = 0.99,
        spreads: float = 6.0,
        refresh: int = 8,
        settle_s: float = 10.0,
        absorb_s: float = 604_800.0,
    ) -> None:
        self._parameters = {k: v for k, v in locals().items() if k != "self"}
        if not _SHORTEST_S <= window_s <= _LONGEST_S:
            raise InvalidInput(
                f"window_s is {window_s:g}: seconds from {_SHORTEST_S} to {_LONGEST_S}", field="window_s"
            )
        settings = HealthySettings(
            warm_up, max(keep, warm_up), longest_stride, headroom, quantile, spreads, refresh, int(absorb_s * 1e6)
        )
        self._healthy = HealthyWindows(settings, _FLOOR)
        self._settle_us = int(settle_s * 1e6)
        self._windows = WaveformWindows(window_s)
        self._regimes, self._speed = Regimes(), ShaftSpeed()
        self._slot_of = np.zeros(0, np.intp)
        self._recent = np.zeros((0, _CONFIRMED_OF, COUNT + 1))
        self._evidence: dict[int, tuple[Array, Array, Array, Array, Array, float]] = {}
        self.configure(SignalTable.of(()))

    def configure(self, table: SignalTable) -> None:
        self._windows.configure(table)
        self._regimes.configure(table)
        self._speed.configure(table)
        self._slot_of = resized(self._slot_of, table.size * REGIMES, -1)
        self._orders = np.full((table.size, 4), np.nan)
        self._zones: dict[int, Zones] = {}
        for key in np.flatnonzero(self._windows.follows).tolist():
            signal = table.signals[key]
            asset = table.assets.get(signal.asset_id) if signal else None
            if asset is not None:
                self._orders[key] = _orders(asset)
                if zones := _zones(asset):
                    self._zones[key] = zones
        self._evidence = {k: e for k, e in self._evidence.items() if k < table.size and self._windows.follows[k]}
        learns = self._windows.follows.copy()
        learns[list(self._zones)] = False  # the zones speak from the first window on
        self._learns = learns

    def score(self, batch: ReadingBatch) -> Scores:
        score = np.full(len(batch), np.nan)
        if len(batch) and self._windows.follows.any():
            view = self._regimes.follow(batch, Runs.of(batch))
            usable = is_good(batch.quality) & (np.abs(batch.value) < _MOST_ACCELERATION)
            groups = self._windows.take(batch, usable)
            rows = np.concatenate([w.row for w in groups]) if groups else np.zeros(0, np.intp)
            shaft = self._speed.as_of(batch, batch.signal[rows], batch.time[rows])
            first = 0
            for windows in groups:
                span = slice(first, first + len(windows.row))
                first = span.stop
                regime, since = view.row_regime[windows.row], view.row_since[windows.row]
                length_us = windows.wave.shape[1] * 1e6 / windows.rate_hz
                settled = batch.time[windows.row] - length_us >= since + self._settle_us
                picked = np.flatnonzero(settled & (regime != STANDING) & (regime != UNKNOWN))
                self._judge(batch, windows, picked, regime, shaft[span], score)
        return Scores(score, np.full(len(batch), np.nan))

    def _judge(
        self,
        batch: ReadingBatch,
        windows: Windows,
        picked: Rows,
        regime: NDArray[np.uint8],
        shaft: Array,
        score: Array,
    ) -> None:
        """Features of the windows, many at a time; then each signal's windows one after the other, all signals at
        once."""
        for start in range(0, len(picked), _AT_ONCE):
            part = picked[start : start + _AT_ONCE]
            signal, row = windows.signal[part], windows.row[part]
            seen = features(windows.wave[part], windows.rate_hz[part], shaft[part], self._orders[signal])
            zone = self._zone_ratio(signal, seen.value[:, VELOCITY], windows.rate_hz[part])
            slot = self._slots(signal, regime[part])
            turn = _turns(signal)
            for now in range(int(turn.max(initial=-1)) + 1):
                these = np.flatnonzero(turn == now)
                at = slot[these]
                ratio = np.column_stack((seen.value[these] / self._healthy.limit[at], zone[these]))
                confirmed, known = self._confirmed(at, ratio), ~np.isnan(ratio).all(axis=1)
                worst = confirmed.max(axis=1)
                score[row[these]] = np.where(known, ratio_score(worst), np.nan)
                calm = np.maximum(worst, np.nan_to_num(ratio).max(axis=1)) <= 1.0
                for i, window in enumerate(these.tolist()):  # a window is tens of thousands of readings
                    if worst[i] > 1.0 or int(signal[window]) not in self._evidence:
                        self._evidence[int(signal[window])] = (
                            confirmed[i],
                            seen.value[window],
                            self._healthy.usual[at[i]].copy(),
                            seen.hertz[window],
                            seen.band_hz[window],
                            float(shaft[part[window]]),
                        )
                self._healthy.learn(at, seen.value[these], batch.time[row[these]], calm)

    def _confirmed(self, slot: Rows, ratio: Array) -> Array:
        """Median of the slot's last three ratios, this one among them; what is unknown counts as nothing."""
        self._recent[slot] = np.concatenate((self._recent[slot, 1:], np.nan_to_num(ratio)[:, None, :]), axis=1)
        median: Array = np.median(self._recent[slot], axis=1)
        return median

    def _slots(self, signal: NDArray[np.int32], regime: NDArray[np.uint8]) -> Rows:
        place = signal.astype(np.intp) * REGIMES + regime
        new = np.unique(place[self._slot_of[place] < 0])
        if len(new):
            self._slot_of[new] = self._healthy.allocate(len(new))
            more = len(self._healthy.limit) - len(self._recent)
            self._recent = np.concatenate((self._recent, np.zeros((more, _CONFIRMED_OF, COUNT + 1))))
        slots: Rows = self._slot_of[place]
        return slots

    def _zone_ratio(self, signal: NDArray[np.int32], velocity: Array, rate_hz: Array) -> Array:
        """1 at the boundary of B and C, 4 at that of C and D, geometric between; NaN without zones, or where the
        waveform does not reach 1000 Hz."""
        ratio = np.full(len(signal), np.nan)
        wide = rate_hz > 2.0 * VELOCITY_BAND_HZ[1]
        for i in np.flatnonzero(wide).tolist():
            if zones := self._zones.get(int(signal[i])):
                steps = [0.0, zones.b_c, zones.c_d]
                inside = np.interp(velocity[i], steps, [0.0, 1.0, _D_RATIO])
                ratio[i] = max(inside, _D_RATIO * velocity[i] / zones.c_d if velocity[i] > zones.c_d else 0.0)
        return ratio

    def explain(self, signal: int, value: float, score: float, expected: float) -> str:
        if signal not in self._evidence:
            return "no whole window of vibration was seen yet"
        return found_in(*self._evidence[signal], self._zones.get(signal))

    def baselining(self) -> NDArray[np.bool_]:
        # Slots before their limits: the line may grow both meanwhile, and a slot is given once its limit is there.
        slot_of, learning = self._slot_of, self._learns.copy()
        regime = self._regimes.codes(min(len(learning), len(slot_of) // REGIMES))
        slot = slot_of[np.arange(len(regime)) * REGIMES + regime]
        limit = self._healthy.limit
        if len(limit):
            learning[: len(slot)] &= (slot < 0) | np.isnan(limit[np.maximum(slot, 0)]).all(axis=1)
        learning[: len(regime)] &= regime != STANDING
        return learning

    def parameters(self) -> Mapping[str, Any]:
        return dict(self._parameters)


def _turns(signal: NDArray[np.int32]) -> Rows:
    """Which of its signal's windows each one is: 0, 1, ...; windows of one signal are in order of time."""
    order = np.argsort(signal, kind="stable")
    ordered = signal[order]
    fresh = np.concatenate(([True], ordered[1:] != ordered[:-1])) if len(signal) else np.zeros(0, np.bool_)
    begun = np.maximum.accumulate(np.where(fresh, np.arange(len(signal)), 0))
    turn = np.empty(len(signal), np.intp)
    turn[order] = np.arange(len(signal)) - begun
    return turn


def _orders(asset: Asset) -> Array:
    """NaN where the geometry is not stated; the plant file refuses one that cannot be."""
    try:
        geometry = bearing_geometry(asset.specifications)
    except InvalidInput:
        geometry = None
    if geometry is None:
        return np.full(4, np.nan)
    orders = geometry.orders
    return np.array([orders.outer, orders.inner, 2.0 * orders.spin, orders.cage])


def _zones(asset: Asset) -> Zones | None:
    """None where the specifications do not give the machine's class: nothing is guessed."""
    template = TEMPLATES.get(asset.template)
    try:
        return vibration_zones((template.vibration_standard if template else None) or ISO_20816_3, asset.specifications)
    except InvalidInput:
        return None
