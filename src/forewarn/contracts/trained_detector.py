"""A detector that is trained on one machine's healthy past, and then scores many machines in one call."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Parameters = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Blame:
    """Why the last row of each of k blocks scores as it does, by signal.

    share: float64[k, m], >= 0, a row sums to 1; NaN where there is no opinion. expected: float64[k, m], what the
    signals would say were the machine healthy, in their own units; NaN where the detector expects nothing in
    particular.
    """

    share: Matrix
    expected: Matrix


class Scorer(Protocol):
    """Models of one detector, all of the same number of signals, side by side."""

    def score(self, blocks: Matrix, models: NDArray[np.intp]) -> Matrix:
        """blocks: float64[k, n, m], block i scored by model models[i]. float64[k, n], >= 0, higher is more anomalous,
        on a scale of the detector's own; NaN = no opinion, always so for the first `context` rows of a block."""
        ...

    def explain(self, blocks: Matrix, models: NDArray[np.intp]) -> Blame:
        """Of the last row of each block; blocks have at least context + 1 rows."""
        ...


class TrainedDetector(Protocol):
    """Exported as a class, entry point group `forewarn.trained_detectors`; its constructor takes hyper-parameters only.

    A matrix is float64[n, m]: a row per step of a regular grid (a second unless the machine is read slower), a column
    per signal, in the signals' units. NaN = nothing known. A row that is NaN throughout is a break: nothing is carried
    over it.

    Laws (tests/conformance/test_trained_detectors.py): the score of a row depends on it and on the `context` rows
    before it, never on later ones, nor on which blocks and models stand beside it; a signal without a value takes no
    part; where less than half of the signals have one there is no opinion; a constant signal does no harm; another
    unit changes no score; fit is repeatable by its seed; nothing given is changed; parameters are plain arrays (no
    objects), fit to be stored and loaded without running code.
    """

    name: ClassVar[str]

    @property
    def context(self) -> int:
        """Rows before a row that its score depends on."""
        ...

    @property
    def least_rows(self) -> int:
        """Rows with an opinion that `fit` needs."""
        ...

    def fit(self, healthy: Matrix, seed: int = 0) -> Parameters:
        """Raises NotEnoughData."""
        ...

    def prepare(self, models: Sequence[Parameters]) -> Scorer:
        """All of the same number of signals. Raises InvalidInput for parameters that are not those of this detector."""
        ...

    def parameters(self) -> Mapping[str, Any]:
        """The hyper-parameters, as given to the constructor."""
        ...
