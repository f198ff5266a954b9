"""The batch log alone: durable readings a second and how long an acknowledgement takes.

Run `python -m benchmarks.batch_log [--quick]`. Values are quantised to 0.01, times jittered by up to 1 ms.
"""

import argparse
import tempfile
import time
from collections import deque
from concurrent.futures import Future
from functools import partial
from pathlib import Path

import numpy as np

from forewarn.contracts.batch_log import Appended
from forewarn.domain.readings import ReadingBatch
from forewarn.plugins.batch_logs.sqlite_spool import SqliteSpool

SIGNALS = 10_000
CASES = ((10_000, 1), (10_000, 4), (10_000, 16), (1_000, 1), (1_000, 16), (1_000, 64))


def batches(readings: int, count: int) -> list[ReadingBatch]:
    """`count` batches as a gateway sends them: time-major, every signal once a second."""
    rng = np.random.default_rng(7)
    made = []
    for number in range(count):
        row = np.arange(number * readings, (number + 1) * readings)
        made.append(
            ReadingBatch(
                (row % SIGNALS + 1).astype(np.int32),
                1_750_000_000_000_000 + row // SIGNALS * 1_000_000 + rng.integers(0, 1_000, readings),
                np.round(rng.normal(50, 5, readings), 2),
                np.zeros(readings, np.uint32),
                "bench",
                number,
            )
        )
    return made


def note(took: list[float], sent: float, _: "Future[Appended]") -> None:
    took.append(time.perf_counter() - sent)


def run(readings: int, in_flight: int, seconds: float) -> tuple[float, float, float, float]:
    """Readings a second, p50 and p95 of the acknowledgement in ms, CPU microseconds a batch."""
    pool = batches(readings, 64)
    took: list[float] = []
    waiting: deque[Future[Appended]] = deque()
    with tempfile.TemporaryDirectory(prefix="forewarn-bench-") as folder:
        log = SqliteSpool(Path(folder))
        log.commit("line", 0)
        start, cpu, number = time.perf_counter(), time.process_time(), 0
        while time.perf_counter() - start < seconds:
            batch = pool[number % len(pool)]
            sent = time.perf_counter()
            future = log.append(
                ReadingBatch(batch.signal, batch.time, batch.value, batch.quality, batch.gateway, number)
            )
            future.add_done_callback(partial(note, took, sent))
            waiting.append(future)
            number += 1
            if len(waiting) >= in_flight:
                log.commit("line", waiting.popleft().result().offset)
        for future in waiting:
            future.result()
        elapsed, cpu = time.perf_counter() - start, time.process_time() - cpu
        log.close()
    p50, p95 = np.percentile(np.array(took) * 1_000, [50, 95])
    return number * readings / elapsed, float(p50), float(p95), cpu / number * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="half a second a case instead of four")
    seconds = 0.5 if parser.parse_args().quick else 4.0
    print("batch log: sqlite_spool, fsync before every acknowledgement")
    print(" readings/batch  in flight  M readings/s  ack p50 ms   p95 ms  CPU us/batch")
    for readings, in_flight in CASES:
        rate, p50, p95, cpu = run(readings, in_flight, seconds)
        print(f"{readings:>15,}{in_flight:>11}{rate / 1e6:>14.2f}{p50:>12.2f}{p95:>9.2f}{cpu:>14.0f}")


if __name__ == "__main__":
    main()
