"""What became of each reading of a batch, with a named reason."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray


class Verdict(IntEnum):
    """ACCEPTED and LATE are stored; DUPLICATE repeats what is stored; REJECTED is not stored."""

    ACCEPTED = 0
    LATE = 1
    DUPLICATE = 2
    REJECTED = 3


class Reason(StrEnum):
    """Why a reading was not simply accepted; the text is part of the API."""

    NONE = ""
    UNKNOWN_SIGNAL = "unknown_signal"
    NOT_A_NUMBER = "not_a_number"
    NOT_FINITE = "not_finite"
    TIME_NEGATIVE = "time_negative"
    TIME_IN_FUTURE = "time_in_future"
    TIME_BEYOND_RETENTION = "time_beyond_retention"
    TIME_MISSING = "time_missing"
    QUALITY_UNKNOWN = "quality_unknown"
    OLDER_THAN_LATEST = "older_than_latest"
    REPEATED_IN_BATCH = "repeated_in_batch"
    ALREADY_STORED = "already_stored"
    CORRECTS_STORED = "corrects_stored"
    BATCH_REPEATED = "batch_repeated"


REASONS: Final = tuple(Reason)


@dataclass(frozen=True, slots=True, eq=False)
class Verdicts:
    """verdict: uint8[n] of Verdict; reason: uint8[n], an index into REASONS. Same order as the sender's rows."""

    verdict: NDArray[np.uint8]
    reason: NDArray[np.uint8]

    def count(self, verdict: Verdict) -> int:
        return int(np.count_nonzero(self.verdict == verdict))

    @property
    def stored(self) -> NDArray[np.bool_]:
        """Mask of the readings that go on down the road (accepted or late)."""
        return self.verdict <= Verdict.LATE
