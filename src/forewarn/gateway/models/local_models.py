"""The models that a gateway uses and tries: checked once, when they are loaded; swapped as a whole."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final

import structlog

from forewarn.contracts.trained_detector import TrainedDetector
from forewarn.domain.errors import ArtifactRefused, InvalidInput, StorageFailed
from forewarn.domain.model_delivery import HeldModels, WantedModels
from forewarn.domain.model_versions import ArtifactFault
from forewarn.gateway.models.folder import ModelFolder, Plan
from forewarn.learning.machine_artifact import unpacked
from forewarn.learning.machine_model import MachineModel
from forewarn.learning.model_check import check_model
from forewarn.learning.model_source import Refusal
from forewarn.learning.model_trials import TrialModels, tried
from forewarn.learning.moved_models import MovedModels, all_moved
from forewarn.policies.model_delivery import assets_by_version, held
from forewarn.policies.model_signature import content_id, open_signed

_log = structlog.get_logger(__name__)
_THRESHOLDS: Final = "thresholds"
_UNMOVED: Final = "It goes on with those that it learned; take back what was said of its findings, or train it again"
_RENEWED: Final = "If the site's key was renewed, name the new one in gateway.uplink.model_keys"


class ActingModels:
    """ModelSource of those that raise findings; asked by the line's thread."""

    def __init__(self) -> None:
        self._content: tuple[tuple[MachineModel, ...], Mapping[str, Refusal]] = ((), {})
        self.revision = 0

    def models(self) -> Sequence[MachineModel]:
        return self._content[0]

    def refused(self) -> Mapping[str, Refusal]:
        return self._content[1]

    def swap(self, models: tuple[MachineModel, ...], refused: Mapping[str, Refusal]) -> None:
        if (models, refused) != self._content:
            self._content = models, refused
            self.revision += 1


class TriedModels:
    """TrialSource; asked by the line's thread."""

    def __init__(self) -> None:
        self._trials: tuple[TrialModels, ...] = ()
        self.revision = 0

    def trials(self) -> Sequence[TrialModels]:
        return self._trials

    def swap(self, trials: tuple[TrialModels, ...]) -> None:
        if trials != self._trials:
            self._trials = trials
            self.revision += 1


class LocalModels:
    """acting, tried: what the line scores with. held: what the site is told. For one thread at a time; any may read
    `held`."""

    def __init__(
        self,
        folder: ModelFolder,
        detectors: Mapping[str, TrainedDetector],
        trusted: Callable[[], Collection[str]],
    ) -> None:
        """trusted: public keys whose models may be used. Loads what was in use when the last process ended. Raises
        StorageFailed."""
        self._folder, self._detectors, self._trusted = folder, detectors, trusted
        self._loaded: dict[str, MachineModel] = {}
        self._refused: dict[str, Refusal] = {}  # by version id
        self._moved, self._unmoved = MovedModels(), frozenset[tuple[str, str]]()
        self.acting, self.tried, self.held = ActingModels(), TriedModels(), HeldModels()
        self._plan = folder.read_plan()
        self._load_kept(self._plan)
        self._publish()

    @property
    def wanted(self) -> WantedModels:
        return self._plan.wanted

    @property
    def missing(self) -> frozenset[str]:
        """Versions that the site wants to be here and that are not."""
        return self._plan.wanted.versions - self._loaded.keys()

    def lacks(self, wanted: WantedModels) -> list[str]:
        """Versions to be fetched: neither in use nor, fetched before a kill, on the disk. Raises StorageFailed."""
        assets = assets_by_version(wanted)
        for version in wanted.versions - self._loaded.keys():
            artifact = self._folder.get(version)
            if artifact is not None:
                self._load(version, assets[version], artifact)
        return sorted(wanted.versions - self._loaded.keys())

    def withdraw(self, versions: Collection[str]) -> None:
        """They act no more, whatever else can be had. Durable on return. Raises StorageFailed."""
        used = {asset_id: version for asset_id, version in self._plan.used.items() if version not in versions}
        if used != self._plan.used:
            self._adopt(replace(self._plan, used=used))

    def fetched(self, version_id: str, asset_id: str, artifact: bytes) -> None:
        """Checked, and kept if it is good; a refusal is remembered. Raises StorageFailed."""
        if self._load(version_id, asset_id, artifact):
            try:
                self._folder.put(version_id, artifact)
            except StorageFailed:
                del self._loaded[version_id]
                raise

    def take(self, wanted: WantedModels) -> None:
        """Follow the site, as far as what it wants is here; a machine whose new model is not goes on with the one
        before, unless that is withdrawn. Durable on return. Raises StorageFailed."""
        before, used = self._plan.used, {}
        for asset_id, version in wanted.acting.items():
            if version in self._loaded:
                used[asset_id] = version
            elif before.get(asset_id) in self._loaded and before[asset_id] not in wanted.withdrawn:
                used[asset_id] = before[asset_id]
        told = wanted.versions
        kept = {v: t for v, t in self._plan.thresholds.items() if v not in told and v in used.values()}
        self._adopt(Plan(wanted, used, kept))

    def _adopt(self, plan: Plan) -> None:
        if plan != self._plan:
            self._folder.write_plan(plan)
            self._plan = plan
        held = plan.versions
        self._folder.keep_only(held)  # a kill may have come between a plan and this
        self._loaded = {version: model for version, model in self._loaded.items() if version in held}
        self._refused = {version: refusal for version, refusal in self._refused.items() if version in held}
        self._publish()

    def _load_kept(self, plan: Plan) -> None:
        of_version = assets_by_version(plan.wanted) | {version: asset for asset, version in plan.used.items()}
        for version, asset_id in of_version.items():
            artifact = self._folder.get(version)
            if artifact is not None:
                self._load(version, asset_id, artifact)

    def _load(self, version: str, asset_id: str, artifact: bytes) -> bool:
        try:
            payload = open_signed(artifact, self._trusted())
            if content_id(payload) != version:
                raise ArtifactRefused("it is another model than was asked for", fault=ArtifactFault.DAMAGED)
            model = unpacked(payload, version)
            if model.asset_id != asset_id:
                text = f"it was learned of {model.asset_id!r}, not of {asset_id!r}"
                raise ArtifactRefused(text, fault=ArtifactFault.POISONED)
            check_model(model, self._detectors)
        except ArtifactRefused as error:
            self._refuse(version, error.fault.value, error)
            return False
        except InvalidInput as error:  # a detector that is not installed here, or that refuses its parameters
            self._refuse(version, "unusable", error)
            return False
        self._loaded[version] = model
        self._refused.pop(version, None)
        return True

    def _refuse(self, version: str, kind: str, error: Exception) -> None:
        if version not in self._refused:
            _log.warning("model_refused", version=version, kind=kind, error=str(error))
        text = f"model {version[:12]}: {error}"
        if kind == ArtifactFault.UNKNOWN_KEY.value:
            text = f"{text}. {_RENEWED}"
        self._refused[version] = Refusal(kind, text)

    def _publish(self) -> None:
        plan = self._plan
        now, unmoved = all_moved(self._loaded, plan.thresholds, self._moved)
        acting = {asset_id: version for asset_id, version in plan.used.items() if version in now}
        refused = {asset_id: self._not_moved(v, unmoved[v]) for asset_id, v in acting.items() if v in unmoved}
        refused |= {asset: self._refused[v] for asset, v in plan.wanted.acting.items() if v in self._refused}
        # A challenger's is told by the rollout's tally, which calls it back; its machine has a model that acts.
        tried_here = {trial.challenger for trial in plan.wanted.trials}
        theirs = {a for a, v in plan.wanted.acting.items() if v in tried_here & self._refused.keys() and a in acting}
        told = {asset_id: refusal for asset_id, refusal in refused.items() if asset_id not in theirs}
        self.acting.swap(tuple(now[version] for _, version in sorted(acting.items())), told)
        self.tried.swap(tried(plan.wanted.trials, now, self._refused))
        used = {version: told for version, told in plan.thresholds.items() if version not in unmoved}
        kinds = {asset_id: refusal.kind for asset_id, refusal in refused.items()}
        self.held = held(replace(plan.wanted, thresholds=used), acting, kinds, self._trusted())

    def _not_moved(self, version: str, why: str) -> Refusal:
        if (version, why) not in self._unmoved:
            _log.warning("thresholds_refused", version=version, error=why)
        self._unmoved |= {(version, why)}
        return Refusal(_THRESHOLDS, f"model {version[:12]}: {why}. {_UNMOVED}")
