"""Shadow: models that are tried see what the others see, after all that matters was done."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from forewarn.contracts.plant_view import PlantView
from forewarn.contracts.stage import Carriage
from forewarn.domain.status import is_good
from forewarn.learning.model_trials import ModelTrials


def _nowhere(size: int) -> NDArray[np.bool_]:
    return np.zeros(size, np.bool_)


class ShadowStage:
    """The last stage: it finds nothing, and nothing waits for it."""

    name = "shadow"

    def __init__(
        self,
        trials: ModelTrials,
        plant: PlantView,
        elsewhere: Callable[[int], NDArray[np.bool_]] = _nowhere,
        counts: Callable[[], bool] = lambda: True,
    ) -> None:
        """elsewhere: by signal key below the size given, whom a gateway scores. counts: False where another process
        sees the same readings and counts them (a standby)."""
        self._trials, self._plant, self._elsewhere, self._counts = trials, plant, elsewhere, counts
        self._revision: int | None = None
        self._handled = -1

    def handle(self, carriage: Carriage) -> Carriage:
        if carriage.last > self._handled and self._counts():
            self._handled = carriage.last
            self._score(carriage)
        return carriage

    def tick(self, now_us: int) -> Carriage | None:
        """Nothing of this stage depends on the clock."""
        return None

    def _score(self, carriage: Carriage) -> None:
        if self._plant.revision != self._revision:
            self._revision = self._plant.revision
            self._trials.configure(self._plant.table)
        if not self._trials.any or not len(carriage.readings):
            return
        readings, known = carriage.readings, self._plant.table.known
        usable = is_good(readings.quality) & (readings.signal < len(known))
        ours = known & ~self._elsewhere(len(known))
        usable[usable] = ours[readings.signal[usable]]
        if usable.any():
            self._trials.score(readings if usable.all() else readings.take(usable))
