"""The site's champions as the score stage wants them: signed by whom we trust, checked, their thresholds moved by
people."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

import structlog

from forewarn.contracts.anomaly_store import AnomalyStore
from forewarn.contracts.model_registry import ModelRegistry
from forewarn.contracts.trained_detector import TrainedDetector
from forewarn.domain.errors import ArtifactRefused, InvalidInput, NotFound, StorageFailed
from forewarn.domain.findings import ENSEMBLE
from forewarn.domain.model_versions import ArtifactFault
from forewarn.learning.machine_artifact import unpacked
from forewarn.learning.machine_model import MachineModel
from forewarn.learning.model_check import check_model
from forewarn.learning.model_source import Refusal
from forewarn.learning.thresholds import ThresholdNow, moved
from forewarn.policies.alarm_budget import AlarmBudget
from forewarn.policies.model_signature import open_signed

_log = structlog.get_logger(__name__)

_UNREADABLE = "unreadable"


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
    ) -> None:
        """trusted: public keys whose models may score, 64 hexadecimal digits each. budget: of false alarms. canaries:
        id of the version that acts in the champion's place, by asset id."""
        self._canaries = canaries
        self._budget = budget or AlarmBudget()
        self._registry, self._anomalies, self._detectors, self._trusted = registry, anomalies, detectors, trusted
        self._loaded: dict[str, MachineModel | Refusal] = {}  # by version id
        self._state: tuple[object, ...] = ()
        self._models: tuple[MachineModel, ...] = ()
        self._thresholds: Mapping[str, tuple[ThresholdNow, ...]] = {}
        self._refused: Mapping[str, Refusal] = {}
        self.revision = 0

    def models(self) -> Sequence[MachineModel]:
        return self._models

    def refused(self) -> Mapping[str, Refusal]:
        return self._refused

    def thresholds(self, asset_id: str) -> tuple[ThresholdNow, ...]:
        """Of the machine's champion, by regime; empty where there is none that can be used."""
        return self._thresholds.get(asset_id, ())

    def refresh(self) -> None:
        """Follow promotions, roll-backs and feedback. Raises StorageFailed."""
        champions = {asset: version.id for asset, version in self._registry.champions().items()}
        champions |= self._canaries()
        labelled = self._anomalies.labelled(ENSEMBLE)
        state = (champions, {(a.id, a.feedback) for a in labelled})
        # What could not be read for a moment is asked for again; what was refused stays so.
        kept = {v: m for v, m in self._loaded.items() if not (isinstance(m, Refusal) and m.kind == _UNREADABLE)}
        loaded = {version: kept.get(version) or self._load(version) for version in champions.values()}
        if state == self._state and loaded == self._loaded:
            return
        for version in loaded.keys() - kept.keys():
            refusal = loaded[version]
            if isinstance(refusal, Refusal):
                _log.warning("model_refused", version=version, kind=refusal.kind, error=refusal.text)
        self._loaded = loaded
        usable: list[MachineModel] = []
        refused: dict[str, Refusal] = {}
        thresholds: dict[str, tuple[ThresholdNow, ...]] = {}
        for asset_id, version in champions.items():
            known = self._loaded[version]
            if isinstance(known, Refusal):
                refused[asset_id] = known
            else:
                own = [a for a in labelled if a.finding.asset_id == asset_id]
                model, thresholds[asset_id] = moved(known, own, self._budget)
                usable.append(model)
        self._models, self._refused, self._thresholds, self._state = tuple(usable), refused, thresholds, state
        self.revision += 1

    def _load(self, version: str) -> MachineModel | Refusal:
        try:
            payload = open_signed(self._registry.artifact(version), self._trusted())
            model = unpacked(payload, version)
            check_model(model, self._detectors)
        except ArtifactRefused as error:
            return _refusal(error.fault.value, version, error)
        except StorageFailed as error:
            return _refusal(_UNREADABLE, version, error)
        except InvalidInput as error:  # a detector refuses its parameters
            return _refusal(ArtifactFault.POISONED.value, version, error)
        except NotFound as error:
            return _refusal(_UNREADABLE, version, error)
        except Exception as error:  # somebody's detector: the site does not stop for it
            return _refusal("unusable", version, error)
        return replace(model, version=version)


def _refusal(kind: str, version: str, error: Exception) -> Refusal:
    return Refusal(kind, f"model {version[:12]}: {error}")
