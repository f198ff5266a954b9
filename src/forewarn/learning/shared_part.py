"""What a detector learned of many machines of a template, and a detector that only has to be calibrated with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from forewarn.contracts.shared_detector import SharedDetector
from forewarn.contracts.trained_detector import Matrix, Parameters, Scorer

# Parts learned without a block of each machine's rows in turn: rows are held out from what the template learned too.
FOLDS: Final = 3


@dataclass(frozen=True, slots=True, eq=False)
class SharedPart:
    """whole: learned from all rows; without: FOLDS of them, each without that fold of every machine's."""

    whole: Parameters
    without: tuple[Parameters, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Calibrated:
    """A TrainedDetector whose fit is no more than calibrating the shared part."""

    name: ClassVar[str] = "calibrated"
    detector: SharedDetector
    part: Parameters
    without: tuple[Parameters, ...] = ()

    @property
    def context(self) -> int:
        return self.detector.context

    @property
    def least_rows(self) -> int:
        return self.detector.least_rows

    @property
    def folds(self) -> "tuple[Calibrated, ...]":
        """The same, each with the part that has not seen one fold; in the order of `ensemble.blocks_held_out`."""
        return tuple(Calibrated(self.detector, part) for part in self.without)

    def fit(self, healthy: Matrix, seed: int = 0) -> Parameters:
        return self.detector.calibrate(self.part, healthy)

    def prepare(self, models: Sequence[Parameters]) -> Scorer:
        return self.detector.prepare(models)

    def parameters(self) -> Mapping[str, Any]:
        return self.detector.parameters()
