"""The embedded historian alone: append and flush, queries idle and under load.

`python -m benchmarks.historian [--quick]` prints a table. Times are of this machine as loaded as it is.
"""

import argparse
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.sizes import KINDS, SECOND, START, batches
from forewarn.domain.readings import ReadingBatch
from forewarn.plugins.historians.parquet import ParquetHistorian

HOUR, DAY = 3600 * SECOND, 86_400 * SECOND


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the data")
    quick = parser.parse_args().quick
    root = Path(tempfile.mkdtemp(prefix="forewarn-historian-"))
    try:
        append_and_flush(root, 100 if quick else 600)
        queries(root, quick)
    finally:
        shutil.rmtree(root)


def append_and_flush(root: Path, seconds: int) -> None:
    """Batches of 10,000 readings until all is sorted, encoded, rolled up and fsynced."""
    print(f"{'appended and flushed, 10,000 signals':48s} readings/s")
    for number, kind in enumerate(KINDS):
        load_ = list(batches(kind, 10_000, seconds))
        store = ParquetHistorian(root / f"append{number}")
        began = time.perf_counter()
        for item in load_:
            store.append([item])
        store.flush()
        print(f"{kind:48s} {seconds * 10_000 / (time.perf_counter() - began) / 1e6:6.2f} M", flush=True)
        store.close()


def queries(root: Path, quick: bool) -> None:
    """7 days of 100 signals at 0.1 Hz, the last of 10 signals at 1 Hz, and a fleet of 20 M readings in 2,000 s."""
    fleet = 1_000 if quick else 10_000
    store = ParquetHistorian(root / "queries")
    end = load(store, fleet)
    rng = np.random.default_rng(3)
    hundred = np.arange(20_001, 20_101, dtype=np.int32)
    asked: dict[str, Callable[[], int]] = {
        "latest of 100 signals": lambda: len(store.latest(rng.integers(1, fleet, 100, np.int32))),
        "1 day x 1 signal at 1 Hz, minutes": lambda: len(
            store.aggregate(rng.integers(30_001, 30_011, 1, np.int32), end - DAY, end, 60 * SECOND)
        ),
        "... start and end anywhere": lambda: len(
            store.aggregate(rng.integers(30_001, 30_011, 1, np.int32), end - DAY + 777, end - 777, 60 * SECOND)
        ),
        "7 days x 100 signals, hours": lambda: len(store.aggregate(hundred, end - 7 * DAY, end, HOUR)),
        "1 hour x 1 signal raw": lambda: len(store.raw(np.array([30_003], np.int32), end - HOUR, end)),
        "newest 1,000 of a signal": lambda: len(store.raw(np.array([30_003], np.int32), 0, end, 1000)),
        f"{fleet * 2000 / 1e6:.0f} M rows, fleet, hours from raw": lambda: len(
            store.aggregate(np.arange(1, fleet + 1, dtype=np.int32), end - HOUR, end, HOUR + SECOND)
        ),
    }
    for mode in ("idle", "while 50,000 readings/s come in"):
        stop = threading.Event()
        writer = threading.Thread(target=write_steadily, args=(store, fleet, end, stop))
        if mode != "idle":
            writer.start()
            time.sleep(3)
        print(f"\n{mode:48s} rows    p50 ms    p95 ms")
        for name, question in asked.items():
            rows, p50, p95 = measured(question, 10 if "fleet" in name else 60)
            print(f"{name:44s} {rows:8,d} {p50:9.2f} {p95:9.2f}", flush=True)
        stop.set()
        if mode != "idle":
            writer.join()
    store.close()


def load(store: ParquetHistorian, fleet: int) -> int:
    """Fill the store; the end of the loaded span."""
    end = START + 8 * DAY
    rng = np.random.default_rng(1)
    offset = 0
    for keys, span, step in (
        (np.arange(20_001, 20_101), 7 * DAY, 10 * SECOND),
        (np.arange(30_001, 30_011), DAY, SECOND),
        (np.arange(1, fleet + 1), 2000 * SECOND, SECOND),
    ):
        instants = np.arange(end - span, end, step)
        for part in np.array_split(instants, max(1, len(instants) * len(keys) // 500_000)):
            offset += 1
            time_us = np.repeat(part, len(keys))
            value = np.round(rng.normal(50, 0.5, len(time_us)), 2)
            signal = np.tile(keys, len(part)).astype(np.int32)
            quality = np.zeros(len(signal), np.uint32)
            store.append([(offset, ReadingBatch(signal, time_us, value, quality, "bench", offset))])
    store.flush()
    store.merge()
    return end


def write_steadily(store: ParquetHistorian, fleet: int, at: int, stop: threading.Event) -> None:
    """50,000 readings a second in batches of 10,000, after what was loaded."""
    rng = np.random.default_rng(2)
    signal = np.resize(np.arange(1, fleet + 1, dtype=np.int32), 10_000)
    repeats = np.arange(10_000) // fleet
    offset = store.watermark
    began = time.monotonic()
    while not stop.is_set():
        offset += 1
        time_us = at + offset * 200_000 + repeats * 10_000
        value = np.round(rng.normal(50, 0.5, 10_000), 2)
        store.append([(offset, ReadingBatch(signal, time_us, value, np.zeros(10_000, np.uint32), "bench", offset))])
        began += 0.2
        stop.wait(max(0.0, began - time.monotonic()))


def measured(question: Callable[[], int], times: int) -> tuple[int, float, float]:
    rows, took = question(), []
    for _ in range(times):
        began = time.perf_counter()
        question()
        took.append((time.perf_counter() - began) * 1e3)
    return rows, statistics.median(took), float(np.quantile(took, 0.95))


if __name__ == "__main__":
    main()
