"""Bytes a reading takes at rest, for what plants send and for what no store can make small.

`python -m benchmarks.sizes [--quick]`
"""

import argparse
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.readings import ReadingBatch
from forewarn.plugins.historians.parquet import ParquetHistorian

SECOND: Final = 1_000_000
HOUR: Final = 3600 * SECOND
START: Final = 1_750_000_000 * SECOND // (86_400 * SECOND) * 86_400 * SECOND


def _levels(signals: int) -> NDArray[np.float64]:
    levels: NDArray[np.float64] = np.random.default_rng(5).uniform(20, 80, signals)
    return levels


def quantised(rng: np.random.Generator, seconds: int, signals: int) -> NDArray[np.float64]:
    """A slow walk with a step of about the display's last digit, shown to 0.01 (what most transmitters send)."""
    level = _levels(signals)
    steps = rng.normal(0, 0.01, (seconds, signals))
    steps[0] = 0
    walk: NDArray[np.float64] = np.round(level + np.cumsum(steps, axis=0), 2)
    return walk


def noisy_quantised(rng: np.random.Generator, seconds: int, signals: int) -> NDArray[np.float64]:
    """White noise of ten last digits around a fixed level, shown to 0.01."""
    noise: NDArray[np.float64] = np.round(_levels(signals) + rng.normal(0, 0.1, (seconds, signals)), 2)
    return noise


def single_precision(rng: np.random.Generator, seconds: int, signals: int) -> NDArray[np.float64]:
    """A float32 in all its bits: white noise of 0.2 around a level of 20 to 80."""
    level = _levels(signals)
    return (level + rng.normal(0, 0.2, (seconds, signals))).astype(np.float32).astype(np.float64)


def wild_single_precision(rng: np.random.Generator, seconds: int, signals: int) -> NDArray[np.float64]:
    """The same with five times the noise: 20 random bits a reading."""
    level = _levels(signals)
    return (level + rng.normal(0, 1, (seconds, signals))).astype(np.float32).astype(np.float64)


def double_precision(rng: np.random.Generator, seconds: int, signals: int) -> NDArray[np.float64]:
    """White noise in all 53 bits of a float64: what no store can make small."""
    noise: NDArray[np.float64] = _levels(signals) + rng.normal(0, 1, (seconds, signals))
    return noise


KINDS: Final = {
    "quantised to 0.01, slow walk": (quantised, 0),
    "quantised to 0.01, white noise of 10 digits": (noisy_quantised, 0),
    "float32 noise of 0.2, times jittered 0-19 ms": (single_precision, 20),
    "float32 noise of 1, times jittered 0-99 ms": (wild_single_precision, 100),
    "float64 noise of 1, times jittered 0-99 ms": (double_precision, 100),
}


def batches(kind: str, signals: int, seconds: int, *, start: int = START) -> Iterator[tuple[int, ReadingBatch]]:
    """One batch of all signals a second at 1 Hz, offsets from 1."""
    values, jitter_ms = KINDS[kind]
    rng = np.random.default_rng(7)
    keys = np.arange(1, signals + 1, dtype=np.int32)
    quality = np.zeros(signals, np.uint32)
    for block in range(0, seconds, 600):
        block_seconds = min(600, seconds - block)
        value = values(rng, block_seconds, signals)
        for i in range(block_seconds):
            jitter = rng.integers(0, jitter_ms, signals) * 1000 if jitter_ms else 0
            time = np.full(signals, start + (block + i) * SECOND, np.int64) + jitter
            yield block + i + 1, ReadingBatch(keys, time, value[i], quality, "bench", block + i)


def at_rest(root: Path, signals: int) -> None:
    """One hour of `signals` at 1 Hz, flushed as it comes, then merged as a closed hour is."""
    print(f"{f'{signals:,} signals x 1 h at 1 Hz, bytes a reading':50s} raw   with rollups")
    n = signals * 3600
    one, later = np.array([1], np.int32), np.array([START + 2 * HOUR], np.int64)
    closing = ReadingBatch(one, later, np.zeros(1), np.zeros(1, np.uint32), "bench", 3601)
    for kind in KINDS:
        folder = root / str(len(list(root.iterdir())))
        store = ParquetHistorian(folder, grace_s=0.0)
        for item in batches(kind, signals, 3600):
            store.append([item])
        store.flush()
        store.append([(3601, closing)])
        store.flush()
        store.merge()
        store.close()
        used = {
            part: sum(f.stat().st_size for f in (folder / part).rglob("*.parquet"))
            for part in ("raw", "minute", "hour")
        }
        print(f"{kind:48s} {used['raw'] / n:6.3f} {sum(used.values()) / n:8.3f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="1,000 signals instead of 10,000")
    root = Path(tempfile.mkdtemp(prefix="forewarn-sizes-"))
    try:
        at_rest(root, 1_000 if parser.parse_args().quick else 10_000)
    finally:
        shutil.rmtree(root)


if __name__ == "__main__":
    main()
