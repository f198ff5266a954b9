"""Jobs of training that nobody asked for: machines that have no model, or an old one."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import structlog

from forewarn.contracts.anomaly_store import AnomalyStore
from forewarn.contracts.job_store import JobStore
from forewarn.contracts.plant_view import PlantView
from forewarn.domain.audit import OWN, AuditAction, Deed
from forewarn.domain.errors import Conflict, NotFound
from forewarn.domain.findings import BY_MODEL, Finding
from forewarn.domain.jobs import Attempts, ItemState, Job, NextTraining
from forewarn.domain.model_versions import ArtifactFault, ModelState
from forewarn.jobs.known_models import KnownModels
from forewarn.jobs.rollout import end_misfits
from forewarn.jobs.training.healthy_past import hours_seen
from forewarn.jobs.training.run import INSTEAD_OF, KIND, training_job
from forewarn.jobs.training.schedule import (
    Reason,
    ScheduleSettings,
    TrainedMachine,
    due,
    lots_of,
    next_training,
)
from forewarn.kit.clock import DAY, MINUTE
from forewarn.learning.drift_watch import DRIFTS

_log = structlog.get_logger(__name__)
_RECORD_US: Final = 35 * DAY  # of jobs that are looked at: beyond it nothing waits for anything
_LOOK_AGAIN_US: Final = 5 * MINUTE
_MOST_LOOKS: Final = 20
# Nothing speaks for the machine meanwhile, or nothing that should be believed.
_AT_ONCE: Final = (Reason.REFUSED, Reason.YOUNG)
_MISFIT: Final = "model_signals_changed"
# Findings that a new model mends. A disk that is away, a key that is not known or a library that is missing would
# refuse the new one as well.
_MENDED: Final = frozenset(
    (_MISFIT, *(f"model_{kind}" for kind in (ArtifactFault.TRUNCATED, ArtifactFault.DAMAGED, ArtifactFault.POISONED)))
)
_JOBS: Final = 100


@dataclass(slots=True)
class TrainingByItself:
    """`look` is for one thread, `next` for any. has_past: whether a machine's healthy past suffices for a first model;
    it reads the historian. clock: microseconds UTC. days: of past that is learned from."""

    jobs: JobStore
    known: KnownModels
    anomalies: AnomalyStore
    plant: PlantView
    has_past: Callable[[str], bool]
    clock: Callable[[], int]
    settings: ScheduleSettings
    days: float
    _looked: dict[str, int] = field(default_factory=dict)
    # As they were after the last look, each with its lot; swapped as a whole.
    _seen: Mapping[str, tuple[TrainedMachine, str]] = field(default_factory=dict)

    def look(self) -> list[Job]:
        """Jobs that were made. Raises StorageFailed."""
        now = self.clock()
        machines = {machine.asset_id: machine for machine in self._machines(now)}
        found = due(list(machines.values()), now, self.settings)
        jobs = []
        for reason, assets in found.items():
            ready = [machines[asset_id] for asset_id in self._ready(reason, assets, now)]
            end_misfits(self.known.registry, (self.known.tried[m.asset_id].id for m in ready if m.is_tried), now)
            jobs.append(self._made(reason, ready, now))
        made = [job for job in jobs if job is not None]
        self._remember(machines, {item.asset_id for job in made for item in job.items})
        return made

    def _remember(self, machines: Mapping[str, TrainedMachine], begun: Collection[str]) -> None:
        lots = lots_of(machines.values(), self.settings.lot)
        self._seen = {
            asset_id: (_begun(machine) if asset_id in begun else machine, lots[asset_id])
            for asset_id, machine in machines.items()
        }

    def next(self, asset_id: str, waits: str = "") -> NextTraining | None:
        """By what was on record at the last look; None: none, or nobody has looked yet. waits: what its past is short
        of, in words."""
        seen = self._seen.get(asset_id)  # once: `look` swaps it meanwhile
        return None if seen is None else next_training(*seen, self.clock(), self.settings, waits)

    def _machines(self, now: int) -> list[TrainedMachine]:
        self.known.refresh()
        attempts = self.jobs.attempts(KIND, now - _RECORD_US)
        refused, drifting = _standing(self.anomalies.open_episodes())
        left = self._left({asset_id for asset_id, one in attempts.items() if one.in_vain})
        return [
            self._machine(
                asset_id,
                attempts.get(asset_id, Attempts()),
                refused.get(asset_id),
                drifting.get(asset_id, 0),
                asset_id in left,
            )
            for asset_id in self.plant.assets
            if self.plant.signals_of(asset_id)
        ]

    def _machine(
        self, asset_id: str, attempts: Attempts, refused: Finding | None, drifting_since: int, is_left: bool
    ) -> TrainedMachine:
        asset, newest = self.plant.assets[asset_id], self.known.newest.get(asset_id)
        champion = self.known.champions.get(asset_id)
        learned_at = 0 if newest is None else newest.created_at
        return TrainedMachine(
            asset_id,
            "/".join((*asset.path[:2], asset.template)),
            champion is not None,
            learned_at,
            0 if newest is None else hours_seen(newest.card.trained),
            0 if champion is None else hours_seen(champion.card.trained),
            0 if refused is None else refused.started_at,
            refused is not None and refused.anomaly_type == _MISFIT and learned_at < refused.started_at,
            drifting_since,
            asset_id in self.known.tried,
            is_left,
            attempts,
        )

    def _left(self, in_vain: Collection[str]) -> set[str]:
        """Machines whose model the site made to be their first, and that could not be made champion then."""
        waiting = {
            version.id: asset_id
            for asset_id in in_vain
            if asset_id not in self.known.champions
            and (version := self.known.newest.get(asset_id)) is not None
            and version.state is ModelState.CANDIDATE
            and not version.reason
        }
        if not waiting:
            return set()
        own = (job for job in self.jobs.find(KIND, _JOBS) if job.by == OWN)
        failed = (item.result for job in own for item in job.items if item.state is ItemState.FAILED)
        return {waiting[result] for result in failed if result in waiting}

    def _ready(self, reason: Reason, assets: Sequence[str], now: int) -> list[str]:
        """A lot of those that are refused; of those that need a past those whose past was looked at and suffices: a few
        a look, each again after minutes."""
        if reason is Reason.REFUSED and len(assets) > self.settings.lot:
            _log.warning("many_models_refused", machines=len(assets), trained_now=self.settings.lot)
            return list(assets[: self.settings.lot])
        if reason not in (Reason.FIRST, Reason.YOUNG):
            return list(assets)
        open_ = [a for a in assets if not 0 <= now - self._looked.get(a, -_LOOK_AGAIN_US) < _LOOK_AGAIN_US]
        some = sorted(open_, key=lambda asset_id: self._looked.get(asset_id, 0))[:_MOST_LOOKS]
        self._looked |= dict.fromkeys(some, now)
        return [asset_id for asset_id in some if self.has_past(asset_id)]

    def _made(self, reason: Reason, machines: Sequence[TrainedMachine], now: int) -> Job | None:
        if not machines:
            return None
        assets = [machine.asset_id for machine in machines]
        promote = "always" if reason in _AT_ONCE else "first"
        job = training_job(assets, OWN, now, self.days, promote)
        job = replace(job, settings={**job.settings, "why": reason.value})
        if reason in _AT_ONCE:
            job = replace(job, settings={**job.settings, INSTEAD_OF: self._judged(machines)})
        after = {"assets": list(assets[:100]), "machines": len(assets), "days": self.days}
        deed = Deed(AuditAction.COMMAND_GIVEN, OWN, f"training {job.id}", after=after, why=reason.value)
        try:
            made = self.jobs.add(job, deed)
        except (Conflict, NotFound) as error:  # since it was read a person asked for it, or the plant changed
            _log.warning("training_not_begun", why=reason.value, error=str(error))
            return None
        _log.info("training_begun", job=made.id, why=reason.value, machines=len(made.items))
        return made

    def _judged(self, machines: Sequence[TrainedMachine]) -> dict[str, str]:
        """Champions that a new model replaces at once, by asset id: those that are young, and those that acted already
        when a model was refused."""
        champions = ((machine, self.known.champions.get(machine.asset_id)) for machine in machines)
        return {
            machine.asset_id: champion.id
            for machine, champion in champions
            if champion is not None and (not machine.refused_since or champion.state_since <= machine.refused_since)
        }


def _begun(machine: TrainedMachine) -> TrainedMachine:
    return replace(machine, attempts=replace(machine.attempts, is_open=True))


def _standing(findings: Sequence[Finding]) -> tuple[dict[str, Finding], dict[str, int]]:
    """How models are refused, and since when machines drift, by asset id."""
    told = [finding for finding in findings if finding.detector == BY_MODEL]
    drifting = {f.asset_id: f.started_at for f in told if f.anomaly_type in DRIFTS}
    return {f.asset_id: f for f in told if f.anomaly_type in _MENDED}, drifting
