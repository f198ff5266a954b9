"""What a signal's unit is held against: its healthy range as the machine's model knows it, all ways of running
together."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.signal_table import SignalTable
from forewarn.learning.machine_model import MachineModel
from forewarn.policies.unit_change import HealthyRange, UnitChanges
from forewarn.policies.unit_conversions import Conversion, conversions

_ALIKE = 0.01


def unit_changes(models: Sequence[MachineModel], keys: NDArray[np.int32], table: SignalTable) -> UnitChanges:
    """keys: int32[models, m] of their signals."""
    ranges = [_range(model) for model in models]
    parts = (np.stack(part) for part in zip(*ranges, strict=True))
    known = [
        [
            conversions(unit, signal.kind if (signal := table.signals[key]) is not None else "")
            for unit, key in zip(model.units, row, strict=True)
        ]
        for model, row in zip(models, keys.tolist(), strict=True)
    ]
    return UnitChanges(HealthyRange(*parts), known)


def nearest(known: Sequence[Conversion], value: float, healthy: float) -> int:
    """Which of them makes `value` of `healthy`; -1 where none does."""
    off = [abs(c.factor * healthy + c.offset - value) / max(abs(value), 1e-300) for c in known]
    best = int(np.argmin(off)) if off else -1
    return best if best >= 0 and off[best] < _ALIKE else -1


def _range(model: MachineModel) -> tuple[NDArray[np.float64], ...]:
    """low, high, centre, step; the centre of the regime that was seen most."""
    most = max(range(len(model.ensembles)), key=lambda code: 0 if (e := model.ensembles[code]) is None else e.rows)
    ways = {name: np.stack([getattr(way, name) for way in model.usual]) for name in ("low", "high", "step")}
    return (
        np.fmin.reduce(ways["low"], axis=0),
        np.fmax.reduce(ways["high"], axis=0),
        model.usual[most].centre,
        np.fmax.reduce(ways["step"], axis=0),
    )
