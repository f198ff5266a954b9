"""What was found in a vibration, in one sentence."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.quantity import shown
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
)
from forewarn.policies.zones import Zones

Row = NDArray[np.float64]
ZONE: Final = COUNT  # the column after the features
_BEARING: Final = {
    OUTER: "BPFO, as from a damaged outer race",
    INNER: "BPFI, as from a damaged inner race",
    BALL: "twice BSF, as from a damaged rolling element",
    CAGE: "FTF, as from a damaged cage",
}
_LEVEL: Final = {
    VELOCITY: ("velocity {} RMS where {} is usual", "mm/s"),
    ACCELERATION: ("acceleration {} RMS where {} is usual", "m/s2"),
    CREST: ("crest factor {} where {} is usual", ""),
    KURTOSIS: ("kurtosis {} where {} is usual, as from knocks", ""),
    ONCE: ("velocity at shaft speed {} RMS where {} is usual, as from imbalance", "mm/s"),
    TWICE: ("velocity at twice shaft speed {} RMS where {} is usual, as from misalignment or looseness", "mm/s"),
}
_MOST_PARTS: Final = 3


def found_in(ratio: Row, value: Row, usual: Row, hertz: Row, band_hz: Row, shaft_hz: float, zones: Zones | None) -> str:
    """ratio: to its limit, by feature and ZONE last; value, usual, hertz, band_hz: by feature."""
    parts = [_part(f, value, usual, hertz, band_hz, shaft_hz) for f in ranked(ratio)[:_MOST_PARTS]]
    if zones is not None and value[VELOCITY] > zones.b_c:
        velocity = float(value[VELOCITY])
        parts.append(f"velocity {shown(velocity, 'mm/s')} RMS is ISO {zones.standard} zone {zones.zone(velocity)}")
    return "; ".join(parts) or "nothing unusual in the last window of vibration"


def ranked(ratio: Row) -> list[int]:
    """Features over their limit, by how far over; first the strongest bearing line, as it names a part. The other
    bearing lines and the nameless one are left out beside it: their harmonics meet, and a damaged ball shows its
    cage."""
    over = sorted((f for f in range(COUNT) if ratio[f] > 1.0), key=lambda f: -ratio[f])
    lines = [f for f in over if f in _BEARING]
    rest = [f for f in over if f not in _BEARING and not (lines and f == ENVELOPE)]
    return lines[:1] + rest


def _part(feature: int, value: Row, usual: Row, hertz: Row, band_hz: Row, shaft_hz: float) -> str:
    now, before = float(value[feature]), float(usual[feature])
    if feature in _LEVEL:
        words, unit = _LEVEL[feature]
        return words.format(shown(now, unit, apart_from=before), shown(before, unit, apart_from=now))
    low = float(band_hz[feature])
    line = f"{shown(float(hertz[feature]), 'Hz')} in the envelope of {low:.0f}-{2 * low:.0f} Hz"
    times = f"{now / max(before, 1e-9):.1f} times its healthy level"
    if feature in _BEARING:
        return f"{line} is {_BEARING[feature]}, {times}"
    turns = f" ({hertz[feature] / shaft_hz:.2f} times shaft speed)" if shaft_hz > 0 else ""
    return f"knocks repeat at {line}{turns}, {times}"
