"""Which signals' keys the buffered readings bear, for a gateway that may have lost their names."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from forewarn.contracts.batch_log import BatchLog
from forewarn.contracts.outbox import Outbox, Parcel, ParcelKind
from forewarn.gateway.wire import decode_minutes, decode_readings

_READINGS: Final = 200_000
_BYTES: Final = 1 << 20


def used_keys(log: BatchLog, outbox: Outbox) -> NDArray[np.int32]:
    """Each once. Reads all of both, some 10 M readings a second. Raises StorageFailed."""
    found = np.empty(0, np.int32)
    after = 0
    while batches := log.read(after, _READINGS):
        after = batches[-1][0]
        found = np.union1d(found, np.concatenate([batch.signal for _, batch in batches]))
    number = 0
    while parcels := outbox.pending(number, outbox.last_number, _BYTES):
        number = parcels[-1].number
        found = np.union1d(found, np.concatenate([_signals(parcel) for parcel in parcels]))
    return found.astype(np.int32)


def _signals(parcel: Parcel) -> NDArray[np.int32]:
    """Findings name their signals themselves."""
    body = parcel.packed.body
    match parcel.packed.kind:
        case ParcelKind.READINGS:
            return decode_readings(body).signal
        case ParcelKind.MINUTES:
            return decode_minutes(body).signal
    return np.empty(0, np.int32)
