"""The plant that a gateway file describes, in memory."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from forewarn.domain.assets import Asset, AssetStatus, Plant, Signal
from forewarn.domain.signal_table import SignalTable


class FilePlantView:
    """PlantView of a file; `take` swaps it as a whole when the file was read again."""

    def __init__(self, plant: Plant, signals: Sequence[Signal]) -> None:
        self._revision = 0
        self.take(plant, signals)

    def take(self, plant: Plant, signals: Sequence[Signal]) -> None:
        """signals: the plant's, with their keys."""
        assets = {a.id: a for a in plant.assets if a.status is not AssetStatus.RETIRED}
        by_asset: dict[str, list[Signal]] = {asset_id: [] for asset_id in assets}
        for signal in signals:
            if signal.asset_id in by_asset:
                by_asset[signal.asset_id].append(signal)
        self._assets: Mapping[str, Asset] = MappingProxyType(assets)
        self._signals = {asset_id: tuple(group) for asset_id, group in by_asset.items()}
        self._table = SignalTable.of((signal for group in by_asset.values() for signal in group), self._assets)
        self._revision += 1

    @property
    def revision(self) -> int:
        return self._revision

    @property
    def table(self) -> SignalTable:
        return self._table

    @property
    def assets(self) -> Mapping[str, Asset]:
        return self._assets

    def signals_of(self, asset_id: str) -> Sequence[Signal]:
        return self._signals.get(asset_id, ())
