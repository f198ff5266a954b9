"""The plant in memory, swapped as a whole when the catalog's revision grows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from forewarn.contracts.plant_store import PlantStore
from forewarn.domain.assets import Asset, AssetStatus, Signal
from forewarn.domain.signal_table import SignalTable


@dataclass(frozen=True, slots=True)
class _Snapshot:
    revision: int
    table: SignalTable
    assets: Mapping[str, Asset]
    signals: Mapping[str, tuple[Signal, ...]]


def _read(store: PlantStore) -> _Snapshot:
    # The revision is read first: an apply in between makes the next refresh read once more, never miss one.
    revision = store.revision()
    assets = {a.id: a for a in store.assets() if a.status is not AssetStatus.RETIRED}
    by_asset: dict[str, list[Signal]] = {asset_id: [] for asset_id in assets}
    for signal in store.signals():
        if signal.asset_id in by_asset:
            by_asset[signal.asset_id].append(signal)
    table = SignalTable.of((s for group in by_asset.values() for s in group), assets)
    frozen = {asset_id: tuple(group) for asset_id, group in by_asset.items()}
    return _Snapshot(revision, table, MappingProxyType(assets), MappingProxyType(frozen))


class CatalogPlantView:
    """PlantView over a PlantStore; `refresh` is called about once a second."""

    def __init__(self, store: PlantStore) -> None:
        self._store = store
        self._now = _read(store)

    def refresh(self) -> bool:
        """Read the catalog again if its revision changed; True when it had."""
        if self._store.revision() == self._now.revision:
            return False
        self._now = _read(self._store)
        return True

    @property
    def revision(self) -> int:
        return self._now.revision

    @property
    def table(self) -> SignalTable:
        return self._now.table

    @property
    def assets(self) -> Mapping[str, Asset]:
        return self._now.assets

    def signals_of(self, asset_id: str) -> Sequence[Signal]:
        return self._now.signals.get(asset_id, ())
