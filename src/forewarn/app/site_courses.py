"""A finding looked at again: its machine's stored readings, scored by the model that made it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from forewarn.contracts.historian_reads import HistorianReads
from forewarn.contracts.model_registry import ModelRegistry
from forewarn.contracts.plant_view import PlantView
from forewarn.contracts.trained_detector import TrainedDetector
from forewarn.domain.errors import ArtifactRefused, Conflict, InvalidInput, NotFound, StorageFailed
from forewarn.domain.findings import Finding
from forewarn.domain.model_versions import Span
from forewarn.kit.clock import MINUTE
from forewarn.learning.hindsight import (
    Course,
    HealthyScores,
    as_of,
    context_of,
    healthy_scores,
    hindsight,
    lead_us,
    read_in_full,
)
from forewarn.learning.machine_artifact import unpacked
from forewarn.learning.machine_model import MachineModel
from forewarn.learning.model_check import check_model
from forewarn.policies.model_signature import open_signed

_LEAST_AROUND: Final = 3 * MINUTE
_MOST_AROUND: Final = 30 * MINUTE
_LONGEST: Final = 120 * MINUTE
_SIGNALS: Final = 4
_LEAST_SHARE: Final = 0.05


class SiteCourses:
    """Nothing is kept between two questions."""

    def __init__(
        self,
        registry: ModelRegistry,
        plant: PlantView,
        historian: HistorianReads,
        detectors: Mapping[str, TrainedDetector],
        trusted: Callable[[], Collection[str]],
        thins: Callable[[Sequence[str], Span], bool] = lambda _signals, _span: False,
    ) -> None:
        """trusted: public keys whose models may score, 64 hexadecimal digits each. thins: whether a gateway left out
        some of what it read of these signals, by id, in that span."""
        self._registry, self._plant, self._historian = registry, plant, historian
        self._detectors, self._trusted, self._thins = detectors, trusted, thins

    def of(self, finding: Finding) -> Course:
        """The signals with the greatest shares, around the finding. Raises Conflict where it cannot be told any more,
        with the reason."""
        evidence = finding.evidence
        if evidence is None or not evidence.model:
            raise Conflict("this finding was not made by a trained model: there is nothing to score its past with")
        table = self._plant.table
        try:
            model = as_of(self._model(evidence.model), evidence)
        except NotFound as error:
            raise Conflict(f"model {evidence.model[:12]}, which made this finding, is not kept here") from error
        lost = [s for s in model.signals if s not in table.key_of]
        if lost:
            raise Conflict(
                f"the plant no longer has {', '.join(lost[:3])}, of which model {model.version[:12]} was made"
            )
        shares = [
            c.signal_id for c in evidence.contributions if c.share >= _LEAST_SHARE and c.signal_id in model.signals
        ]
        start, end = around(finding)
        keys = np.array(sorted(table.key_of[s] for s in model.signals), np.int32)
        readings = self._historian.raw(keys, start - lead_us(model, table, self._detectors), end)
        course = hindsight(model, table, self._detectors, readings, (start, end), shares[:_SIGNALS])
        if not self._thins(model.signals, Span(start, end)):
            return course
        return read_in_full(course, readings, table, keys.tolist(), context_of(model, self._detectors))

    def scores(self, version: str) -> tuple[HealthyScores, ...]:
        """How the healthy rows lie that set its threshold. Raises NotFound, Conflict where its file cannot be used."""
        return healthy_scores(self._model(version))

    def _model(self, version: str) -> MachineModel:
        self._registry.get(version)  # who is not known is NotFound
        try:
            model = unpacked(open_signed(self._registry.artifact(version), self._trusted()), version)
            check_model(model, self._detectors)
        except (NotFound, StorageFailed, ArtifactRefused, InvalidInput) as error:
            raise Conflict(f"model {version[:12]} cannot be asked any more: {error}") from error
        return replace(model, version=version)


def around(finding: Finding) -> tuple[int, int]:
    """[start, end), microseconds: the whole of it with as much before and after, two hours around its peak at the
    most."""
    last = finding.ended_at or finding.last_at
    margin = min(max(last - finding.started_at, _LEAST_AROUND), _MOST_AROUND)
    start, end = finding.started_at - margin, last + margin
    if end - start > _LONGEST and finding.evidence is not None:
        start = min(max(start, finding.evidence.window_end - _LONGEST // 2), end - _LONGEST)
        end = start + _LONGEST
    return start, end
