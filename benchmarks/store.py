"""Store alone: 10,000-reading batches through the batch log (fsync, then acknowledge) into the historian."""

import argparse
import tempfile
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np

from forewarn.contracts.batch_log import BatchLog
from forewarn.contracts.historian import Historian
from forewarn.domain.readings import ReadingBatch
from forewarn.plugins.batch_logs.sqlite_spool import BATCH_LOG
from forewarn.plugins.historians.parquet import HISTORIAN

SIGNALS = 10_000
IN_FLIGHT = 4
START = 1_760_000_000_000_000


def batches(count: int) -> list[ReadingBatch]:
    """One reading of every signal a batch, one second apart, quantised to 0.01 as instruments do."""
    rng = np.random.default_rng(7)
    signal = np.arange(1, SIGNALS + 1, dtype=np.int32)
    level = rng.uniform(1, 100, SIGNALS)
    quality = np.zeros(SIGNALS, np.uint32)
    made = []
    for n in range(count):
        level += rng.normal(0, 0.05, SIGNALS)
        time_us = np.full(SIGNALS, START + n * 1_000_000, np.int64)
        made.append(ReadingBatch(signal, time_us, np.round(level, 2), quality, "bench", n))
    return made


def walk(log: BatchLog, historian: Historian, last: int) -> None:
    """What the line does: take what lies in the log and hand it to the historian, until batch `last`."""
    done = 0
    while done < last:
        if log.wait(done, 1.0) and (taken := log.read(done, 50 * SIGNALS)):
            historian.append(taken)
            done = taken[-1][0]
            log.commit("line", historian.watermark)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    load = batches(400 if quick else 3000)
    with tempfile.TemporaryDirectory() as folder:
        log = BATCH_LOG(Path(folder) / "log")
        historian = HISTORIAN(Path(folder) / "historian")
        log.commit("line", 0)
        line = threading.Thread(target=walk, args=(log, historian, len(load)))
        line.start()
        waits: list[float] = []
        room = threading.Semaphore(IN_FLIGHT)

        def answered(sent: float, _: object) -> None:
            waits.append(time.perf_counter() - sent)
            room.release()

        began = time.perf_counter()
        for batch in load:
            room.acquire()
            log.append(batch).add_done_callback(partial(answered, time.perf_counter()))
        for _ in range(IN_FLIGHT):
            room.acquire()
        acknowledged = time.perf_counter() - began
        line.join()
        historian.flush()
        stored = time.perf_counter() - began
        size = historian.size()
        readings = len(load) * SIGNALS
        historian.close()
        log.close()
    p50, p95, p99 = np.percentile(waits, [50, 95, 99]) * 1e3
    print(f"{readings / 1e6:.1f} M readings in {len(load)} batches of {SIGNALS}, {IN_FLIGHT} in flight")
    print(f"acknowledged (fsync)     {readings / acknowledged / 1e6:6.2f} M readings/s   wanted 5")
    print(f"segments written too     {readings / stored / 1e6:6.2f} M readings/s")
    print(f"acknowledgement          p50 {p50:.2f}  p95 {p95:.2f}  p99 {p99:.2f} ms   wanted p95 <= 10")
    print(f"at rest                  {size.bytes / readings:6.2f} bytes a reading, rollups included")


if __name__ == "__main__":
    main()
