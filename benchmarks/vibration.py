"""Promise: the vibration detector keeps up with 100 accelerometers of 25.6 kHz on one core, and names the damaged part.

Run: `python -m benchmarks.vibration`. Waveforms are of the public bearing model (tests/bearing_signals.py), no data are
needed. Prints readings/s a core, windows over the limit of healthy machines, and of 12 trials a fault and share of
impacts how many were found and how many named the right part within ten windows.
"""

import sys
import time

import numpy as np

from forewarn.domain.assets import Asset, Signal
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.signal_table import SignalTable
from forewarn.plugins.detectors.vibration import Vibration
from tests.bearing_signals import BEARING, FAULTS, RATE_HZ, Array, impacts, machine

START = 1_700_000_000_000_000
SECOND = 1_000_000
N = int(RATE_HZ)
WORDS = {"outer": "BPFO", "inner": "BPFI", "ball": "BSF", "cage": "FTF"}
SPEEDS_HZ = (12.3, 24.7, 49.2)
NAMEPLATE = {"bearing_balls": BEARING.balls, "bearing_pitch_mm": BEARING.pitch_mm, "bearing_ball_mm": BEARING.ball_mm}


def plant(sensors: int) -> SignalTable:
    """Machines of one accelerometer (odd key) and a speed signal (even key) each."""
    signals, assets = [], {}
    for i in range(sensors):
        name = f"m{i}"
        signals.append(Signal(f"{name}.v", name, "v", "vibration_acceleration", "m/s2", key=2 * i + 1, rate_hz=RATE_HZ))
        signals.append(Signal(f"{name}.n", name, "n", "speed", "rpm", key=2 * i + 2, running_above=10.0))
        assets[name] = Asset(name, name, ("e", "s", "a", "l"), specifications=NAMEPLATE)
    return SignalTable.of(signals, assets)


def second(waves: Array, shaft_hz: float, number: int) -> ReadingBatch:
    """One second of every machine."""
    sensors = len(waves)
    offset = np.rint(np.arange(N) * 1e6 / RATE_HZ).astype(np.int64)
    begin = START + number * SECOND
    keys = np.arange(1, 2 * sensors + 1, dtype=np.int32)
    signal = np.repeat(keys, np.where(keys % 2, N, 1))
    when = np.concatenate([np.r_[offset, 0] for _ in range(sensors)]) + begin
    value = np.concatenate([np.r_[wave, shaft_hz * 60] for wave in waves])
    return ReadingBatch(signal, when, value, np.zeros(len(signal), np.uint32), "gw", number)


def speed_of_scoring(sensors: int = 8) -> None:
    detector = Vibration()
    detector.configure(plant(sensors))
    random = np.random.default_rng(0)
    batches = [second(random.normal(0, 1, (sensors, N)), 24.7, i) for i in range(6)]
    begun = time.process_time()
    for number in range(60):
        one = batches[number % 6]
        moved = ReadingBatch(one.signal, one.time + (number // 6) * 6 * SECOND, one.value, one.quality, "gw", number)
        detector.score(moved)
    spent = time.process_time() - begun
    rate = 60 * sensors * N / spent
    print(f"{sensors} sensors of 25.6 kHz: {rate / 1e6:.1f} M readings/s a core, or {rate / N:.0f} such sensors")


def healthy(machines: int = 20, seconds: int = 300) -> None:
    """Windows over the limit, after the warm-up."""
    hot = judged = 0
    for number in range(machines):
        detector = Vibration()
        detector.configure(plant(1))
        shaft = SPEEDS_HZ[number % 3]
        for start in range(0, seconds, 60):
            wave = machine(60, shaft, 1000 * number + start).reshape(60, N)
            for i in range(60):
                score = detector.score(second(wave[i : i + 1], shaft, start + i)).score
                judged += int((~np.isnan(score)).sum())
                hot += int((score > 0.5).sum())
    print(f"healthy machines: {hot} of {judged} windows over the limit")


def faults(trials: int = 12) -> None:
    print("| impacts / noise | " + " | ".join(FAULTS) + " |\n|---|" + "---|" * len(FAULTS))
    for share in (1.0, 0.5, 0.32, 0.22):
        cells = []
        for fault in FAULTS:
            told = [_trial(fault, share, number) for number in range(trials)]
            cells.append(f"{sum(t is not None for t in told)} found, {sum(t is True for t in told)} named")
        print(f"| {20 * np.log10(share):.0f} dB | " + " | ".join(cells) + " |", flush=True)


def _trial(fault: str, share: float, number: int) -> bool | None:
    """None = not found within ten windows; else whether the right part, and no other, is named."""
    shaft = SPEEDS_HZ[number % 3]
    detector = Vibration(settle_s=0.0)
    detector.configure(plant(1))
    calm = machine(62, shaft, 7 * number + 1)
    worn = machine(10, shaft, 7 * number + 2)
    worn += impacts(fault, 10, shaft, 7 * number + 3, share, resonance_hz=(2500.0, 4000.0, 7000.0)[number % 3])
    found = False
    for i, wave in enumerate(np.concatenate((calm, worn)).reshape(72, N)):
        score = detector.score(second(wave[None], shaft, i)).score
        found |= i >= 62 and bool((score > 0.5).any())
    if not found:
        return None
    reason = detector.explain(1, 0.0, 0.6, np.nan)
    return {w for w in WORDS.values() if w in reason} == {WORDS[fault]}


if __name__ == "__main__":
    speed_of_scoring()
    healthy()
    faults(*(int(given) for given in sys.argv[1:] if given.isdigit()))
