"""The API's parts as somebody may use them who may see a part of the plant only."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from forewarn.api.parts import ApiParts
from forewarn.contracts.plant_view import PlantView
from forewarn.domain.access import Scope
from forewarn.domain.assets import Asset, Signal
from forewarn.domain.signal_table import SignalTable

_REMEMBERED: Final = 256


@dataclass(frozen=True, slots=True)
class _Part:
    revision: int
    table: SignalTable
    assets: Mapping[str, Asset]


class NarrowPlant:
    """PlantView of what lies within `scope`. Keys are the whole plant's."""

    def __init__(self, whole: PlantView, scope: Scope) -> None:
        self._whole, self._scope = whole, scope
        self._part = self._cut()

    def _cut(self) -> _Part:
        # The revision is read first: a change in between makes the next call cut once more, never miss one.
        revision = self._whole.revision
        assets = {a.id: a for a in self._whole.assets.values() if self._scope.holds("/".join(a.path))}
        table = SignalTable.of(s for a in assets for s in self._whole.signals_of(a))
        return _Part(revision, table, MappingProxyType(assets))

    def _now(self) -> _Part:
        if self._part.revision != self._whole.revision:
            self._part = self._cut()
        return self._part

    @property
    def revision(self) -> int:
        return self._now().revision

    @property
    def table(self) -> SignalTable:
        return self._now().table

    @property
    def assets(self) -> Mapping[str, Asset]:
        return self._now().assets

    def signals_of(self, asset_id: str) -> Sequence[Signal]:
        return self._whole.signals_of(asset_id) if asset_id in self._now().assets else ()


class Narrower:
    """Parts by scope, remembered: few people have a scope of their own. For the event loop's thread."""

    def __init__(self, whole: ApiParts) -> None:
        self._whole = whole
        self._known: OrderedDict[Scope, ApiParts] = OrderedDict()

    def within(self, scope: Scope) -> ApiParts:
        """The whole for who may see everything."""
        if scope.everywhere:
            return self._whole
        known = self._known.get(scope)
        if known is None:
            known = self._known[scope] = replace(
                self._whole,
                plant=NarrowPlant(self._whole.plant, scope),
                alarms=self._whole.alarms.within(scope),
                anomalies=self._whole.anomalies.within(scope),
                models=None if self._whole.models is None else self._whole.models.within(scope),
                scope=scope,
            )
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return known
