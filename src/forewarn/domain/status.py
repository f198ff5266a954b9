"""OPC UA StatusCode (Part 4, 7.39): 32 bits, the top two are the severity."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.errors import InvalidInput

GOOD: Final = 0x0000_0000
UNCERTAIN: Final = 0x4000_0000
BAD: Final = 0x8000_0000
BAD_NO_COMMUNICATION: Final = 0x8031_0000
BAD_NOT_CONNECTED: Final = 0x808A_0000
BAD_SENSOR_FAILURE: Final = 0x808C_0000
BAD_OUT_OF_RANGE: Final = 0x803C_0000

_NAMES: Final = {"good": GOOD, "uncertain": UNCERTAIN, "bad": BAD}


def is_good(quality: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """True where severity is Good (top two bits 00)."""
    good: NDArray[np.bool_] = (quality >> np.uint32(30)) == 0
    return good


def is_bad(quality: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """True where severity is Bad (top bit set; 11 is reserved and read as Bad)."""
    bad: NDArray[np.bool_] = (quality >> np.uint32(31)) == 1
    return bad


def severity_name(code: int) -> str:
    """`good`, `uncertain` or `bad`, for people and for the specification's JSON."""
    return ("good", "uncertain", "bad", "bad")[code >> 30]


def from_name(name: str) -> int:
    """StatusCode of the specification's quality word.

    Raises InvalidInput for any other word.
    """
    try:
        return _NAMES[name]
    except KeyError:
        raise InvalidInput(f"quality {name!r} is none of good, uncertain, bad", field="quality") from None
