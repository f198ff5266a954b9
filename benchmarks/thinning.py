"""What thinning saves on the plant's normal day, what error it costs, and what it costs to do.

Run: `python -m benchmarks.thinning [--quick]` (a day of the simulated plant without faults, once a second; quick: one
hour). Bytes are those of the parcels' bodies, as the outbox holds them and the wire carries them.
"""

import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import zstandard

from forewarn.contracts.outbox import ParcelKind
from forewarn.contracts.stage import Carriage
from forewarn.domain.assets import Signal
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.series import Series
from forewarn.domain.signal_table import SignalTable
from forewarn.gateway import wire
from forewarn.gateway.outbox import SqliteOutbox
from forewarn.pipeline.thin import ThinSettings, ThinStage
from forewarn.policies.plant_file import parse_plant
from forewarn.policies.series_rows import together
from forewarn.policies.thinning import Thinning
from forewarn.policies.thinning_plan import Method, ThinPlan, ThinRule
from forewarn.policies.whole_stretches import WholeStretches
from forewarn.simulator.history import write_history

HOURS = 1 if "--quick" in sys.argv else 24
START_US = 1_767_225_600_000_000
USUAL = WholeStretches()


class Plant:
    """PlantView of the plant file that the simulator writes."""

    revision = 1

    def __init__(self, folder: Path) -> None:
        plant = parse_plant((folder / "plant.toml").read_text("utf-8"), "plant.toml")
        self.assets = {asset.id: asset for asset in plant.assets}
        self._signals = [replace(signal, key=key) for key, signal in enumerate(plant.signals, 1)]
        self.table = SignalTable.of(self._signals)

    def signals_of(self, asset_id: str) -> Sequence[Signal]:
        return [s for s in self._signals if s.asset_id == asset_id]


class NoLog:
    def read(self, after: int, max_readings: int) -> Sequence[tuple[int, ReadingBatch]]:
        return []


class Clock:
    now = START_US

    def __call__(self) -> int:
        return self.now


def seconds_of(folder: Path, plant: Plant) -> Iterator[ReadingBatch]:
    """One batch a second, ordered by signal."""
    for file in sorted(folder.glob("*.parquet")):
        table = pq.read_table(file)
        names = table["signal_id"].combine_chunks()
        key = np.array([plant.table.key_of[name] for name in names.dictionary.to_pylist()], np.int32)
        signal = key[names.indices.to_numpy()]
        at = table["time"].cast("int64").to_numpy()
        value, quality = table["value"].to_numpy(), table["quality"].to_numpy()
        edges = np.flatnonzero(np.diff(at, prepend=-1))
        for start, stop in zip(edges, [*edges[1:], len(at)], strict=True):
            order = start + np.argsort(signal[start:stop], kind="stable")
            yield ReadingBatch(signal[order], at[order], value[order], quality[order], "gw", int(start))


def sent(
    batches: Sequence[ReadingBatch], plant: Plant, rule: ThinRule, settings: ThinSettings
) -> tuple[int, Series, float]:
    """Bytes of all parcels, the readings in them, and seconds of CPU."""
    folder = Path(tempfile.mkdtemp())
    clock = Clock()
    outbox = SqliteOutbox(folder, clock=clock)
    stage = ThinStage(outbox, wire.Wire(), plant, lambda t: ThinPlan.of(t, rule), NoLog(), clock, settings)
    began = time.process_time()
    for offset, batch in enumerate(batches, 1):
        clock.now = int(batch.time[0]) + 100_000
        stage.handle(Carriage(offset, offset, [(offset, batch)], batch))
    stage.close()
    spent = time.process_time() - began
    size, after, parts = 0, 0, []
    while parcels := outbox.pending(after, 2**62, 2**26):
        size += sum(len(p.packed.body) for p in parcels)
        after = parcels[-1].number
        parts += [wire.decode_readings(p.packed.body) for p in parcels if p.packed.kind is ParcelKind.READINGS]
    if not outbox.sums().adds_up:
        raise RuntimeError(f"the ledger does not add up: {outbox.sums()}")
    outbox.close()
    shutil.rmtree(folder)
    return size, together(parts), spent


def errors(batches: Sequence[ReadingBatch], kept: Series, plan: ThinPlan, percent: float) -> tuple[float, float]:
    """Greatest and root mean square distance of the good readings from the line between kept ones, as percent of what
    the rule's percent is of; of signals that have such a span."""
    worst, squares, count = 0.0, 0.0, 0
    whole = ReadingBatch.concatenate(batches)
    order = np.argsort(whole.signal, kind="stable")
    signal, at, value, quality = whole.signal[order], whole.time[order], whole.value[order], whole.quality[order]
    for key in np.flatnonzero(plan.error > 0):
        mine = slice(*np.searchsorted(signal, (key, key + 1)))
        of_kept = slice(*np.searchsorted(kept.signal, (key, key + 1)))
        good = (quality[mine] >> 30 == 0) & np.isfinite(value[mine]) & (at[mine] <= kept.time[of_kept][-1])
        line = np.interp(at[mine][good], kept.time[of_kept], kept.value[of_kept])
        off = np.abs(line - value[mine][good]) / plan.error[key] * percent
        near = off[np.isfinite(off)]  # beside a kept bad reading there is no line
        worst, squares, count = max(worst, float(near.max(initial=0))), squares + float(near @ near), count + len(near)
    return worst, float(np.sqrt(squares / max(count, 1)))


def the_day(folder: Path) -> None:
    write_history(folder, HOURS / 24, 1.0, 7, START_US + HOURS * 3_600_000_000, faults=False)
    plant = Plant(folder)
    batches = list(seconds_of(folder, plant))
    hour = batches[:3_600]
    product = ThinSettings()
    print(f"{int(plant.table.known.sum())} signals at 1 Hz, {len(batches):,} s; parcels as the product makes them")
    rows = sum(map(len, hour))
    live = sent(hour, plant, ThinRule(Method.NONE), product)[0] / rows
    slow = sent(hour, plant, ThinRule(Method.NONE), replace(product, fill_rows=10**9))[0] / rows
    print(f"not thinned: {live:.2f} bytes a reading (a parcel a second), {slow:.2f} in parcels of 10 s")
    show(batches, plant, ThinRule(), live, slow)
    for whole in (WholeStretches(0), WholeStretches(90, 600)):
        show(hour, plant, ThinRule(), live, slow, whole)
    for rule in (
        ThinRule(percent=0.25),
        ThinRule(percent=1.0),
        ThinRule(Method.DEADBAND),
        ThinRule(Method.MINUTES),
    ):
        show(hour, plant, rule, live, slow)


def show(
    batches: Sequence[ReadingBatch],
    plant: Plant,
    rule: ThinRule,
    live: float,
    slow: float,
    whole: WholeStretches = USUAL,
) -> None:
    """live, slow: bytes a reading that is not thinned, in parcels of a second and of ten."""
    size, kept, spent = sent(batches, plant, rule, ThinSettings(whole=whole))
    rows = sum(map(len, batches))
    hours = len(batches) / 3600
    print(
        f"{rule.method.name.lower()} {rule.percent} % of range, whole {whole.seconds} s in {whole.every_s} s, "
        f"{hours:.0f} h: {len(kept) / rows:.2%} kept, "
        f"{size:,} bytes, {size / rows:.3f} a reading: {1 - size / rows / live:.1%} less than a parcel a second, "
        f"{1 - size / rows / slow:.1%} less than a parcel in 10 s; {spent / rows * 1e6:.2f} us CPU a reading"
    )
    if rule.method is Method.SWINGING_DOOR:
        worst, rms = errors(batches, kept, ThinPlan.of(plant.table, rule), rule.percent)
        print(f"    error bound {rule.percent} %, greatest {worst:.3f} %, RMS {rms:.3f} %")


def speed() -> None:
    """Of the policy alone, 1,000 signals."""
    n = 1_000
    table = SignalTable.of(
        Signal(f"a.{k}", "a", str(k), "t", "", key=k, range_low=0, range_high=100) for k in range(1, n + 1)
    )
    rng = np.random.default_rng(0)
    for method in (Method.DEADBAND, Method.SWINGING_DOOR, Method.MINUTES):
        for each in (1, 10):
            thinning, spent, rounds = Thinning(ThinPlan.of(table, ThinRule(method))), 0.0, 400 // each
            signal = np.repeat(np.arange(1, n + 1, dtype=np.int32), each)
            full = np.zeros(n * each, np.bool_)
            for i in range(rounds):
                at = START_US + np.tile((np.arange(each) + i * each) * 1_000_000, n)
                batch = ReadingBatch(signal, at, rng.normal(50, 0.2, n * each), np.zeros(n * each, np.uint32), "g", i)
                began = time.process_time()
                thinning.take(batch, full, at[0])
                spent += time.process_time() - began
            rate = rounds * n * each / spent / 1e6
            print(f"{method.name.lower():13s} 1,000 signals x {each:2d} a batch: {rate:6.1f} M readings/s a core")


def levels() -> None:
    """Bytes a raw reading on the wire: 1,000 signals at 1 Hz, a phase and 20 ms of jitter each, 1 % noise."""
    rng = np.random.default_rng(1)
    for seconds in (1, 10):
        signal = np.repeat(np.arange(1, 1001, dtype=np.int32), seconds)
        at = np.tile(np.arange(seconds) * 1_000_000, 1000) + np.repeat(rng.integers(0, 1_000_000, 1000), seconds)
        at = START_US + at + rng.normal(0, 20_000, len(signal)).astype(np.int64)
        value = np.repeat(rng.uniform(1, 500, 1000), seconds) * (1 + 0.01 * rng.normal(size=len(signal)))
        for name, shown in (
            ("float32", value.astype(np.float32).astype(np.float64)),
            ("2 decimals", np.round(value, 2)),
        ):
            series = Series(signal, at, shown, np.zeros(len(signal), np.uint32))
            body = wire.encode_readings(series)
            plain = zstandard.ZstdDecompressor().decompress(body)
            sizes = [len(zstandard.ZstdCompressor(level=k).compress(plain)) / len(signal) for k in (1, 3, 9)]
            began = time.process_time()
            for _ in range(20):
                wire.encode_readings(series)
            rate = 20 * len(signal) / (time.process_time() - began) / 1e6
            print(
                f"parcel of {seconds:2d} s, {name:10s}: {len(body) / len(signal):5.2f} bytes a reading "
                f"(zstd 1, 3, 9: {', '.join(f'{s:.2f}' for s in sizes)}), {rate:5.1f} M readings/s a core to encode"
            )


def main() -> None:
    levels()
    speed()
    folder = Path(tempfile.mkdtemp())
    try:
        the_day(folder)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
