"""What edge gateways tell the line besides readings."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.findings import Finding


class EdgeIntake(Protocol):
    """Thread-safe; no I/O. What is told is kept until the line's next step."""

    def found(self, findings: Sequence[Finding]) -> None:
        """Findings that are in the catalog, for judge and feed."""
        ...

    def heard(self, alive: NDArray[np.int32], silent: NDArray[np.int32], at: int) -> None:
        """A gateway vouches for its signals: nothing need arrive of the ones `alive`; the `silent` ones say nothing.
        Keys; at: microseconds UTC, our clock."""
        ...

    def scores(self, gateway: str, keys: NDArray[np.int32]) -> None:
        """The gateway scores these signals, in place of what it scored before; we only see what it lets through."""
        ...

    def vouched(self, size: int) -> NDArray[np.int64]:
        """By key below `size`: when a gateway last said that the signal lives, microseconds UTC; 0 = none ever did.
        Of such a signal few readings need come."""
        ...
