"""What people's words, and the budget of false alarms as it is now, have made of the thresholds of models."""

from collections.abc import Callable, Mapping, Sequence

from forewarn.app.settings import Settings
from forewarn.app.site_models import SiteModels
from forewarn.app.site_training import model_signer
from forewarn.catalog import Catalog
from forewarn.contracts.anomaly_store import Anomaly
from forewarn.domain.errors import ForewarnError, StorageFailed
from forewarn.domain.findings import ENSEMBLE, Feedback
from forewarn.domain.model_delivery import Thresholds
from forewarn.domain.model_versions import ModelVersion
from forewarn.learning.machine_artifact import unpacked
from forewarn.learning.machine_model import MachineModel
from forewarn.learning.moved_models import thresholds_of
from forewarn.learning.thresholds import ThresholdNow, moved
from forewarn.policies.alarm_budget import AlarmBudget
from forewarn.policies.model_signature import open_signed

_Said = frozenset[tuple[str, Feedback | None]]


class SiteThresholds:
    """Of any version, whether it acts or is tried: both sides of a rollout have heard the same words. What the site's
    own line has loaded is known there; another model is read once, and again when something new was said of its
    machine. For one thread at a time."""

    def __init__(self, acting: SiteModels, load: Callable[[str], MachineModel], budget: AlarmBudget) -> None:
        """load: a version as it was learned; raises ForewarnError."""
        self._acting, self._load, self._budget = acting, load, budget
        self._known: dict[str, tuple[_Said, Thresholds | None]] = {}

    def of(self, assets: Mapping[str, str]) -> dict[str, Thresholds]:
        """assets: whose it is, by version id. Those that are others than they were learned."""
        known, acting = self._known, self._acting.moved()
        self._known = {}
        said = self._acting.labelled
        found: dict[str, Thresholds | None] = {}
        for version, asset_id in assets.items():
            if version in acting:
                found[version] = acting[version]
                continue
            words = frozenset((a.id, a.feedback) for a in said.get(asset_id, ()))
            before = known.get(version)
            if before is None or before[0] != words:
                before = self._read(version, words, said.get(asset_id, ()))
            if before is not None:
                self._known[version], found[version] = before, before[1]
        return {version: told for version, told in found.items() if told is not None}

    def _read(self, version: str, words: _Said, labelled: Sequence[Anomaly]) -> tuple[_Said, Thresholds | None] | None:
        """None where it is to be asked for again."""
        try:
            model = self._load(version)
        except StorageFailed:
            return None
        except ForewarnError:  # who would use it says so
            return words, None
        return words, thresholds_of(moved(model, labelled, self._budget)[0], model)


def site_thresholds(settings: Settings, catalog: Catalog, acting: SiteModels) -> SiteThresholds:
    return SiteThresholds(acting, _loading(settings, catalog), _budget(settings))


def thresholds_beside(settings: Settings, catalog: Catalog, version: ModelVersion) -> tuple[ThresholdNow, ...]:
    """Of a version, by regime, as the running site or the next one has them: read anew. Raises ForewarnError."""
    labelled = [a for a in catalog.anomalies.labelled(ENSEMBLE) if a.finding.asset_id == version.asset_id]
    return moved(_loading(settings, catalog)(version.id), labelled, _budget(settings))[1]


def _loading(settings: Settings, catalog: Catalog) -> Callable[[str], MachineModel]:
    own = frozenset({model_signer(settings).public_key})
    return lambda version: unpacked(open_signed(catalog.models.artifact(version), own), version)


def _budget(settings: Settings) -> AlarmBudget:
    return AlarmBudget(per_week=settings.false_alarms_per_week)
