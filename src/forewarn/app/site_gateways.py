"""A site's care for its edge gateways between their heartbeats."""

from collections.abc import Callable
from typing import Final

import numpy as np

from forewarn.api.gateway_views import AWAY_US
from forewarn.catalog import Catalog
from forewarn.contracts.edge_intake import EdgeIntake
from forewarn.contracts.plant_view import PlantView
from forewarn.kit.clock import DAY, SECOND

_EVERY_US: Final = 5 * SECOND
_KEEP_US: Final = 90 * DAY
_FORGET_US: Final = 3_600 * SECOND


class SiteGateways:
    """clock: microseconds UTC. For one thread at a time."""

    def __init__(self, catalog: Catalog, plant: PlantView, edge: EdgeIntake, clock: Callable[[], int]) -> None:
        self._catalog, self._plant, self._edge, self._clock = catalog, plant, edge, clock
        self._began = self._looked = clock()
        self._forgot = 0

    def resume(self) -> None:
        """What they scored when the last process ended they still score; not those whose machine was revoked."""
        known, standing = self._plant.table.key_of, self._standing()
        for record in self._catalog.gateways.gateways():
            if record.name in standing:
                keys = [known[name] for name in record.scored if name in known]
                self._edge.scores(record.name, np.array(keys, np.int32))

    def look_around(self) -> None:
        """Call it about once a second: note who is away, and take back what a revoked machine scored."""
        now = self._clock()
        if 0 <= now - self._looked < _EVERY_US:
            return
        self._looked = now
        if now - self._began > AWAY_US:
            self._catalog.gateways.note_away(now - AWAY_US)
        standing = self._standing()
        for record in self._catalog.gateways.gateways():
            if record.name not in standing:
                self._edge.scores(record.name, np.zeros(0, np.int32))
        if now - self._forgot > _FORGET_US:
            self._catalog.gateways.forget(now - _KEEP_US)
            self._forgot = now

    def _standing(self) -> set[str]:
        return {machine.name for machine in self._catalog.machines.machines() if not machine.revoked}
