"""What waits in the outbox, in memory: a few columns, whatever the backlog."""

import threading
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forewarn.contracts.outbox import ParcelKind, Urgency, Waiting

_ROW: Final = np.dtype(
    [("number", "i8"), ("readings", "i8"), ("size", "i8"), ("first_time", "i8"), ("waits", "?"), ("normal", "?")]
)


def readings_in(kind: str, rows: int) -> int:
    """Only raw readings count in the ledger; minutes and findings speak of readings that were counted already."""
    return rows if kind == ParcelKind.READINGS else 0


class OutboxIndex:
    """Rows in order of number; 34 bytes each. Thread-safe: who asks never waits for a disk."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._rows = np.zeros(1024, _ROW)
        self._used = 0
        self._total = 0

    @property
    def total(self) -> int:
        """Readings that wait, without looking at each parcel."""
        return self._total

    def put(self, number: int, kind: str, urgency: int, rows: int, size: int, first_time: int) -> None:
        """number: above all before it."""
        with self._lock:
            if self._used == len(self._rows):
                self._make_room()
            normal = urgency == Urgency.NORMAL and kind == ParcelKind.READINGS
            self._rows[self._used] = (number, readings_in(kind, rows), size, first_time, True, normal)
            self._used += 1
            self._total += readings_in(kind, rows)

    def _make_room(self) -> None:
        waiting = self._rows[self._rows["waits"]]
        self._rows = np.zeros(max(1024, 2 * len(waiting)), _ROW)
        self._rows[: len(waiting)] = waiting
        self._used = len(waiting)

    def _at(self, number: int) -> int | None:
        at = int(np.searchsorted(self._rows["number"][: self._used], number))
        found = at < self._used and self._rows["number"][at] == number and self._rows["waits"][at]
        return at if found else None

    def readings(self, number: int) -> int | None:
        """None where no such parcel waits."""
        with self._lock:
            at = self._at(number)
            return None if at is None else int(self._rows["readings"][at])

    def drop(self, number: int) -> None:
        with self._lock:
            if (at := self._at(number)) is not None:
                self._rows["waits"][at] = False
                self._total -= int(self._rows["readings"][at])

    def change(self, number: int, readings: int, size: int) -> None:
        with self._lock:
            if (at := self._at(number)) is not None:
                self._total += readings - int(self._rows["readings"][at])
                self._rows["readings"][at], self._rows["size"][at] = readings, size

    def waiting(self, up_to: int | None) -> Waiting:
        with self._lock:
            rows = self._rows[: self._used]
            chosen = rows[rows["waits"]] if up_to is None else rows[rows["waits"] & (rows["number"] <= up_to)]
            oldest = int(chosen["first_time"].min()) if len(chosen) else None
            return Waiting(len(chosen), int(chosen["readings"].sum()), int(chosen["size"].sum()), oldest)

    def normal(self, after: int, most: int) -> NDArray[np.int64]:
        """Numbers of the `most` oldest waiting parcels of normal readings above `after`."""
        with self._lock:
            rows = self._rows[: self._used]
            chosen: NDArray[np.int64] = rows["number"][rows["waits"] & rows["normal"] & (rows["number"] > after)]
            return chosen[:most].copy()
