"""The signal tables that gateways sent: their keys -> ours."""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.errors import Conflict, InvalidInput
from forewarn.domain.signal_table import SignalTable

_REMEMBERED: Final = 4
_MOST_GATEWAYS: Final = 1_000
_MOST_SIGNALS: Final = 200_000
_LONGEST_ID: Final = 500


class SignalTableUnknown(Conflict):
    """The parcel names a table that is not here: the gateway sends it and tries again."""

    code = "signal_table_unknown"


class TooEarly(Conflict):
    """The newest of a parcel is still to come by our clock: the gateway keeps it and tries again."""

    code = "too_early"


@dataclass(slots=True, eq=False)
class _Table:
    ids: tuple[str, ...]
    plant: SignalTable | None = None
    keys: NDArray[np.int32] | None = None

    def keys_in(self, plant: SignalTable) -> NDArray[np.int32]:
        if self.keys is None or self.plant is not plant:
            found = (plant.key_of.get(name, 0) for name in self.ids)
            self.keys = np.fromiter((0, *found), np.int32, len(self.ids) + 1)
            self.plant = plant
        return self.keys


class SignalTables:
    """The newest tables of each gateway. For one thread at a time."""

    def __init__(self) -> None:
        self._of: OrderedDict[str, OrderedDict[str, _Table]] = OrderedDict()

    def put(self, gateway: str, table: str, ids: Sequence[str]) -> None:
        """As the gateway's newest."""
        tables = self._of.setdefault(gateway, OrderedDict())
        self._of.move_to_end(gateway)
        tables[table] = _Table(tuple(ids))
        tables.move_to_end(table)
        if len(tables) > _REMEMBERED:
            tables.popitem(last=False)
        if len(self._of) > _MOST_GATEWAYS:
            self._of.popitem(last=False)

    def forget(self, gateway: str) -> None:
        self._of.pop(gateway, None)

    def knows(self, gateway: str) -> bool:
        return gateway in self._of

    def keys(self, gateway: str, table: str, plant: SignalTable) -> NDArray[np.int32]:
        """Our key by the gateway's, 0 where `plant` does not know the signal; row 0 is none.
        Raises SignalTableUnknown."""
        tables = self._of.get(gateway)
        known = tables.get(table) if tables is not None else None
        if known is None:
            raise SignalTableUnknown(f"this site does not have the signal table {table!r} of gateway {gateway!r}")
        return known.keys_in(plant)

    def newest(self, gateway: str, plant: SignalTable) -> tuple[tuple[str, ...], NDArray[np.int32]]:
        """Ids, and keys as in `keys`, of the table that was sent last; none before the first."""
        tables = self._of.get(gateway)
        if not tables:
            return (), np.zeros(1, np.int32)
        table = next(reversed(tables.values()))
        return table.ids, table.keys_in(plant)


def table_name(ids: Sequence[str]) -> str:
    """What a table with these ids by key, from 1 on, is called."""
    lines = "".join(f"{key}\t{name}\n" for key, name in enumerate(ids, 1))
    return hashlib.sha256(lines.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def ids_of(signals: Mapping[str, str]) -> list[str]:
    """By key from 1 on. Raises InvalidInput unless the keys are 1, 2, ... and the ids fit for the catalog."""
    n = len(signals)
    if n > _MOST_SIGNALS:
        raise InvalidInput(f"the table has {n:,} signals; at most {_MOST_SIGNALS:,}", field="signals")
    ids = [""] * n
    for key, name in signals.items():
        if not (key.isascii() and key.isdigit() and len(key) < 8 and 1 <= int(key) <= n) or ids[int(key) - 1]:
            raise InvalidInput(f"key {key[:20]!r}: keys are 1 to {n}, each once", field="signals")
        if not 1 <= len(name) <= _LONGEST_ID or not name.isprintable():
            raise InvalidInput(f"key {key}: a signal's id is 1 to {_LONGEST_ID} printable characters", field="signals")
        ids[int(key) - 1] = name
    return ids
