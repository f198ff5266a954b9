"""The way in: every reading, from wherever, is judged here and made durable."""

from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from forewarn.contracts.batch_log import Appended
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.verdicts import Verdicts


@dataclass(frozen=True, slots=True, eq=False)
class Submission:
    """verdicts: one per reading in the sender's order. appended: resolves when the stored ones are durable;
    a batch with nothing to store still resolves, once its number is in the ledger."""

    verdicts: Verdicts
    appended: "Future[Appended]"


class Door(Protocol):
    """Thread-safe; never blocks on the disk."""

    def submit(self, batch: ReadingBatch, reason: NDArray[np.uint8] | None = None) -> Submission:
        """Judge and append. `reason[i] != 0` (index into REASONS) marks rows the translator already rejected;
        signal key 0 or an unknown key is rejected as unknown_signal. Raises BatchLogFull."""
        ...
