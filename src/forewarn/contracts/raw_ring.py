"""The last hours of raw readings at the gateway, for whoever asks for more than was sent."""

from typing import Protocol

from forewarn.contracts.historian_reads import Keys
from forewarn.domain.series import Series


class Recollection(Protocol):
    """The part of a Historian that stages learn from at a start; a gateway's raw ring has it too."""

    def latest(self, signals: Keys) -> Series:
        """The reading with the greatest source time of each signal that has one, ordered by signal."""
        ...

    def raw(self, signals: Keys, start: int, end: int, limit: int | None = None) -> Series:
        """Readings of `signals` with start <= time < end. With `limit`, only the newest `limit` per signal."""
        ...


class RawRing(Recollection, Protocol):
    """Thread-safe. Holds what the raw log holds, thinned or not."""

    def read(self, signals: Keys, start: int, end: int) -> Series:
        """Readings of `signals` with start <= source time < end that are still there, whatever became of them; one a
        (signal, time), the last that came. Raises StorageFailed."""
        ...
