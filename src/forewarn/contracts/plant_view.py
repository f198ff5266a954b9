"""The plant as it is now, in memory, for whoever may not ask the catalog per request."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from forewarn.domain.assets import Asset, Signal
from forewarn.domain.signal_table import SignalTable


class PlantView(Protocol):
    """Swapped as a whole when the plant changes; what one call returned stays consistent in itself."""

    @property
    def revision(self) -> int: ...

    @property
    def table(self) -> SignalTable: ...

    @property
    def assets(self) -> Mapping[str, Asset]: ...

    def signals_of(self, asset_id: str) -> Sequence[Signal]:
        """The asset's signals in the plant file's order; empty for an unknown asset."""
        ...
