"""Jobs of training that nobody asked for: machines that have no model, or an old one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import structlog

from forewarn.contracts.anomaly_store import AnomalyStore
from forewarn.contracts.job_store import JobStore
from forewarn.contracts.plant_view import PlantView
from forewarn.domain.audit import OWN, AuditAction, Deed
from forewarn.domain.errors import Conflict, NotFound
from forewarn.domain.findings import BY_MODEL, Finding
from forewarn.domain.jobs import Attempts, Job
from forewarn.domain.model_versions import ArtifactFault
from forewarn.jobs.known_models import KnownModels
from forewarn.jobs.training.healthy_past import hours_seen
from forewarn.jobs.training.run import KIND, training_job
from forewarn.jobs.training.schedule import Reason, ScheduleSettings, TrainedMachine, due
from forewarn.kit.clock import DAY, MINUTE
from forewarn.learning.drift_watch import DRIFTS

_log = structlog.get_logger(__name__)
_RECORD_US: Final = 35 * DAY  # of jobs that are looked at: beyond it nothing waits for anything
_LOOK_AGAIN_US: Final = 5 * MINUTE
_MOST_LOOKS: Final = 20
# Nothing speaks for the machine meanwhile, or nothing that should be believed.
_AT_ONCE: Final = (Reason.REFUSED, Reason.YOUNG)
# Findings that a new model mends.
_MENDED: Final = frozenset(
    f"model_{kind}" for kind in (*ArtifactFault, "signals_changed", "unreadable", "unusable", "failed")
)


@dataclass(slots=True)
class TrainingByItself:
    """`look` is for one thread. has_past: whether a machine's healthy past suffices for a first model; it reads the
    historian. clock: microseconds UTC. days: of past that is learned from."""

    jobs: JobStore
    known: KnownModels
    anomalies: AnomalyStore
    plant: PlantView
    has_past: Callable[[str], bool]
    clock: Callable[[], int]
    settings: ScheduleSettings
    days: float
    _looked: dict[str, int] = field(default_factory=dict)

    def look(self) -> list[Job]:
        """Jobs that were made. Raises StorageFailed."""
        now = self.clock()
        found = due(self._machines(now), now, self.settings)
        jobs = [self._made(reason, self._ready(reason, assets, now), now) for reason, assets in found.items()]
        return [job for job in jobs if job is not None]

    def _machines(self, now: int) -> list[TrainedMachine]:
        self.known.refresh()
        attempts = self.jobs.attempts(KIND, now - _RECORD_US)
        refused, drifting = _standing(self.anomalies.open_episodes())
        return [
            self._machine(asset_id, attempts.get(asset_id, Attempts()), refused, drifting)
            for asset_id in self.plant.assets
            if self.plant.signals_of(asset_id)
        ]

    def _machine(
        self, asset_id: str, attempts: Attempts, refused: Mapping[str, int], drifting: Mapping[str, int]
    ) -> TrainedMachine:
        asset, newest = self.plant.assets[asset_id], self.known.newest.get(asset_id)
        return TrainedMachine(
            asset_id,
            "/".join((*asset.path[:2], asset.template)),
            asset_id in self.known.champions,
            0 if newest is None else newest.created_at,
            0 if newest is None else hours_seen(newest.card.trained),
            refused.get(asset_id, 0),
            drifting.get(asset_id, 0),
            asset_id in self.known.tried,
            attempts,
        )

    def _ready(self, reason: Reason, assets: Sequence[str], now: int) -> list[str]:
        """Those whose past was looked at and suffices; a few a look, each again after minutes."""
        if reason not in (Reason.FIRST, Reason.YOUNG):
            return list(assets)
        open_ = [a for a in assets if not 0 <= now - self._looked.get(a, -_LOOK_AGAIN_US) < _LOOK_AGAIN_US]
        some = sorted(open_, key=lambda asset_id: self._looked.get(asset_id, 0))[:_MOST_LOOKS]
        self._looked |= dict.fromkeys(some, now)
        return [asset_id for asset_id in some if self.has_past(asset_id)]

    def _made(self, reason: Reason, assets: Sequence[str], now: int) -> Job | None:
        if not assets:
            return None
        promote = "always" if reason in _AT_ONCE else "first"
        job = training_job(assets, OWN, now, self.days, promote)
        job = replace(job, settings={**job.settings, "why": reason.value})
        after = {"assets": list(assets[:100]), "machines": len(assets), "days": self.days}
        deed = Deed(AuditAction.COMMAND_GIVEN, OWN, f"training {job.id}", after=after, why=reason.value)
        try:
            made = self.jobs.add(job, deed)
        except (Conflict, NotFound) as error:  # since it was read a person asked for it, or the plant changed
            _log.warning("training_not_begun", why=reason.value, error=str(error))
            return None
        _log.info("training_begun", job=made.id, why=reason.value, machines=len(made.items))
        return made


def _standing(findings: Sequence[Finding]) -> tuple[dict[str, int], dict[str, int]]:
    """Since when models are refused, and machines drift, by asset id."""
    told = [finding for finding in findings if finding.detector == BY_MODEL]
    drifting = {f.asset_id: f.started_at for f in told if f.anomaly_type in DRIFTS}
    return {f.asset_id: f.started_at for f in told if f.anomaly_type in _MENDED}, drifting
