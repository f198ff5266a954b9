"""Whether a machine has healthy past enough for a first model, and how far it is."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from forewarn.contracts.anomaly_store import AnomalyStore
from forewarn.contracts.historian_reads import HistorianReads
from forewarn.contracts.plant_view import PlantView
from forewarn.domain.errors import StorageDamaged
from forewarn.jobs.training.healthy_past import disturbing, length, read_spans, told, without
from forewarn.jobs.training.lesson import TrainingSettings
from forewarn.jobs.training.past_rows import step_of
from forewarn.jobs.training.schedule import least_past_us
from forewarn.kit.clock import DAY, HOUR, MINUTE, SECOND

_GRAIN_US: Final = 10 * MINUTE


@dataclass(slots=True)
class FirstPast:
    """`suffices` reads the historian, `words` nothing. clock: microseconds UTC."""

    past: HistorianReads
    plant: PlantView
    anomalies: AnomalyStore
    clock: Callable[[], int]
    settings: TrainingSettings = field(default_factory=TrainingSettings)
    _waits: dict[str, str] = field(default_factory=dict)

    def suffices(self, asset_id: str) -> bool:
        """Raises StorageFailed; a past that is damaged does not suffice."""
        try:
            return self._suffices(asset_id)
        except StorageDamaged as error:
            self._waits[asset_id] = str(error)
            return False

    def _suffices(self, asset_id: str) -> bool:
        signals = [signal for signal in self.plant.signals_of(asset_id) if signal.key > 0]
        if not signals:
            return False
        s, end = self.settings, self.clock()
        keys, start = np.array(sorted(signal.key for signal in signals), np.int32), end - round(s.days * DAY)
        read = read_spans(self.past, keys, start, end, _GRAIN_US)
        faults = disturbing(self.anomalies, asset_id, start, end)
        healthy = without(read, faults, end, round(s.margin_s * SECOND), round(s.least_s * SECOND))
        least = least_past_us(step_of(signals))
        if length(healthy) >= least:
            self._waits.pop(asset_id, None)
            return True
        past = told(read, healthy, faults, end)
        self._waits[asset_id] = f"{past}; from {least / HOUR:g} h of health on it is learned by itself"
        return False

    def words(self, asset_id: str) -> str:
        """What a first model waits for, as it was at the last look; '' for nothing. Any thread."""
        return self._waits.get(asset_id, "")
