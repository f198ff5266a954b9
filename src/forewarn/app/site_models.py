"""The site's champions as the score stage wants them: signed by whom we trust, checked, their thresholds moved by
people."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from forewarn.contracts.anomaly_store import Anomaly, AnomalyStore
from forewarn.contracts.model_registry import ModelRegistry
from forewarn.contracts.trained_detector import TrainedDetector
from forewarn.domain.errors import ArtifactRefused, Conflict, InvalidInput, NotFound, StorageDamaged, StorageFailed
from forewarn.domain.findings import ENSEMBLE, Feedback
from forewarn.domain.model_delivery import Thresholds
from forewarn.domain.model_versions import ArtifactFault
from forewarn.learning.machine_artifact import unpacked
from forewarn.learning.machine_model import MachineModel
from forewarn.learning.model_check import check_model
from forewarn.learning.model_source import Refusal
from forewarn.learning.moved_models import thresholds_of
from forewarn.learning.thresholds import ThresholdNow, moved
from forewarn.policies.alarm_budget import AlarmBudget
from forewarn.policies.model_signature import open_signed

_log = structlog.get_logger(__name__)

_UNREADABLE = "unreadable"
_MAY_COME_BACK = (_UNREADABLE, ArtifactFault.DAMAGED.value)


@dataclass(frozen=True, slots=True, eq=False)
class _Moved:
    """A model as it was learned, what people said of its machine's findings, and what became of both."""

    learned: MachineModel
    said: tuple[tuple[str, Feedback | None], ...]
    model: MachineModel
    thresholds: tuple[ThresholdNow, ...]


class SiteModels:
    """A ModelSource. `refresh` asks the catalog; the rest is memory. What is read by one thread is swapped as a
    whole."""

    def __init__(
        self,
        registry: ModelRegistry,
        anomalies: AnomalyStore,
        detectors: Mapping[str, TrainedDetector],
        trusted: Callable[[], Collection[str]],
        budget: AlarmBudget | None = None,
        canaries: Callable[[], Mapping[str, str]] = dict,
        changes: Callable[[], object] = object,
    ) -> None:
        """trusted: public keys whose models may score, 64 hexadecimal digits each. budget: of false alarms. canaries:
        id of the version that acts in the champion's place, by asset id. changes: something else whenever models or
        feedback changed; only then are they read."""
        self._canaries, self._changes = canaries, changes
        self._budget = budget or AlarmBudget()
        self._registry, self._anomalies, self._detectors, self._trusted = registry, anomalies, detectors, trusted
        self._loaded: dict[str, MachineModel | Refusal] = {}  # by version id
        self._seen: object = None
        self._moved: dict[str, _Moved] = {}  # by asset id
        self._models: tuple[MachineModel, ...] = ()
        self._thresholds: Mapping[str, tuple[ThresholdNow, ...]] = {}
        self._refused: Mapping[str, Refusal] = {}
        # Findings of models with feedback, by asset id, as of the last `refresh`.
        self.labelled: Mapping[str, Sequence[Anomaly]] = {}
        self.revision = 0

    def models(self) -> Sequence[MachineModel]:
        return self._models

    def refused(self) -> Mapping[str, Refusal]:
        return self._refused

    def thresholds(self, asset_id: str) -> tuple[ThresholdNow, ...]:
        """Of the machine's champion, by regime; empty where there is none that can be used."""
        return self._thresholds.get(asset_id, ())

    def moved(self) -> Mapping[str, Thresholds | None]:
        """Thresholds that are others than they were learned, by id of the versions that act and can be used; None where
        all are as learned."""
        return {one.model.version: thresholds_of(one.model, one.learned) for one in self._moved.values()}

    def refresh(self) -> None:
        """Follow promotions, roll-backs and feedback: a short question where nothing changed, and a look at the files
        that could not be read. Raises StorageFailed."""
        canaries = dict(self._canaries())
        seen = (self._changes(), canaries)
        if seen == self._seen and not self._readable_again():
            return
        champions = {asset: version.id for asset, version in self._registry.champions().items()} | canaries
        labelled: dict[str, list[Anomaly]] = defaultdict(list)
        for anomaly in self._anomalies.labelled(ENSEMBLE):
            labelled[anomaly.finding.asset_id].append(anomaly)
        # What was refused may have been mended.
        kept = {version: model for version, model in self._loaded.items() if isinstance(model, MachineModel)}
        loaded = {version: kept.get(version) or self._load(version) for version in champions.values()}
        self._log_refused(loaded)
        self._loaded = loaded
        self._take(champions, labelled)
        self.labelled = dict(labelled)
        self._seen = seen

    def _readable_again(self) -> bool:
        """A disk is back, or a file was restored."""
        away = [v for v, found in self._loaded.items() if isinstance(found, Refusal) and found.kind in _MAY_COME_BACK]
        return any(self._load(version) != self._loaded[version] for version in away)

    def _log_refused(self, loaded: Mapping[str, MachineModel | Refusal]) -> None:
        for version, refusal in loaded.items():
            if isinstance(refusal, Refusal) and refusal != self._loaded.get(version):
                _log.warning("model_refused", version=version, kind=refusal.kind, error=refusal.text)

    def _take(self, champions: Mapping[str, str], labelled: Mapping[str, Sequence[Anomaly]]) -> None:
        known: dict[str, _Moved] = {}
        refused: dict[str, Refusal] = {}
        for asset_id, version in champions.items():
            loaded, labels = self._loaded[version], labelled.get(asset_id, ())
            if isinstance(loaded, Refusal):
                refused[asset_id] = loaded
                continue
            said = tuple((anomaly.id, anomaly.feedback) for anomaly in labels)
            before = self._moved.get(asset_id)
            same = before is not None and before.learned is loaded and before.said == said
            known[asset_id] = before if same and before else _Moved(loaded, said, *moved(loaded, labels, self._budget))
        if known == self._moved and refused == self._refused and self.revision:
            return
        self._moved, self._refused = known, refused
        self._models = tuple(one.model for one in known.values())
        self._thresholds = {asset_id: one.thresholds for asset_id, one in known.items()}
        self.revision += 1

    def _load(self, version: str) -> MachineModel | Refusal:
        try:
            payload = open_signed(self._registry.artifact(version), self._trusted())
            model = unpacked(payload, version)
            check_model(model, self._detectors)
        except ArtifactRefused as error:
            return _refusal(error.fault.value, version, error)
        except StorageDamaged as error:
            return _refusal(ArtifactFault.DAMAGED.value, version, error)
        except StorageFailed as error:
            return _refusal(_UNREADABLE, version, error)
        except InvalidInput as error:  # a detector refuses its parameters
            return _refusal(ArtifactFault.POISONED.value, version, error)
        except (NotFound, Conflict) as error:
            return _refusal(_UNREADABLE, version, error)
        except Exception as error:  # somebody's detector: the site does not stop for it
            return _refusal("unusable", version, error)
        return replace(model, version=version)


def _refusal(kind: str, version: str, error: Exception) -> Refusal:
    return Refusal(kind, f"model {version[:12]}: {error}")
