"""Readings to store: what a plant's columns look like, for the historian's benchmark."""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.readings import ReadingBatch

SECOND: Final = 1_000_000
START: Final = 1_750_000_000 * SECOND // (86_400 * SECOND) * 86_400 * SECOND


def quantised(rng: np.random.Generator, seconds: int, signals: int) -> NDArray[np.float64]:
    """A slow walk with a step of about the display's last digit, shown to 0.01 (what most transmitters send)."""
    level = rng.uniform(20, 80, signals)
    steps = rng.normal(0, 0.01, (seconds, signals))
    steps[0] = 0
    walk: NDArray[np.float64] = np.round(level + np.cumsum(steps, axis=0), 2)
    return walk


def noisy_quantised(rng: np.random.Generator, seconds: int, signals: int) -> NDArray[np.float64]:
    """White noise of ten last digits around a fixed level, shown to 0.01."""
    noise: NDArray[np.float64] = np.round(rng.uniform(20, 80, signals) + rng.normal(0, 0.1, (seconds, signals)), 2)
    return noise


def single_precision(rng: np.random.Generator, seconds: int, signals: int) -> NDArray[np.float64]:
    """White noise in all 24 bits of a float32."""
    return (rng.uniform(20, 80, signals) + rng.normal(0, 1, (seconds, signals))).astype(np.float32).astype(np.float64)


def double_precision(rng: np.random.Generator, seconds: int, signals: int) -> NDArray[np.float64]:
    """White noise in all 53 bits of a float64: what no store can make small."""
    noise: NDArray[np.float64] = rng.uniform(20, 80, signals) + rng.normal(0, 1, (seconds, signals))
    return noise


KINDS: Final = {
    "quantised to 0.01, slow walk": (quantised, 0),
    "quantised to 0.01, white noise of 10 digits": (noisy_quantised, 0),
    "float32-exact noise, time jittered by ms": (single_precision, 1000),
    "float64 noise, time jittered by ms": (double_precision, 1000),
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
            jitter = rng.integers(0, jitter_ms, signals) // 10 * 1000 if jitter_ms else 0
            time = np.full(signals, start + (block + i) * SECOND, np.int64) + jitter
            yield block + i + 1, ReadingBatch(keys, time, value[i], quality, "bench", block + i)
