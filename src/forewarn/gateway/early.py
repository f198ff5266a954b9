"""Normal parcels that wait too long for the room there is: thinned further, the oldest first."""

from collections.abc import Sequence
from typing import Final, Protocol

from forewarn.contracts.outbox import Outbox, Packed, Parcel, Urgency
from forewarn.domain.series import Series
from forewarn.gateway.wire import Wire, decode_readings
from forewarn.kit.clock import HOUR, MINUTE
from forewarn.policies.series_rows import together
from forewarn.policies.thinning_early import extremes

_STRETCHES: Final = (MINUTE, 10 * MINUTE, HOUR)
_TOGETHER: Final = 256
_ROWS: Final = 100_000


class WaitingParcels(Outbox, Protocol):
    """An outbox whose normal parcels can be thinned further."""

    def used_bytes(self, *, with_free: bool = False) -> int: ...
    def normal(self, after: int, most: int) -> Sequence[int]: ...
    def merge_early(self, numbers: Sequence[int], rest: Packed) -> None: ...


class ThinEarly:
    """Three rows a signal and minute stay, when all has been reduced to that three in ten minutes, then three an hour.
    Parcels around findings are never touched."""

    def __init__(self, outbox: WaitingParcels) -> None:
        self._outbox = outbox
        self._wire = Wire()
        self._level = 0
        self._after = 0  # parcels up to this number are as thin as this level makes them
        self._reached = 0  # the greatest number that was ever merged

    def free(self, size: int) -> int:
        """Free `size` bytes, or what can be; how many readings were given up. Raises StorageFailed."""
        before = self._outbox.waiting()
        given_up = 0
        oldest = self._outbox.normal(0, 1)
        if not oldest or oldest[0] > self._reached:
            self._level = self._after = 0  # what was thinned is delivered
        while before.bytes - self._outbox.waiting().bytes < size:
            numbers = self._outbox.normal(self._after, _TOGETHER)
            if len(numbers) < 2 and self._level + 1 == len(_STRETCHES):
                break
            if len(numbers) < 2:
                self._level, self._after = self._level + 1, 0
                continue
            given_up += self._merge(numbers)
        return given_up

    def _merge(self, numbers: Sequence[int]) -> int:
        parcels: list[Parcel] = []
        rows = 0
        for number in numbers:
            found = self._outbox.pending(number - 1, number, 1)
            if found and (not parcels or rows + found[0].packed.rows <= _ROWS):
                parcels += found
                rows += found[0].packed.rows
            elif found:
                break
        self._after = parcels[-1].number if parcels else numbers[-1]
        self._reached = max(self._reached, self._after)
        if not parcels:
            return 0
        whole = together([decode_readings(p.packed.body) for p in parcels])
        stay = extremes(whole, _STRETCHES[self._level])
        kept = Series(whole.signal[stay], whole.time[stay], whole.value[stay], whole.quality[stay])
        self._outbox.merge_early([p.number for p in parcels], self._wire.readings(kept, Urgency.NORMAL))
        return rows - len(kept)
