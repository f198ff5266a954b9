"""Parcels for tests: readings with values that say which they are."""

import numpy as np

from forewarn.contracts.outbox import Packed, ParcelKind, Tally, Urgency
from forewarn.domain.series import Series
from forewarn.gateway.wire import encode_readings

NOW = 1_767_225_600_000_000


def readings(count: int, first: int = 0, signal: int = 1) -> Series:
    """One signal, one a second; the value is the reading's place."""
    place = np.arange(first, first + count)
    column = np.full(count, signal, np.int32)
    return Series(column, NOW + place * 1_000_000, place.astype(np.float64), np.zeros(count, np.uint32))


def packed(count: int, first: int = 0, urgency: Urgency = Urgency.NORMAL, signal: int = 1) -> Packed:
    rows = readings(count, first, signal)
    body = encode_readings(rows)
    return Packed(ParcelKind.READINGS, urgency, count, int(rows.time[0]), int(rows.time[-1]), body)


def tally(read: int, kept: int, in_hand: int = 0, before: int = 0) -> Tally:
    """before: in hand until now."""
    return Tally(read, kept, read - kept - (in_hand - before), in_hand)
