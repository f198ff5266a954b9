"""Batches whose content says which they are, so that a test can tell them apart after any crash."""

import numpy as np

from forewarn.domain.readings import ReadingBatch


def batch(sequence: int, gateway: str = "gw", readings: int = 3) -> ReadingBatch:
    """Row i of batch s: signal i + 1, time s * 1000 + i, value s + i / 8, good."""
    row = np.arange(readings)
    return ReadingBatch(
        (row + 1).astype(np.int32),
        sequence * 1_000 + row.astype(np.int64),
        sequence + row / 8,
        np.zeros(readings, np.uint32),
        gateway,
        sequence,
    )


def same(a: ReadingBatch, b: ReadingBatch) -> bool:
    return a.sequence == b.sequence and same_rows(a, b)


def same_rows(a: ReadingBatch, b: ReadingBatch) -> bool:
    columns = ("signal", "time", "value", "quality")
    return a.gateway == b.gateway and all(getattr(a, name).tobytes() == getattr(b, name).tobytes() for name in columns)
