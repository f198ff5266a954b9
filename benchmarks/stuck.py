"""How soon the flatline detector sees a stuck sensor, and how often it is wrong.

Run: `FOREWARN_DATA=... python -m benchmarks.stuck`. Healthy: a day of the simulated plant at 1 Hz, every signal of
every machine given a flatline limit it would never reach, so that only learnt repeats speak; and every channel of
SKAB (a real pump test bed), as if the machine ran throughout. Stuck: each simulated signal is held from some moment on.
"""

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from forewarn.domain.assets import Signal
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.signal_table import SignalTable
from forewarn.plugins.detectors.flatline import Flatline
from forewarn.policies.plant_file import parse_plant
from forewarn.simulator.batches import history_batches
from forewarn.simulator.demo_plant import demo_machines
from forewarn.simulator.plant import SimulatedPlant
from forewarn.simulator.plant_toml import demo_plant_toml

_START = 1_790_000_000_000_000
_NEVER_S = 1e9
Found = NDArray[np.int64]


def judged(detector: Flatline, batches: Iterator[ReadingBatch], size: int) -> tuple[Found, Found, int]:
    """By signal: readings over the limit, time of the first of them (0 = none); and readings in all."""
    count, first, total = np.zeros(size, np.int64), np.zeros(size, np.int64), 0
    for batch in batches:
        ordered = batch.sorted_by_signal()
        hot = ordered.take(detector.score(ordered).score > 0.5)
        np.add.at(count, hot.signal, 1)
        new = np.flatnonzero(first[hot.signal] == 0)[::-1]
        first[hot.signal[new]] = hot.time[new]
        total += len(ordered)
    return count, first, total


def simulated(hours: float) -> None:
    toml = demo_plant_toml("opc.tcp://127.0.0.1:1/x", "127.0.0.1", 1, "127.0.0.1", 1)
    signals = [replace(s, key=i, flatline_s=_NEVER_S) for i, s in enumerate(parse_plant(toml, "demo").signals, 1)]
    table = SignalTable.of(signals)
    plant = SimulatedPlant(demo_machines(wear=False), 1, _START)
    plant.warm_up()
    detector = Flatline()
    detector.configure(table)
    steps = int(hours * 3600)
    batches = history_batches(plant, ((steps, 1_000_000),), table.key_of)
    count, _, total = judged(detector, batches, table.size)
    wrong = {signals[k - 1].id: int(count[k]) for k in np.flatnonzero(count)}
    print(f"simulated plant, {hours:g} h at 1 Hz, {len(signals)} signals: {total:,} readings, over the limit: {wrong}")
    held: dict[int, float] = {}
    stuck_at = plant.now_us
    later = history_batches(plant, ((600, 1_000_000),), table.key_of)
    _, first, _ = judged(detector, (_held(b, table, held) for b in later), table.size)
    running = [s for s in signals if s.key in held and s.running_above is None]
    delay = np.sort([(first[s.key] - stuck_at) / 1e6 if first[s.key] else np.inf for s in running])
    parts = ", ".join(f"{share:.0%} within {delay[int(share * (len(delay) - 1))]:.0f} s" for share in (0.5, 0.9, 1.0))
    print(f"each of {len(running)} signals held: seen {parts}")


def _held(batch: ReadingBatch, table: SignalTable, held: dict[int, float]) -> ReadingBatch:
    """Every signal but the speeds repeats its first value."""
    value = batch.value.copy()
    for key in np.unique(batch.signal):
        rows = np.flatnonzero(batch.signal == key)
        if np.isnan(table.running_above[key]):
            value[rows] = held.setdefault(int(key), float(value[rows[0]]))
    return ReadingBatch(batch.signal, batch.time, value, batch.quality, batch.gateway, batch.sequence)


def skab(folder: str) -> None:
    whole = pq.read_table(Path(folder) / "skab/skab_v0.9.parquet")
    outcome = SimpleNamespace(readings=0, wrong=0, spoken=0, channels=0)
    for name in sorted(set(whole["file"].to_pylist())):
        rows = whole.filter(pc.equal(whole["file"], name)).sort_by("datetime")
        time = pc.cast(rows["datetime"], pa.timestamp("us")).cast(pa.int64()).to_numpy()
        channels = [c for c in rows.column_names if c not in ("file", "datetime", "anomaly", "changepoint")]
        signals = [Signal(f"p.{c}", "p", c, "x", "", key=i, flatline_s=_NEVER_S) for i, c in enumerate(channels, 2)]
        speed = Signal("p.speed", "p", "speed", "speed", "rpm", key=1, running_above=1.0)
        detector = Flatline()
        detector.configure(SignalTable.of([speed, *signals]))
        n, k = len(time), len(channels) + 1
        value = np.concatenate([np.full(n, 1000.0), *(rows[c].to_numpy().astype(np.float64) for c in channels)])
        signal = np.repeat(np.arange(1, k + 1, dtype=np.int32), n)
        batch = ReadingBatch(signal, np.tile(time, k), value, np.zeros(n * k, np.uint32), "skab", 0)
        hot = detector.score(batch).score > 0.5
        outcome.readings += n * len(channels)
        outcome.wrong += int(np.count_nonzero(hot))
        outcome.channels += len(channels)
        outcome.spoken += sum(detector._repeats.limit(s.key) <= 60 for s in signals)
    print(
        f"SKAB: {outcome.readings:,} readings, {outcome.wrong} over the limit; at the end of the files "
        f"{outcome.spoken} of {outcome.channels} channels would be seen stuck within 60 readings"
    )


if __name__ == "__main__":
    simulated(float(sys.argv[1]) if len(sys.argv) > 1 else 24.0)
    data = os.environ.get("FOREWARN_DATA", "")
    if (Path(data) / "skab").is_dir():
        skab(data)
    else:
        print("FOREWARN_DATA names no folder with skab/skab_v0.9.parquet: SKAB not measured")
