"""A detector scores every reading of a batch in one call."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.readings import ReadingBatch
from forewarn.domain.signal_table import SignalTable


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Columns aligned with the batch that was scored.

    score: float64[n], 0-1, higher is more anomalous, 0.5 is the detector's own limit; NaN = no opinion
    (warming up, bad quality, no parameter for this signal).
    expected: float64[n] in the signal's unit; NaN where the detector expects nothing in particular.
    """

    score: NDArray[np.float64]
    expected: NDArray[np.float64]


class Detector(Protocol):
    """Exported as a class, entry point group `forewarn.detectors`; its constructor takes hyper-parameters only.

    Laws (tests/conformance/test_detectors.py): the batch is not changed; splitting a batch changes no score;
    a reading is scored before it is learned; memory is bounded by the number of signals; a bad-quality
    reading gets NaN and teaches nothing; signals may appear and vanish.
    """

    name: ClassVar[str]
    anomaly_type: ClassVar[str]

    def configure(self, table: SignalTable) -> None:
        """Take the signals' parameters; called before the first batch and whenever the plant changes.
        State of signals that remain is kept."""
        ...

    def score(self, batch: ReadingBatch) -> Scores:
        """Score, then learn. `batch` is ordered by (signal, time). Readings older than what the detector
        has seen of a signal are scored as they are but teach nothing."""
        ...

    def explain(self, signal: int, value: float, score: float, expected: float) -> str:
        """One sentence for people: what was seen, what was expected, over which window."""
        ...

    def baselining(self) -> NDArray[np.bool_]:
        """By signal key: True where the detector has yet to learn what is normal before it can have an opinion, in
        the regime the signal's machine is in. All False for a detector that learns nothing. No work, any thread."""
        ...

    def parameters(self) -> Mapping[str, Any]:
        """The hyper-parameters, as given to the constructor."""
        ...
