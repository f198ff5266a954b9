"""A site's rollouts: which models its gateways and its own line should hold, and what becomes of those that are
tried."""

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from forewarn.app.settings import Settings
from forewarn.app.site_training import model_signer
from forewarn.app.site_trials import SiteTrials
from forewarn.app.trained_plugins import InstalledDetectors
from forewarn.catalog import Catalog
from forewarn.contracts.model_observations import ModelObservations
from forewarn.contracts.model_registry import ModelRegistry
from forewarn.contracts.plant_view import PlantView
from forewarn.domain.errors import NotFound
from forewarn.domain.model_delivery import Tally, Thresholds, WantedModels
from forewarn.domain.model_versions import ModelState
from forewarn.domain.rollouts import RolloutSettings
from forewarn.jobs.rollout import RolloutJob
from forewarn.jobs.rollout_desk import SiteRolloutDesk
from forewarn.kit.clock import SECOND, now_us
from forewarn.learning.model_trials import ModelTrials
from forewarn.pipeline.edge_intake import EdgeDesk
from forewarn.pipeline.shadow import ShadowStage
from forewarn.policies.model_delivery import acting_versions, assets_by_version, narrowed, trials_of
from forewarn.policies.rollout import OPEN

_LOOK_US: Final = 2 * SECOND
_WITHDRAWN: Final = 1_000


@dataclass(frozen=True, slots=True)
class _Plan:
    """signals: ids by version id."""

    wanted: WantedModels = field(default_factory=WantedModels)
    signals: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    canaries: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Registered:
    """signals: ids by version id, of champions. formers: as ModelRegistry says."""

    changes: object
    champions: Mapping[str, str]
    signals: Mapping[str, tuple[str, ...]]
    formers: Mapping[str, str]
    withdrawn: tuple[str, ...]


class SiteRollouts:
    """ModelDelivery, and what housekeeping calls. Reading is memory only, in any thread; `look_around` is for one."""

    def __init__(
        self,
        registry: ModelRegistry,
        observations: ModelObservations,
        keys: Callable[[], Collection[str]],
        clock: Callable[[], int],
        settings: RolloutSettings | None = None,
        every_s: float = 60.0,
        ours: Callable[[], Sequence[Tally]] = lambda: (),
        tried: Callable[[WantedModels], None] = lambda _wanted: None,
        is_ours: Callable[[Collection[str]], bool] = lambda _signals: False,
        changes: Callable[[], object] = object,
    ) -> None:
        """keys: whose models may be used, 64 hexadecimal digits each. every_s: between two steps of the rollouts. ours:
        what the site's own line has seen of models that are tried (ModelTrials.tallies). tried: is told which they
        are, on machines that the site's own line judges, with their thresholds. is_ours: whether that line scores all
        of these signals (ids). changes: something else whenever the registry changed; only then is it read. thresholds:
        those that are others than they were learned, by version id, of versions whose assets it is given."""
        self._registry, self._observations, self._keys, self._clock = registry, observations, keys, clock
        self._job = RolloutJob(registry, observations, clock, settings)
        self._every_us, self._ours, self._tried, self._is_ours = int(every_s * SECOND), ours, tried, is_ours
        self.thresholds: Callable[[Mapping[str, str]], Mapping[str, Thresholds]] = lambda _assets: {}
        self._changes = changes
        self._looked = self._stepped = 0
        self._registered: _Registered | None = None
        self._plan = _Plan()
        self._lock = threading.Lock()

    def look_around(self) -> None:
        """Call it about once a second: rollouts go on, and what is wanted follows. Raises StorageFailed."""
        now = self._clock()
        if not 0 <= now - self._stepped < self._every_us:
            self._observations.keep("", self._ours())
            self._stepped = now
            if self._job.step():
                self._looked = 0
        if not 0 <= now - self._looked < _LOOK_US:
            self.refresh()
            self._looked = now

    def refresh(self) -> None:
        """Follow the registry. Raises StorageFailed."""
        known = self._read()
        watched = self._job.watched()
        acting = acting_versions(known.champions, (r for r in watched if r.state in OPEN))
        trials = tuple(trials_of(known.champions, known.formers, watched))
        wanted = WantedModels("", acting, trials, known.withdrawn, tuple(sorted(self._keys())))
        wanted = replace(wanted, thresholds=self.thresholds(assets_by_version(wanted)))
        signals = {each: known.signals.get(each) or self._signals(each) for each in wanted.versions}
        with self._lock:
            self._plan = _Plan(wanted, signals, {a: v for a, v in acting.items() if known.champions.get(a) != v})
        ours = tuple(t for t in trials if self._is_ours((*signals[t.challenger], *signals.get(t.champion or "", ()))))
        self._tried(replace(wanted, trials=ours))

    @property
    def judged(self) -> Mapping[str, tuple[str, ...]]:
        """Ids of the signals that the acting version judges, by asset id."""
        plan = self._plan
        return {asset_id: plan.signals.get(version, ()) for asset_id, version in plan.wanted.acting.items()}

    def canaries(self) -> Mapping[str, str]:
        """Id of the version that acts in the champion's place, by asset id."""
        return self._plan.canaries

    def wanted(self, collected: Collection[str]) -> WantedModels:
        plan = self._plan
        return narrowed(plan.wanted, plan.signals, frozenset(collected))

    def artifact(self, version_id: str, collected: Collection[str]) -> bytes:
        if version_id not in self.wanted(collected).versions:
            raise NotFound(f"there is no model {version_id[:80]!r} for this gateway")
        return self._registry.artifact(version_id)

    def tell(self, gateway: str, tallies: Sequence[Tally], collected: Collection[str]) -> None:
        """Of rollouts of machines that the gateway collects."""
        since = {trial.rollout_id: trial.since for trial in self.wanted(collected).trials}
        self._observations.keep(gateway, [t for t in tallies if since.get(t.rollout_id) == t.since])

    def _read(self) -> _Registered:
        changes = self._changes()  # before the rest: what changes meanwhile is read once more
        if self._registered is None or self._registered.changes != changes:
            champions = self._registry.champions()
            withdrawn = self._registry.find(states={ModelState.ROLLED_BACK}, limit=_WITHDRAWN)
            self._registered = _Registered(
                changes,
                {asset_id: version.id for asset_id, version in champions.items()},
                {version.id: tuple(version.card.signals) for version in champions.values()},
                self._registry.formers(),
                tuple(sorted(version.id for version in withdrawn)),
            )
        return self._registered

    def _signals(self, version_id: str) -> tuple[str, ...]:
        known = self._plan.signals.get(version_id)
        return known if known is not None else tuple(self._registry.get(version_id).card.signals)


def rollout_settings(settings: Settings) -> RolloutSettings:
    least_s = settings.rollout_step_hours * 3_600
    return RolloutSettings(shadow_s=least_s, canary_s=least_s, watch_s=settings.rollout_watch_days * 86_400)


def rollout_desk(settings: Settings, catalog: Catalog) -> SiteRolloutDesk:
    """Of the running site, or beside it."""
    return SiteRolloutDesk(catalog.models, catalog.observations, now_us, rollout_settings(settings))


def site_rollouts(
    settings: Settings, catalog: Catalog, plant: PlantView, edge: EdgeDesk
) -> tuple[SiteRollouts, ShadowStage]:
    """And the last stage of the site's own line. Trusted is what this site signed. Raises ConfigurationError,
    StorageFailed."""
    own = frozenset({model_signer(settings).public_key})
    detectors = InstalledDetectors()
    source = SiteTrials(catalog.models, detectors, own)
    trials = ModelTrials(source, detectors, now_us)
    rollouts = SiteRollouts(
        catalog.models,
        catalog.observations,
        lambda: own,
        now_us,
        rollout_settings(settings),
        every_s=settings.rollout_every_s,
        ours=trials.tallies,
        tried=source.follow,
        is_ours=lambda signals: _is_ours(signals, plant, edge),
        changes=catalog.revisions.read,
    )
    rollouts.refresh()  # a gateway that asks before we looked around would be told that nothing acts
    return rollouts, ShadowStage(trials, plant, edge.scored)


def _is_ours(signals: Collection[str], plant: PlantView, edge: EdgeDesk) -> bool:
    """No gateway scores any of them."""
    elsewhere, key_of = edge.scored(plant.table.size), plant.table.key_of
    return all(name in key_of and not elsewhere[key_of[name]] for name in signals)
