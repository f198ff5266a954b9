"""The shaft speed as of a source time: of the speed signal, of the nameplate, or unknown."""

import numpy as np

from forewarn.domain.assets import Asset, Signal
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.signal_table import SignalTable
from forewarn.domain.status import BAD_SENSOR_FAILURE
from forewarn.policies.shaft_speed import ShaftSpeed

PATH = ("e", "s", "a", "l")


def table(unit: str = "rpm") -> SignalTable:
    """1 turns at 2's speed; 3 has its nameplate only; 4 has nothing."""
    signals = (
        Signal("m.v", "m", "v", "vibration_acceleration", "g", key=1),
        Signal("m.n", "m", "n", "speed", unit, key=2, running_above=1.0),
        Signal("r.v", "r", "v", "vibration_acceleration", "g", key=3),
        Signal("x.v", "x", "v", "vibration_acceleration", "g", key=4),
    )
    rated = Asset("r", "R", PATH, specifications={"rated_speed_rpm": 2970})
    return SignalTable.of(signals, {"m": Asset("m", "M", PATH), "r": rated})


def speeds(time: list[int], rpm: list[float], bad: int = -1) -> ReadingBatch:
    quality = np.zeros(len(time), np.uint32)
    if bad >= 0:
        quality[bad] = BAD_SENSOR_FAILURE
    return ReadingBatch(
        np.full(len(time), 2, np.int32), np.array(time, np.int64), np.array(rpm, np.float64), quality, "g", 0
    )


def asked(speed: ShaftSpeed, batch: ReadingBatch, *at: int, signal: int = 1) -> list[float]:
    hertz = speed.as_of(batch, np.full(len(at), signal, np.int32), np.array(at, np.int64))
    return [float(h) for h in hertz]


def following(unit: str = "rpm") -> ShaftSpeed:
    speed = ShaftSpeed()
    speed.configure(table(unit))
    return speed


def test_the_last_good_reading_at_or_before_counts_over_batches() -> None:
    speed = following()
    assert np.isnan(asked(speed, speeds([], []), 5)).all()
    found = asked(speed, speeds([10, 20, 30, 40], [600, -1200, 9e9, 1800], bad=2), 9, 10, 19, 20, 39, 40, 99)
    assert np.isnan(found[0])
    assert found[1:] == [10.0, 10.0, 20.0, 20.0, 30.0, 30.0]
    assert asked(speed, speeds([], []), 1000) == [30.0]
    assert asked(speed, speeds([15], [60]), 1000) == [30.0]  # older than what was seen
    assert asked(speed, speeds([1001], [3000]), 1000, 1001) == [30.0, 50.0]


def test_units_the_nameplate_and_what_is_unknown() -> None:
    assert asked(following("Hz"), speeds([1], [25.0]), 2) == [25.0]
    assert np.isnan(asked(following("m/s"), speeds([1], [2.5]), 2)).all()
    assert asked(following(), speeds([1], [600.0]), 2, signal=3) == [49.5]
    assert np.isnan(asked(following(), speeds([1], [600.0]), 2, signal=4)).all()
