"""What one machine brings to the part that its template shares: samples of the very rows it is calibrated with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from forewarn.contracts.shared_detector import SharedDetector
from forewarn.contracts.trained_detector import Matrix, Parameters
from forewarn.domain.assets import Signal
from forewarn.domain.errors import NotEnoughData
from forewarn.learning.ensemble import blocks_held_out, learnable
from forewarn.learning.machine_model import MachineSettings, by_regime
from forewarn.learning.shared_part import FOLDS


@dataclass(frozen=True, slots=True, order=True)
class PartName:
    """One of the parts that a template shares: of which detector, and without which fold (None: from all rows)."""

    detector: str
    without: int | None = None

    def __str__(self) -> str:
        return self.detector if self.without is None else f"{self.detector} without fold {self.without + 1}"


def part_names(detectors: Mapping[str, SharedDetector]) -> list[PartName]:
    return [PartName(name, fold) for name in detectors for fold in (None, *range(FOLDS))]


def machine_samples(
    healthy: Matrix,
    signals: Sequence[Signal],
    detectors: Mapping[str, SharedDetector],
    wanted: Sequence[PartName],
    settings: MachineSettings,
    share: float,
) -> dict[PartName, list[Parameters]]:
    """A sample of each regime that has enough rows, weighed by its rows, for each part; raises NotEnoughData where
    there is none of any. share: of a whole fit, for the machine."""
    found: dict[PartName, list[Parameters]] = {name: [] for name in wanted}
    all_rows = max(int(np.isfinite(healthy).any(axis=1).sum()), 1)
    refused = []
    for regime in by_regime(healthy, signals, settings)[2]:
        rows, _ = learnable(regime, settings.ensemble)
        part_of = share * int(np.isfinite(regime).any(axis=1).sum()) / all_rows
        for name in wanted:
            detector = detectors[name.detector]
            try:
                found[name].append(detector.sample(_seen(rows, detector.context, name.without), part_of))
            except NotEnoughData as error:
                refused.append(str(error))
    if not any(found.values()):
        raise NotEnoughData(refused[0] if refused else "there are no healthy rows")
    return found


def _seen(rows: Matrix, context: int, without: int | None) -> Matrix:
    """As `ensemble.held_out_scores` parts them."""
    if without is None:
        return rows
    return next(seen for i, (_, _, seen) in enumerate(blocks_held_out(rows, FOLDS, context)) if i == without)
