"""A machine's stored readings as rows, made in the same way as those that are scored."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forewarn.contracts.raw_ring import Recollection
from forewarn.domain.assets import Signal
from forewarn.domain.model_versions import Span
from forewarn.domain.readings import ReadingBatch
from forewarn.learning.fleet import holds
from forewarn.policies.machine_rows import GRACE, MachineRows

_LEAST_STEP_US: Final = 1_000_000


def step_of(signals: Sequence[Signal]) -> int:
    """Microseconds: the period of the signal that is read fastest, a second at least."""
    fastest = max((s.rate_hz for s in signals if s.rate_hz > 0), default=1.0)
    return max(_LEAST_STEP_US, round(1e6 / fastest))


def past_rows(
    past: Recollection, signals: Sequence[Signal], step_us: int, spans: Sequence[Span]
) -> NDArray[np.float64]:
    """float64[n, len(signals)]: the rows of each span, a break between two. What was read before a span is not used, so
    that its first rows may lack values."""
    keys = np.array([[s.key for s in signals]], np.int32)
    wanted = np.sort(keys[0])
    parts = []
    for span in spans:
        rows = MachineRows(keys, step_us, holds(signals, step_us)[None], 1)
        read = past.raw(wanted, span.start, span.end)
        # A reading beyond the end closes the last row.
        close = span.end + GRACE * step_us
        for signal, time, value, quality in (
            (read.signal, read.time, read.value, read.quality),
            (wanted[:1], np.array([close]), np.zeros(1), np.zeros(1, np.uint32)),
        ):
            batch = ReadingBatch(signal, time, value, quality, "", 0)
            parts += [block.value[0, 1:] for block in rows.take(batch)]
        parts.append(np.full((1, len(signals)), np.nan))
    return np.concatenate(parts[:-1]) if len(parts) > 1 else np.zeros((0, len(signals)))


def joined(parts: Sequence[NDArray[np.float64]], width: int) -> NDArray[np.float64]:
    """Stretches of rows, a break between two."""
    between = np.full((1, width), np.nan)
    rows = [rows for part in parts for rows in (part, between)]
    return np.concatenate(rows[:-1]) if rows else np.zeros((0, width))
