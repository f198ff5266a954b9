"""How well alarms fit labels: row by row, and as people meet them (found or not, how late, how often for nothing).

A row counts for itself: no point-adjustment, which lets random scores win (Kim et al., AAAI 2022).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Flags = NDArray[np.bool_]
Times = NDArray[np.int64]

_SECOND: Final = 1_000_000
MERGED_S: Final = 30.0  # alarms this near to each other are one to a person


@dataclass(frozen=True, slots=True)
class Confusion:
    """Rows counted. A share whose denominator is nothing is NaN."""

    tp: int = 0
    fp: int = 0
    fn: int = 0
    tn: int = 0

    def __add__(self, other: "Confusion") -> "Confusion":
        return Confusion(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn, self.tn + other.tn)

    @property
    def f1(self) -> float:
        return _share(self.tp, self.tp + (self.fp + self.fn) / 2)

    @property
    def false_alarm_rate(self) -> float:
        """Share of healthy rows in alarm."""
        return _share(self.fp, self.fp + self.tn)

    @property
    def missed_alarm_rate(self) -> float:
        """Share of anomalous rows not in alarm."""
        return _share(self.fn, self.fn + self.tp)

    @property
    def alarm_rate(self) -> float:
        return _share(self.tp + self.fp, self.tp + self.fp + self.fn + self.tn)

    @property
    def mcc(self) -> float:
        """Matthews correlation, -1 to 1; 0 for what alarms always, never or at random."""
        scale = float(self.tp + self.fp) * (self.tp + self.fn) * (self.tn + self.fp) * (self.tn + self.fn)
        return 0.0 if scale == 0 else (float(self.tp) * self.tn - float(self.fp) * self.fn) / float(np.sqrt(scale))


def confusion(alarm: Flags, anomaly: Flags) -> Confusion:
    """Both bool[n]."""
    tp, fp = int((alarm & anomaly).sum()), int((alarm & ~anomaly).sum())
    fn = int(anomaly.sum()) - tp
    return Confusion(tp, fp, fn, len(alarm) - tp - fp - fn)


@dataclass(frozen=True, slots=True)
class Detection:
    """One fault as people met it. delay_s: from its first row to the first alarm row inside it, None = missed.
    false_episodes: alarms begun in the healthy_hours before it, those within MERGED_S of the one before not counted."""

    delay_s: float | None
    false_episodes: int
    healthy_hours: float


def detection(alarm: Flags, anomaly: Flags, time: Times) -> Detection:
    """Of the first fault: rows from the first anomalous one to the last of its run. All [n]; time: microseconds.
    Without a fault all rows are healthy, and delay_s is None."""
    faulty = np.flatnonzero(anomaly)
    start = int(faulty[0]) if len(faulty) else len(anomaly)
    later = np.flatnonzero(~anomaly[start:])
    stop = start + int(later[0]) if len(later) else len(anomaly)
    inside = np.flatnonzero(alarm[start:stop])
    delay = float(time[start + inside[0]] - time[start]) / _SECOND if len(inside) else None
    hours = float(time[min(start, len(time) - 1)] - time[0]) / _SECOND / 3600 if len(time) else 0.0
    return Detection(delay, len(episodes(alarm[:start], time[:start])), hours)


def episodes(alarm: Flags, time: Times, merged_s: float = MERGED_S) -> NDArray[np.intp]:
    """intp[k, 2]: first and last row of each alarm; what begins within merged_s of one's last row belongs to it."""
    rows = np.flatnonzero(alarm)
    if not len(rows):
        return np.empty((0, 2), np.intp)
    apart = (np.diff(rows) > 1) & (np.diff(time[rows]) > merged_s * _SECOND)
    first, last = np.r_[True, apart], np.r_[apart, True]
    return np.stack((rows[first], rows[last]), axis=1)


@dataclass(frozen=True, slots=True)
class Detections:
    """Of many faults. Delays of those that were found; NaN where none was."""

    faults: int
    found: int
    median_delay_s: float
    p90_delay_s: float
    false_episodes: int
    healthy_hours: float

    @property
    def false_episodes_an_hour(self) -> float:
        return _share(self.false_episodes, self.healthy_hours)


def summary(each: Iterable[Detection]) -> Detections:
    known = list(each)
    delays = np.array([one.delay_s for one in known if one.delay_s is not None])
    median, late = np.quantile(delays, (0.5, 0.9)) if len(delays) else (np.nan, np.nan)
    false = sum(one.false_episodes for one in known)
    return Detections(
        len(known), len(delays), float(median), float(late), false, sum(one.healthy_hours for one in known)
    )


@dataclass(frozen=True, slots=True)
class Profiles:
    """The three costs of Numenta's benchmark: missing nothing said 0, perfect 100, below 0 worse than silence."""

    standard: float
    low_fp: float
    low_fn: float


# What a false alarm and a missed window cost, where a window found at once earns 1 (Lavin & Ahmad, ICMLA 2015).
COSTS: Final = ((0.11, 1.0), (0.22, 1.0), (0.11, 2.0))
_WINDOW_S: Final = 60
_STEPS: Final = 1000  # the published score looks its curve up in a table of so many


@dataclass(frozen=True, slots=True, eq=False)
class ChangePoints:
    """Of one experiment: time int64[n] in microseconds; true, told: bool[n]."""

    time: Times
    true: Flags
    told: Flags


def changes(alarm: Flags) -> Flags:
    """Rows at which an alarm begins or ends: what an anomaly detector says of change points."""
    return np.asarray(np.r_[alarm[:1], alarm[1:] != alarm[:-1]])


def change_point_score(experiments: Sequence[ChangePoints], window_s: float = _WINDOW_S) -> Profiles:
    """As SKAB v0.9 scores change points: a window of window_s right of each true one, cut on its left by the window
    before; the first told inside earns 1 to -cost along a tanh, any told outside costs; 0 = silence, 100 = perfect."""
    windows, false, earned = 0, 0, np.zeros(len(COSTS))
    for one in experiments:
        told = one.time[one.told]
        end = np.iinfo(np.int64).min
        inside = np.zeros(len(told), bool)
        for begin in one.time[one.true].tolist():
            start, end = max(begin, end), begin + int(window_s * _SECOND)
            within = (told >= start) & (told <= end)
            inside |= within
            windows += 1
            first = told[within]
            earned += _earned((int(first[0]) - start) / (end - start)) if len(first) else [-fn for _, fn in COSTS]
        false += int((~inside).sum())
    raw = earned - [fp * false for fp, _ in COSTS]
    return scaled(raw, windows)


def scaled(raw: NDArray[np.float64], windows: int) -> Profiles:
    """Sums of what was earned, by profile, on the scale where silence is 0 and perfection 100; NaN without windows."""
    scale = [100 / ((1 + fn) * windows) if windows else np.nan for _, fn in COSTS]
    return Profiles(*(float((raw[i] + fn * windows) * scale[i]) for i, (_, fn) in enumerate(COSTS)))


def _earned(place: float) -> NDArray[np.float64]:
    """place: 0 at the left edge of a window, 1 at its right."""
    x = -np.pi / 2 + np.pi * min(int(place * _STEPS), _STEPS - 1) / (_STEPS - 1)
    fall = (1 - np.tanh(x) / np.tanh(np.pi / 2)) / 2
    return np.array([fall * (1 + fp) - fp for fp, _ in COSTS])


def _share(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")
