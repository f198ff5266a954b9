"""What both decoders yield, and the checks they share."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.errors import InvalidInput
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.status import is_bad
from forewarn.domain.verdicts import REASONS, Reason

MAX_MS: Final = 9_000_000_000_000_000
CODE: Final = {reason: REASONS.index(reason) for reason in Reason}
_MAX_SEQUENCE: Final = (1 << 63) - 1


@dataclass(frozen=True, slots=True, eq=False)
class Telemetry:
    """A decoded body. reason: as in Door.submit, None when the decoder rejected nothing.

    sensor_id: the sender's word for row i. anomalies: what the edge found, as it was sent.
    """

    batch: ReadingBatch
    reason: NDArray[np.uint8] | None
    sensor_id: Callable[[int], str]
    anomalies: Sequence[object] = ()


def gateway_name(name: object) -> str:
    """Raises InvalidInput unless 1-128 printable characters."""
    if not isinstance(name, str) or not 1 <= len(name) <= 128 or not name.isprintable():
        raise InvalidInput("gateway_id must be 1 to 128 printable characters", field="gateway_id")
    return name


def sequence_number(sequence: object) -> int | None:
    """Raises InvalidInput unless None or an integer 0 .. 2^63-1."""
    if sequence is None:
        return None
    if not isinstance(sequence, int) or isinstance(sequence, bool) or not 0 <= sequence <= _MAX_SEQUENCE:
        raise InvalidInput("sequence must be an integer from 0 to 2^63-1", field="sequence")
    return sequence


def digest_of(*columns: NDArray[np.generic]) -> int:
    """A batch without a number is named by what it holds, so that a plain retry is a repeat. 63 bits."""
    digest = hashlib.blake2b(digest_size=8)
    for column in columns:
        digest.update(np.ascontiguousarray(column).data)
    return int.from_bytes(digest.digest(), "little") >> 1


def reject_null(
    value: NDArray[np.float64], null: NDArray[np.bool_], quality: NDArray[np.uint32], reason: NDArray[np.uint8] | None
) -> NDArray[np.uint8] | None:
    """No value is fine only where the quality is bad."""
    wrong = null & ~is_bad(quality)
    if not wrong.any():
        return reason
    reason = np.zeros(len(value), np.uint8) if reason is None else reason
    reason[wrong & (reason == 0)] = CODE[Reason.NOT_A_NUMBER]
    return reason
