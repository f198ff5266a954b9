"""What is to be said of the models themselves: one that cannot be used, has grown old, does not know how its machine
runs, or hears a signal in another unit."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.findings import Finding
from forewarn.domain.signal_table import SignalTable
from forewarn.learning.drift_watch import DriftWatch
from forewarn.learning.fleet import Fleet, FleetScores
from forewarn.learning.model_findings import ModelFindings
from forewarn.learning.model_source import Refusal
from forewarn.learning.regime_watch import RegimeWatch
from forewarn.learning.unit_watch import UnitWatch


class ModelAdvisories:
    """For one thread."""

    def __init__(self, drift: DriftWatch | None = None) -> None:
        """drift: None = nobody asks whether a model has grown old."""
        self._unusable, self._drift = ModelFindings(), drift
        self._units, self._regimes = UnitWatch(), RegimeWatch()

    def follow(self, fleet: Fleet) -> list[Finding]:
        """The models have changed. What ended for it."""
        if self._drift is not None:
            self._drift.follow(fleet.models)
        self._units.follow(fleet)
        self._regimes.follow(fleet.models)
        return self._over()

    def resume(self, findings: Sequence[Finding], fleet: Fleet) -> list[Finding]:
        """Take up what was open when the last process ended, after `follow`. What nobody will go on with."""
        ended = self._unusable.resume(findings)
        if self._drift is not None:
            self._drift.resume(findings)
        self._units.resume(findings, fleet)
        self._regimes.resume(findings)
        return ended + self._over()

    def let_go(self, partly: Collection[str], wholly: Collection[str]) -> list[Finding]:
        """Machines of which somebody else judges some signals, or all. What stood of them."""
        ended = self._unusable.let_go(partly) + self._units.let_go(wholly) + self._regimes.let_go(wholly)
        return ended if self._drift is None else ended + self._drift.let_go(wholly)

    def of_units(self, fleet: Fleet, table: SignalTable) -> list[Finding]:
        return self._units.take(fleet, table)

    def of_refused(self, refused: Mapping[str, Refusal], table: SignalTable, at: int) -> list[Finding]:
        """refused: by asset id; at: source time of now."""
        return self._unusable.follow(refused, table, at) if refused or self._unusable.any_open else []

    def take(self, scores: FleetScores, quiet: NDArray[np.bool_], fleet: Fleet, table: SignalTable) -> list[Finding]:
        """quiet: bool[k], machines of which a finding of the model stands."""
        found = self._units.take(fleet, table)
        explained = np.zeros(len(scores.machine), np.bool_)
        if self._units.any_open:
            explained[:] = [self._units.stands(fleet.models[place].asset_id) for place in scores.machine]
        found += self._regimes.take(scores, explained, table)
        return found if self._drift is None else found + self._drift.take(scores, quiet, table)

    def _over(self) -> list[Finding]:
        ended = self._units.over() + self._regimes.over()
        return ended if self._drift is None else ended + self._drift.over()
