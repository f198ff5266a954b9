"""The models that are tried on machines which the site judges itself."""

from collections.abc import Collection, Mapping, Sequence

import structlog

from forewarn.contracts.model_registry import ModelRegistry
from forewarn.contracts.trained_detector import TrainedDetector
from forewarn.domain.errors import ForewarnError
from forewarn.domain.model_delivery import WantedModels
from forewarn.learning.machine_artifact import unpacked
from forewarn.learning.machine_model import MachineModel
from forewarn.learning.model_check import check_model
from forewarn.learning.model_trials import TrialModels, tried
from forewarn.learning.moved_models import MovedModels, all_moved
from forewarn.policies.model_signature import open_signed

_log = structlog.get_logger(__name__)


class SiteTrials:
    """TrialSource. `follow` is for one thread at a time; the line's thread asks the rest."""

    def __init__(
        self, registry: ModelRegistry, detectors: Mapping[str, TrainedDetector], trusted: Collection[str]
    ) -> None:
        self._registry, self._detectors, self._trusted = registry, detectors, trusted
        self._loaded: dict[str, MachineModel | None] = {}  # by version id; None: it cannot be used
        self._moved = MovedModels()
        self._trials: tuple[TrialModels, ...] = ()
        self.revision = 0

    def trials(self) -> Sequence[TrialModels]:
        return self._trials

    def follow(self, wanted: WantedModels) -> None:
        """wanted: trials of machines that the site judges itself, and the thresholds of both sides."""
        versions = {v for t in wanted.trials for v in (t.challenger, t.champion) if v is not None}
        self._loaded = {v: self._loaded[v] if v in self._loaded else self._load(v) for v in versions}
        usable = {v: model for v, model in self._loaded.items() if model is not None}
        now, _ = all_moved(usable, wanted.thresholds, self._moved)
        found = tried(wanted.trials, now, self._loaded.keys() - usable.keys())
        if found != self._trials:
            self._trials = found
            self.revision += 1

    def _load(self, version: str) -> MachineModel | None:
        try:
            model = unpacked(open_signed(self._registry.artifact(version), self._trusted), version)
            check_model(model, self._detectors)
        except ForewarnError as error:
            _log.warning("model_refused", version=version, error=str(error))
            return None
        return model
